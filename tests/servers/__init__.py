"""Real servers for the tests: each fixture starts one on a free port of 127.0.0.1 and kills it at the end.

- `tests.servers.ministack`: AWS (S3, SQS, Lambda, ...); fixtures `ministack`, `s3_bucket`, `aws_environment`.
- `tests.servers.object_lambda`: S3 Object Lambda on it; fixture `object_lambda_access_point`, and how it behaves.
- `tests.servers.gateway`: the HTTP gateway over any source; `running_gateway`.
- `tests.servers.nginx`: a folder served with ranges and ETags; fixture `nginx`.
- `tests.servers.process`: start, wait until ready, kill, keep the log.
"""

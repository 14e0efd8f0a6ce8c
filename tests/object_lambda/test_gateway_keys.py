"""A gateway with keys, over the wire: real clients that sign, and what each key may read and list."""

import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import quote
from xml.etree import ElementTree as ET

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import S3Store

from indexer.source.memory import AsyncMemorySource
from object_lambda.endpoint import Endpoint
from object_lambda.signed_access import SignedAccess
from tests.object_lambda.made_archives import mount, put_archive, service_over
from tests.object_lambda.signed_requests import KEY_ID, NOW_S, SECRET, Clock, keyring, secret_of, signed_by_botocore
from tests.servers.gateway import REGION, GatewayServer, running_gateway

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

AWS = "/usr/bin/aws"  # version 2; a version 1 may come before it on PATH
CONTENTS = {
    "public/a.log": b"first\n",
    "public/b c+d%(1)/ü=&.log": b"odd\n",
    "public//double": b"double\n",
    "private/secret.log": b"for few\n",
    "publicity.log": b"beside\n",
}
OTHER = "s3://archives/other.tar"
ODD = "logs/public/b c+d%(1)/ü=&.log"
GRANTS = {"TEAM": ["bucket/logs/public"], "EDGE": ["bucket/logs/public*", "other"], "AWAY": ["elsewhere"]}


@dataclass(frozen=True)
class Signed:
    """A gateway with keys, and the clock it looks at."""

    server: GatewayServer
    clock: Clock

    def s3(self, key: str = KEY_ID, secret: str | None = None, region: str = REGION, **config: Any) -> "S3Client":
        """A boto3 client with one of the keys."""
        client: S3Client = boto3.session.Session().client(
            "s3",
            endpoint_url=self.server.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret or secret_of(key),
            config=Config(**{"retries": {"total_max_attempts": 1}, "s3": {"addressing_style": "path"}, **config}),
        )
        return client

    def store(self, key: str = KEY_ID, secret: str | None = None) -> S3Store:
        """An obstore client."""
        return S3Store(
            "bucket",
            endpoint=self.server.endpoint,
            region=REGION,
            access_key_id=key,
            secret_access_key=secret or secret_of(key),
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )


def gateway(endpoint: Endpoint | None = None) -> Any:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    put_archive(objects, {"x": b"other"}, OTHER)
    clock = Clock(time.time())
    access = SignedAccess(keyring(**GRANTS), region=REGION, now=clock)
    service = service_over(mount("bucket/logs"), mount("other", OTHER))
    return running_gateway(service, AsyncMemorySource(objects), access=access, endpoint=endpoint), clock


@pytest.fixture(scope="module")
def running() -> Iterator[Signed]:
    """Two buckets and four keys."""
    started, clock = gateway()
    with started as server:
        yield Signed(server, clock)


@pytest.fixture
def signed(running: Signed) -> Signed:
    """The gateway, its clock set right."""
    running.clock.now_s = time.time()
    return running


def refused(call: Callable[..., Any], **parameters: Any) -> tuple[int, str]:
    """The status and the code that boto3 read out of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


def keys(client: "S3Client", prefix: str, bucket: str = "bucket") -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])]


def fetched(url: str, method: str = "GET") -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()


def code(body: bytes) -> str:
    return ET.fromstring(body).findtext("Code", "")


def test_boto3_reads_and_lists_with_its_signature(signed: Signed) -> None:
    client = signed.s3()
    listed = keys(client, "logs/")
    assert listed == sorted((f"logs/{name}" for name in CONTENTS), key=str.encode)
    for key in listed:
        assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == CONTENTS[key.removeprefix("logs/")]
        assert client.head_object(Bucket="bucket", Key=key)["ContentLength"] == len(CONTENTS[key.removeprefix("logs/")])
    etag = client.head_object(Bucket="bucket", Key="logs/public/a.log")["ETag"]
    part = client.get_object(Bucket="bucket", Key="logs/public/a.log", Range="bytes=1-2", IfMatch=etag)
    assert part["Body"].read() == b"ir"


def test_a_presigned_url_is_good_for_its_one_request_until_it_expires(signed: Signed) -> None:
    parameters = {"Bucket": "bucket", "Key": ODD, "ResponseContentType": "text/plain; charset=utf-8"}
    url = signed.s3().generate_presigned_url("get_object", Params=parameters, ExpiresIn=60)
    assert fetched(url) == (200, b"odd\n")
    assert fetched(url, "HEAD")[0] == 403
    for old, new in (("/logs/public/", "/logs/private/"), ("text%2Fplain", "text%2Fhtml"), ("Expires=60", "Expires=61")):
        assert old in url
        status, body = fetched(url.replace(old, new))
        assert (status, code(body)) == (403, "SignatureDoesNotMatch")
    signed.clock.now_s += 62
    status, body = fetched(url)
    assert (status, code(body), b"Request has expired" in body) == (403, "AccessDenied", True)


def test_a_presigned_listing_lists(signed: Signed) -> None:
    url = signed.s3().generate_presigned_url("list_objects_v2", Params={"Bucket": "bucket", "Prefix": "logs/public/b c+d%"})
    status, body = fetched(url)
    assert (status, f"<Key>{quote(ODD)}</Key>".encode() in body) == (200, True)


def test_a_wrong_secret_an_unknown_key_and_a_session_token_are_refused(signed: Signed) -> None:
    asked: Any = {"Bucket": "bucket", "Key": "logs/public/a.log"}
    assert refused(signed.s3(secret="x" * 20).get_object, **asked) == (403, "SignatureDoesNotMatch")
    assert refused(signed.s3("STRANGER").get_object, **asked) == (403, "InvalidAccessKeyId")
    assert refused(signed.s3(signature_version=UNSIGNED).get_object, **asked) == (403, "AccessDenied")
    assert refused(signed.s3(signature_version="s3").get_object, **asked) == (400, "InvalidRequest")
    with pytest.raises(ClientError, match="Session tokens are not taken here"):
        boto3.session.Session().client(
            "s3",
            endpoint_url=signed.server.endpoint,
            region_name=REGION,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            aws_session_token="token",
        ).get_object(**asked)


def test_a_clock_too_far_off_is_told(signed: Signed) -> None:
    client = signed.s3()
    for by_s in (-1000, 1000):
        signed.clock.now_s = time.time() + by_s
        assert refused(client.get_object, Bucket="bucket", Key="logs/public/a.log") == (403, "RequestTimeTooSkewed")


def test_a_client_in_another_region_is_told_the_right_one_and_boto3_goes_there(signed: Signed) -> None:
    client = signed.s3(region="us-west-2")
    assert client.get_object(Bucket="bucket", Key="logs/public/a.log")["Body"].read() == b"first\n"
    assert client.head_object(Bucket="bucket", Key="logs/public/a.log")["ContentLength"] == 6
    assert refused(client.list_buckets) == (400, "AuthorizationHeaderMalformed")


def test_obstore_reads_and_lists_with_its_signature(signed: Signed) -> None:
    store = signed.store()
    assert bytes(store.get(ODD).bytes()) == b"odd\n"
    assert bytes(store.get_range("logs/public/a.log", start=1, end=3)) == b"ir"
    assert [entry["path"] for page in store.list("logs/private") for entry in page] == ["logs/private/secret.log"]
    with pytest.raises(ObstoreError, match="SignatureDoesNotMatch"):
        signed.store(secret="x" * 20).get(ODD)
    with pytest.raises(ObstoreError, match="AccessDenied"):
        signed.store("TEAM").get("logs/private/secret.log")


def aws(signed: Signed, key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**signed.server.env, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret_of(key)}
    command = [AWS, "--endpoint-url", signed.server.endpoint, "s3", *arguments]
    return subprocess.run(command, env=env, check=False, capture_output=True, text=True, timeout=60)


def test_the_aws_command_line_reads_what_its_key_may_read(signed: Signed) -> None:
    assert aws(signed, "TEAM", "cp", f"s3://bucket/{ODD}", "-").stdout == "odd\n"
    listed = aws(signed, "TEAM", "ls", "--recursive", "s3://bucket/logs/public/").stdout.splitlines()
    assert [line.split(maxsplit=3)[3] for line in listed] == ["logs/public//double", "logs/public/a.log", ODD]
    assert [line.split()[-1] for line in aws(signed, "TEAM", "ls").stdout.splitlines()] == ["bucket"]
    refusal = aws(signed, "TEAM", "ls", "s3://bucket/")
    assert (refusal.returncode != 0, "AccessDenied" in refusal.stderr) == (True, True)
    presigned = aws(signed, "TEAM", "presign", "s3://bucket/logs/public/a.log").stdout.strip()
    assert fetched(presigned) == (200, b"first\n")


def curl(signed: Signed, target: str, *arguments: str, secret: str = SECRET) -> tuple[int, bytes]:
    command = ["curl", "-s", "--path-as-is", "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{KEY_ID}:{secret}", *arguments]
    command += ["-w", "%{stderr}%{http_code}", f"{signed.server.endpoint}{target}"]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return int(done.stderr), done.stdout


def test_curl_reads_with_its_signature(signed: Signed) -> None:
    payload = ("-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD")
    assert curl(signed, "/bucket/logs/public/a.log", *payload) == (200, b"first\n")
    assert curl(signed, "/bucket/logs/public/b%20c+d%25(1)/%C3%BC=&.log", *payload) == (200, b"odd\n")
    assert curl(signed, "/bucket/logs/public//double", *payload) == (200, b"double\n")
    status, body = curl(signed, "/bucket?list-type=2&prefix=logs%2Fprivate%2F", *payload)
    assert (status, b"<Key>logs/private/secret.log</Key>" in body) == (200, True)
    status, body = curl(signed, "/bucket/logs/public/a.log", *payload, secret="x" * 20)
    assert (status, code(body)) == (403, "SignatureDoesNotMatch")


CONFINED = {
    "TEAM": (
        ["logs/public/", "logs/public//", "logs/public/a"],
        ["", "l", "logs/", "logs/public", "logs/publicity", "logs/private/"],
    ),
    "EDGE": (["logs/public", "logs/public/", "logs/publicity"], ["", "logs/", "logs/publi", "logs/private/"]),
    KEY_ID: (["", "logs/", "nothing"], []),
}


@pytest.mark.parametrize("key", CONFINED)
def test_a_key_lists_beneath_what_it_is_granted_and_nowhere_else(signed: Signed, key: str) -> None:
    client = signed.s3(key)
    may, may_not = CONFINED[key]
    for prefix in may:
        want = [f"logs/{name}" for name in sorted(CONTENTS, key=str.encode) if f"logs/{name}".startswith(prefix)]
        assert keys(client, prefix) == want
        assert [entry["Key"] for entry in client.list_objects(Bucket="bucket", Prefix=prefix).get("Contents", [])] == want
    calls: tuple[Callable[..., Any], ...] = (client.list_objects, client.list_objects_v2)
    for call, prefix, delimiter in product(calls, may_not, ("", "/")):
        assert refused(call, Bucket="bucket", Prefix=prefix, Delimiter=delimiter) == (403, "AccessDenied")


def test_no_marker_and_no_token_leads_out_of_a_grant(signed: Signed) -> None:
    team, every = signed.s3("TEAM"), signed.s3()
    token = every.list_objects_v2(Bucket="bucket", MaxKeys=1)["NextContinuationToken"]
    for place in ({"ContinuationToken": token}, {"StartAfter": "logs/private/"}):
        listed = team.list_objects_v2(Bucket="bucket", Prefix="logs/public/", **place)  # type: ignore[arg-type]
        assert [entry["Key"] for entry in listed["Contents"]] == ["logs/public//double", "logs/public/a.log", ODD]


def test_a_key_outside_the_grant_is_refused_alike_whether_it_exists_or_not(signed: Signed) -> None:
    client = signed.s3("TEAM")
    for name in ("logs/private/secret.log", "logs/private/none", "logs/publicity.log", "logs/public", "other"):
        assert refused(client.get_object, Bucket="bucket", Key=name) == (403, "AccessDenied")
        assert refused(client.head_object, Bucket="bucket", Key=name)[0] == 403
    assert refused(client.get_object, Bucket="bucket", Key="logs/public/none") == (404, "NoSuchKey")
    for bucket in ("other", "nowhere"):
        assert refused(client.get_object, Bucket=bucket, Key="x") == (403, "AccessDenied")
        assert refused(client.list_objects_v2, Bucket=bucket, Prefix="logs/public/") == (403, "AccessDenied")
        assert refused(client.head_bucket, Bucket=bucket)[0] == 403
        assert refused(client.get_bucket_location, Bucket=bucket) == (403, "AccessDenied")
    assert refused(signed.s3().get_object, Bucket="nowhere", Key="x") == (404, "NoSuchBucket")


@pytest.mark.parametrize(
    ("spelled", "told"),
    [
        ("logs/public/../private/secret.log", (404, "NoSuchKey")),  # dots are part of a key, never a way up
        ("logs/public/%2E%2E/private/secret.log", (404, "NoSuchKey")),
        ("logs%2Fprivate%2Fsecret.log", (403, "AccessDenied")),
        ("logs/public%2F..%2Fprivate/secret.log", (404, "NoSuchKey")),
        ("/logs/public/a.log", (403, "AccessDenied")),
    ],
)
def test_no_spelling_of_a_key_leads_out_of_a_grant(signed: Signed, spelled: str, told: tuple[int, str]) -> None:
    signed.clock.now_s = NOW_S
    team = Credentials("TEAM", secret_of("TEAM"))
    facts = signed_by_botocore(f"/bucket/{spelled}", credentials=team, host=f"127.0.0.1:{signed.server.port}")
    headers = {name: value for name, value in facts.headers.items() if name != "host"}
    answer = signed.server.ask(f"/bucket/{spelled}", headers=headers)
    assert (answer.status, code(answer.body)) == told


def test_list_buckets_tells_the_callers_own(signed: Signed) -> None:
    for key, want in ((KEY_ID, ["bucket", "other"]), ("TEAM", ["bucket"]), ("EDGE", ["bucket", "other"]), ("AWAY", [])):
        assert [bucket["Name"] for bucket in signed.s3(key).list_buckets()["Buckets"]] == want


def test_whoever_may_read_something_in_a_bucket_sees_that_it_is_there(signed: Signed) -> None:
    client = signed.s3("TEAM")
    assert client.head_bucket(Bucket="bucket")["BucketRegion"] == REGION
    assert client.get_bucket_location(Bucket="bucket")["LocationConstraint"] == REGION


def test_who_may_not_read_is_refused_before_the_store_is_asked() -> None:
    access = SignedAccess(keyring(**GRANTS), region=REGION, now=time.time)
    with running_gateway(service_over(mount("bucket/logs")), AsyncMemorySource({}), access=access) as server:
        for target, method in (("/", "GET"), ("/bucket/logs/a", "GET"), ("/nowhere/x", "GET"), ("/bucket/x", "PUT")):
            answer = server.ask(target, method)
            assert (answer.status, code(answer.body)) == (403, "AccessDenied")
        client = Signed(server, Clock()).s3("TEAM")
        assert refused(client.get_object, Bucket="bucket", Key="logs/private/a") == (403, "AccessDenied")
        assert refused(client.list_objects_v2, Bucket="bucket") == (403, "AccessDenied")
        # Of what it may read, the same key learns that the store has lost it.
        assert refused(client.get_object, Bucket="bucket", Key="logs/public/a") == (503, "ServiceUnavailable")
        assert server.ask("/health").status == 200


def test_a_gateway_behind_a_path_of_its_own_verifies_the_path_that_was_signed() -> None:
    started, clock = gateway(Endpoint(None, b"/stage/s3"))
    with started as server:
        prefixed = Signed(GatewayServer(server.port, path="/stage/s3"), clock)
        client = prefixed.s3("TEAM")
        assert client.get_object(Bucket="bucket", Key=ODD)["Body"].read() == b"odd\n"
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["bucket"]
        assert refused(client.get_object, Bucket="bucket", Key="logs/private/secret.log") == (403, "AccessDenied")
        assert refused(Signed(server, clock).s3("TEAM").list_buckets) == (403, "SignatureDoesNotMatch")

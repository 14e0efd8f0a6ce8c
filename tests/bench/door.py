"""What one GetObject takes the Object Lambda handler, from the start of its process to the answer that was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from tests.bench.bench import Bench
from tests.bench.measure import cpu_ms, median_cpu_s, peak
from tests.bench.shelf import OURS
from tests.bench.table import Answer, Table, mb
from tests.servers.http import HttpServer, Reply, Seen


def measure(bench: Bench) -> Answer:
    """Measure it cold, with a warm cache on disk, and beside what the start of others takes."""
    answer = Answer("Object Lambda handler")
    shelf = bench.shelf
    table = Table(
        "One GetObject in a fresh process, the system's page cache warm",
        ("process", "CPU ms", "peak RSS MB", "modules", "requests", "body bytes"),
        note="The whole process, from exec to exit, so more than up to the first byte. Answers go to a receiver of "
        "WriteGetObjectResponse on this machine over plain HTTP; reading certificates for TLS would add 17 ms.",
    )
    answer.tables.append(table)
    with _receiver() as (receiver, received):
        env = bench.server.env | {
            "AWS_ENDPOINT_URL_S3": bench.server.endpoint,
            "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": receiver.endpoint,
            "S3ARCHIVEFS_PREFIX_VMAP1": f"/|{shelf.url(OURS)}",
        }
        for name, keep in (("handler, nothing cached", False), ("handler, pages and frames cached on disk", True)):
            bench.tell(f"door: {name}")
            costs, requests, fetched, modules = [], 0, 0, 0
            cache = bench.scratch("door-cache")
            for number in range(bench.rounds + keep):
                if not keep:
                    cache = bench.scratch("door-cache")
                with bench.server.traffic() as traffic:
                    cost = bench.child("door", event(shelf.key), env=env | {"S3ARCHIVEFS_CACHE_DIR": str(cache)})
                if received[-1:] != [shelf.body]:
                    raise ValueError(f"the handler sent {received[-1:]!r}: {cost.stderr[-500:]!r}")
                if not keep or number:  # the first run fills the cache
                    costs.append(cost)
                    requests, fetched = max(requests, traffic.requests), max(fetched, traffic.bytes)
                modules = json.loads(cost.stdout)["modules"]
            table.add(name, cpu_ms(costs), mb(peak(costs)), modules, requests, f"{fetched:,}")
            answer.at_most(f"Object Lambda, {name}: process start to answer", median_cpu_s(costs) * 1000, 150, "ms of CPU")
    for child, name in (("boto3_client", "import boto3 and make an S3 client"), ("python", "an interpreter that does nothing")):
        costs = [bench.child(child) for _ in range(bench.rounds)]
        table.add(name, cpu_ms(costs), mb(peak(costs)), json.loads(costs[0].stdout)["modules"], "-", "-")
    return answer


@contextmanager
def _receiver() -> Iterator[tuple[HttpServer, list[bytes]]]:
    """Takes WriteGetObjectResponse; keeps the bodies."""
    received: list[bytes] = []
    lock = threading.Lock()

    def answer(_: Seen, body: bytes) -> Reply:
        with lock:
            received.append(body)
        return Reply(200)

    server = HttpServer(answer)
    try:
        yield server, received
    finally:
        server.close()


def event(key: str) -> str:
    """A GetObject's event, as S3 Object Lambda sends it."""
    path = quote(key)
    return json.dumps(
        {
            "xAmzRequestId": "1a5ed718-5f53-471d-b6fe-5cf62d88d02a",
            "getObjectContext": {
                "inputS3Url": f"https://supporting-123456789012.s3-accesspoint.us-east-1.amazonaws.com/{path}"
                "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-SignedHeaders=host&X-Amz-Expires=61&X-Amz-Signature=0",
                "outputRoute": "io-use1-001",
                "outputToken": "token",
            },
            "configuration": {"accessPointArn": "arn:aws:s3-object-lambda:us-east-1:123456789012:accesspoint/bench", "payload": ""},
            "userRequest": {
                "url": f"https://bench-123456789012.s3-object-lambda.us-east-1.amazonaws.com/{path}",
                "headers": {"Host": "bench-123456789012.s3-object-lambda.us-east-1.amazonaws.com"},
            },
            "userIdentity": {},
            "protocolVersion": "1.00",
        }
    )

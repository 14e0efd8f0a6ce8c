"""The gateway over archives and a live bucket, as clients see it; and what the live bucket is asked."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import IncompleteRead
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from indexer.errors import SettingInvalid
from indexer.source.memory import AsyncMemorySource
from object_lambda.gateway_live import open_live_side
from object_lambda.live import LivePlace
from object_lambda.overlay import Winner
from tests.object_lambda.live_side import etag
from tests.object_lambda.made_archives import Made, mount, put_archive, service_over
from tests.object_lambda.recorder import Recorder
from tests.object_lambda.test_gateway_aws_cli import aws, files
from tests.servers.gateway import GatewayServer, running_gateway
from tests.servers.http import Reply, recording, scripted
from tests.servers.ministack import Bucket

BOUND = {"2026/01/bound.log": b"bound\n", "2026/02/both.log": b"bound both\n", "2026/03/bound.log": b""}
LOOSE = {"2026/01/loose.log": b"loose\n", "2026/02/both.log": b"loose both\n", "2026/04/loose.log": b"4"}
VISIBLE = {**LOOSE, **BOUND}
ODD = ["a//b", "/leading", "//", "a/./b", "a/../b", "ctrl\x01\x1f", "ü +%2F?&#=;~", "2026/", "tail/", "*'()!$@,:"]


@contextmanager
def gateway(endpoint: str, bucket: str, *, source_prefix: bytes = b"", winner: Winner = Winner.BOUND) -> Iterator[GatewayServer]:
    """A gateway over an archive of `BOUND` at the top of `bucket`, with a live prefix beneath it."""
    objects: dict[str, bytes] = {}
    put_archive(objects, {name: Made(data, etag=etag(data)) for name, data in BOUND.items()})
    service = service_over(mount("bucket"))
    settings = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }
    side = open_live_side(service, [LivePlace("bucket", b"", bucket, source_prefix)], winner, settings)
    with running_gateway(service, AsyncMemorySource(objects), live_side=side) as running:
        yield running


@pytest.fixture
def server(s3_bucket: Bucket) -> Iterator[GatewayServer]:
    for key, body in LOOSE.items():
        s3_bucket.put(key, body, ContentType="text/plain", Metadata={"colour": "blue"})
    with gateway(s3_bucket.server.endpoint, s3_bucket.name) as running:
        yield running


def failure(call: Callable[..., Any], **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(Bucket="bucket", **parameters)
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], caught.value.response["Error"]["Code"]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_boto3_lists_and_reads_both_sides_as_one(server: GatewayServer, operation: str) -> None:
    pages = list(server.s3.get_paginator(operation).paginate(Bucket="bucket", PaginationConfig={"PageSize": 2}))  # type: ignore[call-overload]
    entries = [entry for page in pages for entry in page["Contents"]]
    assert [entry["Key"] for entry in entries] == sorted(VISIBLE)
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]
    for entry in entries:
        got = server.s3.get_object(Bucket="bucket", Key=entry["Key"])
        head = server.s3.head_object(Bucket="bucket", Key=entry["Key"])
        assert got["Body"].read() == VISIBLE[entry["Key"]]
        for told in ("ETag", "LastModified"):
            assert entry[told] == got[told] == head[told]
        assert entry["Size"] == got["ContentLength"] == head["ContentLength"] == len(VISIBLE[entry["Key"]])
    folders = server.s3.list_objects_v2(Bucket="bucket", Prefix="2026/", Delimiter="/")["CommonPrefixes"]
    assert [folder["Prefix"] for folder in folders] == ["2026/01/", "2026/02/", "2026/03/", "2026/04/"]


def test_a_loose_object_answers_as_it_does_where_it_lies(server: GatewayServer, s3_bucket: Bucket) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"Range": "bytes=1-2"},
        {"Range": "bytes=-2"},
        {"IfMatch": f'"{etag(b"4")}"'},
        {"PartNumber": 1},
        {"ResponseContentType": "image/svg+xml", "ResponseCacheControl": "no store; x=1"},
        {"ChecksumMode": "ENABLED"},
    ]
    s3_bucket.put("checked", b"0123456789", ChecksumAlgorithm="CRC32", ContentEncoding="gzip", StorageClass="GLACIER_IR")
    s3_bucket.put("4", b"4")
    dropped = {"HTTPHeaders", "HostId", "RequestId", "RetryAttempts"}
    for parameters in asked:
        key = "4" if "IfMatch" in parameters else "checked"
        told = [
            server.s3.get_object(Bucket="bucket", Key=key, **parameters),
            s3_bucket.client.get_object(Bucket=s3_bucket.name, Key=key, **parameters),
        ]
        bodies = [answer.pop("Body").read() for answer in told]  # type: ignore[misc]
        statuses = [answer["ResponseMetadata"]["HTTPStatusCode"] for answer in told]
        for answer in told:
            for name in dropped:
                answer["ResponseMetadata"].pop(name, None)  # type: ignore[misc]
        assert (bodies[0], statuses[0], told[0]) == (bodies[1], statuses[1], told[1])


def test_what_the_store_refuses_is_refused(server: GatewayServer) -> None:
    get, head = server.s3.get_object, server.s3.head_object
    key = "2026/04/loose.log"
    assert failure(get, Key=key, IfMatch='"other"') == (412, "PreconditionFailed")
    assert failure(get, Key=key, IfNoneMatch=f'"{etag(b"4")}"') == (304, "304")
    assert failure(get, Key=key, Range="bytes=1-") == (416, "InvalidRange")
    assert failure(get, Key="absent") == (404, "NoSuchKey")
    assert failure(head, Key="absent") == (404, "404")
    assert failure(head, Key=key, IfMatch='"other"') == (412, "412")


def test_every_key_is_asked_for_as_it_is_spelled(s3_bucket: Bucket) -> None:
    with recording(s3_bucket.server.port) as live, gateway(live.endpoint, s3_bucket.name) as server:
        for key in ODD:
            target = f"/bucket/{quote(key, safe='/')}"
            status = server.ask(target).status
            assert status in {200, 404}
            assert live.seen[-1].path == f"/{s3_bucket.name}/{quote(key, safe='-_.~/')}"


def test_odd_keys_are_listed_and_read(s3_bucket: Bucket) -> None:
    for key in ODD:
        s3_bucket.client.put_object(Bucket=s3_bucket.name, Key=f"live/{key}", Body=key.encode())
    with gateway(s3_bucket.server.endpoint, s3_bucket.name, source_prefix=b"live/") as server:
        listed = [entry["Key"] for entry in server.s3.list_objects_v2(Bucket="bucket")["Contents"]]
        assert listed == sorted([*ODD, *BOUND], key=str.encode)
        for key in ODD:
            answer = server.ask(f"/bucket/{quote(key, safe='')}")
            assert (answer.status, answer.body) == (200, key.encode())
    s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="live/ctrl\x01\x1f")  # no document of DeleteObjects can name it


def test_the_aws_command_line_syncs_both_sides_and_then_nothing(server: GatewayServer, tmp_path: Path) -> None:
    assert aws(server, "sync", "s3://bucket/", str(tmp_path)).count("download:") == len(VISIBLE)
    assert files(tmp_path) == VISIBLE
    assert aws(server, "sync", "s3://bucket/", str(tmp_path)) == ""


def test_the_loose_object_is_served_where_the_live_side_wins(s3_bucket: Bucket) -> None:
    for key, body in LOOSE.items():
        s3_bucket.put(key, body)
    with gateway(s3_bucket.server.endpoint, s3_bucket.name, winner=Winner.LIVE) as server:
        assert server.s3.get_object(Bucket="bucket", Key="2026/02/both.log")["Body"].read() == b"loose both\n"
        assert server.s3.get_object(Bucket="bucket", Key="2026/01/bound.log")["Body"].read() == b"bound\n"
        sizes = {entry["Key"]: entry["Size"] for entry in server.s3.list_objects_v2(Bucket="bucket")["Contents"]}
        assert sizes["2026/02/both.log"] == len(b"loose both\n")


def test_a_call_costs_one_live_request_at_most(s3_bucket: Bucket) -> None:
    for key, body in LOOSE.items():
        s3_bucket.put(key, body)
    with recording(s3_bucket.server.port) as live, gateway(live.endpoint, s3_bucket.name) as server:
        server.ask("/bucket/2026/01/bound.log")
        assert live.seen == []
        server.ask("/bucket/2026/01/loose.log", headers={"Range": "bytes=0-1", "X-Amz-Checksum-Mode": "enabled", "X-Other": "1"})
        server.ask("/bucket/absent", "HEAD")
        server.ask("/bucket?list-type=2&max-keys=3&prefix=2026%2F&delimiter=%2F")
        assert [(seen.method, seen.path.partition("?")[0]) for seen in live.seen] == [
            ("GET", f"/{s3_bucket.name}/2026/01/loose.log"),
            ("HEAD", f"/{s3_bucket.name}/absent"),
            ("GET", f"/{s3_bucket.name}/"),
        ]
        assert {name for name in live.seen[0].headers if name not in {"host", "authorization"}} == {
            "range",
            "x-amz-checksum-mode",
            "x-amz-content-sha256",
            "x-amz-date",
        }
        assert live.seen[2].path.endswith("?delimiter=%2F&encoding-type=url&list-type=2&max-keys=3&prefix=2026%2F")


REFUSAL = (
    b"<?xml version='1.0'?><Error><Code>%s</Code><Message>so &amp; so</Message><Key>secret/key</Key><BucketName>secret</BucketName>"
    b"<RequestId>theirs</RequestId></Error>"
)


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (503, "SlowDown"), (403, "InvalidObjectState")])
def test_errors_of_the_store_come_through_with_a_request_id_of_ours(status: int, code: str) -> None:
    refusal = Reply(status, {"x-amz-request-id": "theirs"}, REFUSAL % code.encode())
    with scripted(refusal) as live, gateway(live.endpoint, "secret") as server:
        for target in ("/bucket/absent", "/bucket?list-type=2"):
            answer = server.ask(target)
            assert answer.status == status
            assert f"<Code>{code}</Code><Message>so &amp; so</Message>".encode() in answer.body
            assert f"<RequestId>{answer.headers['x-amz-request-id']}</RequestId>".encode() in answer.body
            assert b"secret" not in answer.body
            assert b"theirs" not in answer.body
        assert server.ask("/bucket/absent", "HEAD").status == status
        assert server.ask("/bucket/2026/01/bound.log").body == b"bound\n"


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(301, {"Location": "https://elsewhere/"}, b""), (503, "ServiceUnavailable")),
        (Reply(404, {}, REFUSAL % b"NoSuchBucket"), (503, "ServiceUnavailable")),
        (Reply(403, {}, REFUSAL % b"SignatureDoesNotMatch"), (403, "AccessDenied")),
        (Reply(502, {}, b"<html>a proxy's page"), (502, "InternalError")),
        (Reply(200, {}, b"<html>a proxy's page"), (503, "ServiceUnavailable")),
        (Reply(200, {}, b"<ListBucketResult>", 1000), (503, "ServiceUnavailable")),
    ],
)
def test_faults_of_ours_are_told_as_such(reply: Reply, told: tuple[int, str]) -> None:
    with scripted(reply) as live, gateway(live.endpoint, "live") as server:
        answer = server.ask("/bucket?list-type=2")
        assert (answer.status, f"<Code>{told[1]}</Code>".encode() in answer.body) == (told[0], True)


def test_a_store_that_cannot_be_reached_is_503_and_what_is_bound_is_served() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with gateway(f"http://127.0.0.1:{port}", "live") as server:
        assert server.ask("/bucket/absent").status == 503
        assert server.ask("/bucket/2026/01/bound.log").status == 200


def test_a_body_that_breaks_off_is_cut_off() -> None:
    short = Reply(200, {"ETag": '"e"'}, b"x" * 1000, 2000)
    with scripted(short) as live, gateway(live.endpoint, "live") as server, pytest.raises(IncompleteRead):
        server.ask("/bucket/loose")


def test_a_kept_connection_that_the_store_closed_is_replaced() -> None:
    """The store says that it keeps the connection, and closes it all the same."""
    answer = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 5\r\n\r\nwhole'
    recorder = Recorder([answer], closes=True)
    try:
        with gateway(f"http://{recorder.host}", "live") as server:
            for _ in range(5):
                assert server.ask("/bucket/loose").body == b"whole"
        assert len(recorder.connections) == 5
    finally:
        recorder.close()


def test_a_large_object_is_streamed_and_a_client_that_leaves_ends_it(s3_bucket: Bucket) -> None:
    body = bytes(range(256)) * (64 << 10)
    s3_bucket.put("large", body)
    with gateway(s3_bucket.server.endpoint, s3_bucket.name) as server:
        assert server.s3.get_object(Bucket="bucket", Key="large")["Body"].read() == body
        with socket.create_connection(("127.0.0.1", server.port)) as leaver:
            leaver.sendall(b"GET /bucket/large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert leaver.recv(1 << 10)
        assert server.s3.get_object(Bucket="bucket", Key="large", Range="bytes=-1")["Body"].read() == body[-1:]


def test_a_live_prefix_needs_a_mount() -> None:
    service = service_over(mount("bucket"))
    with pytest.raises(SettingInvalid, match="no mount above"):
        open_live_side(service, [LivePlace("other", b"", "live", b"")], Winner.BOUND, {})

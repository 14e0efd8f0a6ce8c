"""Large answers: whole, cut off when an archive changes, given up when the client leaves."""

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from indexer.asks import Head, Tail
from indexer.limits import MIB
from indexer.model import Identity, Span
from indexer.source.memory import AsyncMemorySource
from tests.object_lambda.made_archives import ARCHIVE, mount, put_archive, service_over
from tests.servers.gateway import GatewayServer, running_gateway
from tests.servers.process import HOST

LARGE = bytes(range(251)) * (70 * MIB // 251)


class WatchedSource:
    """Tells how much was read of archives, and calls `before_read` first."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.source = AsyncMemorySource(objects)
        self.read_bytes = 0
        self.reads = 0
        self.before_read: Any = lambda: None

    async def head(self, url: str) -> Head:
        return await self.source.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        return await self.source.tail(url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        if of.url == ARCHIVE:
            self.reads += 1
            self.before_read()
        found = await self.source.read(of, spans)
        self.read_bytes += sum(map(len, found))
        return found


@contextmanager
def serving(contents: dict[str, bytes]) -> Iterator[tuple[GatewayServer, WatchedSource]]:
    objects: dict[str, bytes] = {}
    put_archive(objects, contents)
    source = WatchedSource(objects)
    with running_gateway(service_over(mount("bucket")), source) as server:
        yield server, source


def test_a_large_member_comes_whole_and_its_range_reads_no_more_than_it_needs() -> None:
    with serving({"large": LARGE}) as (server, source):
        got = server.ask("/bucket/large")
        assert got.headers["content-length"] == str(len(LARGE))
        assert got.body == LARGE
        source.read_bytes = 0
        part = server.ask("/bucket/large", headers={"Range": f"bytes={40 * MIB}-{41 * MIB - 1}"})
        assert part.body == LARGE[40 * MIB : 41 * MIB]
        assert source.read_bytes == MIB


@pytest.mark.parametrize("validation", ["when_supported", "when_required"])
@pytest.mark.parametrize("key", ["large", "small", "empty"])
def test_boto3_downloads_in_parallel_ranges(key: str, validation: Any, tmp_path: Path) -> None:
    contents = {"large": LARGE, "small": b"x", "empty": b""}
    with serving(contents) as (server, _):
        client = boto3.session.Session().client(
            "s3",
            endpoint_url=server.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(response_checksum_validation=validation, retries={"total_max_attempts": 1}),
        )
        client.download_file("bucket", key, str(tmp_path / "file"), Config=TransferConfig(max_concurrency=4))
    assert (tmp_path / "file").read_bytes() == contents[key]


def test_an_archive_replaced_in_the_middle_of_a_body_cuts_it_off(caplog: pytest.LogCaptureFixture) -> None:
    with serving({"large": LARGE}) as (server, source):

        def replace_at_the_third_read() -> None:
            if source.reads == 3:
                put_archive(source.objects, {"large": LARGE[::-1]})

        source.before_read = replace_at_the_third_read
        connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        connection.request("GET", "/bucket/large")
        answer = connection.getresponse()
        assert answer.status == 200
        with pytest.raises(http.client.IncompleteRead) as caught:
            answer.read()
        connection.close()
        assert LARGE.startswith(caught.value.partial)
        assert len(caught.value.partial) < len(LARGE)
        source.before_read = lambda: None
        assert server.ask("/bucket/large").body == LARGE[::-1]
        assert "bindery_broken_bodies_total 1" in server.ask("/metrics").body.decode()
    assert "cut off" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_client_that_leaves_stops_the_reading() -> None:
    with serving({"large": LARGE}) as (server, source):
        with socket.create_connection((HOST, server.port)) as client:
            client.sendall(b"GET /bucket/large HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert server.ask("/metrics").body
    # The server has ended by itself, so nothing is being read any more.
    assert source.read_bytes < len(LARGE) // 2


def test_a_damaged_small_member_is_an_error_the_client_can_read() -> None:
    with serving({"small": b"hello"}) as (server, source):
        etag_kept = AsyncMemorySource(dict(source.objects))
        damaged = source.objects[ARCHIVE].replace(b"hello", b"jello")

        async def read(of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            if of.url == ARCHIVE:
                return [damaged[start:stop] for start, stop in spans]
            return await etag_kept.read(of, spans)

        source.read = read  # type: ignore[method-assign]
        got = server.ask("/bucket/small")
        assert (got.status, b"<Code>InternalError</Code>" in got.body) == (500, True)

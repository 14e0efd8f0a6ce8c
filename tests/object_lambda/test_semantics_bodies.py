"""What docs/semantics.md claims about bodies that turn out to be wrong while they are read, over the wire."""

import http.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from xml.etree import ElementTree as ET

import pytest

from indexer.errors import StoreFailed
from indexer.limits import MIB
from indexer.model import Identity, Span
from indexer.source.memory import AsyncMemorySource
from object_lambda.service import HELD_BYTES
from tests.object_lambda.made_archives import ARCHIVE, mount, put_archive, service_over
from tests.servers.gateway import GatewayServer, running_gateway
from tests.servers.process import HOST

SHORT = b"0123456789" * 100
LONG = bytes(range(256)) * 4096 * 40
assert len(SHORT) <= HELD_BYTES < len(LONG)


class Failing(AsyncMemorySource):
    """Answers as ever, and does to what it has read of the archive what the test wants."""

    def __init__(self, objects: dict[str, bytes], spoil: Callable[[Span, bytes], bytes]) -> None:
        super().__init__(objects)
        self.spoil = spoil

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        data = await super().read(of, spans)
        return [self.spoil(span, one) if of.url == ARCHIVE else one for span, one in zip(spans, data, strict=True)]


@contextmanager
def serving(spoil: Callable[[Span, bytes], bytes]) -> Iterator[GatewayServer]:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"short": SHORT, "long": LONG})
    with running_gateway(service_over(mount("bucket")), Failing(objects, spoil)) as server:
        yield server


def test_damage_in_a_short_body_is_an_error_with_a_code() -> None:
    with serving(lambda _, data: data.replace(b"5", b"6")) as server:
        got = server.ask("/bucket/short")
    assert got.status == 500
    assert ET.fromstring(got.body).findtext("Code") == "InternalError"
    assert "content-range" not in got.headers


def test_a_long_body_that_fails_is_cut_off_and_what_came_is_right() -> None:
    def until_24_mib(span: Span, data: bytes) -> bytes:
        if span.stop > 24 * MIB:
            raise StoreFailed("the line broke")
        return data

    with serving(until_24_mib) as server:
        connection = http.client.HTTPConnection(HOST, server.port, timeout=30)
        try:
            connection.request("GET", "/bucket/long")
            response = connection.getresponse()
            assert (response.status, response.getheader("Content-Length")) == (200, str(len(LONG)))
            with pytest.raises(http.client.IncompleteRead) as cut:
                response.read()
        finally:
            connection.close()
        assert server.ask("/bucket/short").body == SHORT
    assert 8 * MIB <= len(cut.value.partial) < len(LONG)
    assert LONG.startswith(cut.value.partial)

"""Objects of a bucket that are asked for together are under way at the same time, and each is held to its version."""

import asyncio
import threading

import pytest

from indexer.asks import Need
from indexer.errors import ObjectReplaced
from indexer.model import Identity, Span
from indexer.source.connect import Stores
from indexer.source.store import StoreSource
from indexer.source.store_async import AsyncStoreSource
from indexer.source.together import read_together
from indexer.source.together_async import read_together_async
from tests.indexer.source.test_store import quick
from tests.servers.http import HttpServer, Reply, Seen

NEEDS = (
    Need(Identity("s3://bucket/archive", "abc", 100), (Span(2, 5), Span(7, 9))),
    Need(Identity("s3://bucket/index", "abc", 100), (Span(40, 50),)),
)
DATA = bytes(range(100))


def part(seen: Seen) -> Reply:
    first, _, last = seen.headers["range"].removeprefix("bytes=").partition("-")
    start, stop = int(first), int(last) + 1
    headers = {
        "ETag": '"abc"',
        "Last-Modified": "Fri, 20 Nov 2026 08:28:50 GMT",
        "Content-Range": f"bytes {start}-{stop - 1}/100",
    }
    return Reply(206, headers, DATA[start:stop])


def read_both(face: str, stores: Stores) -> list[list[bytes]]:
    if face == "sync":
        return read_together(StoreSource(stores), NEEDS)
    return asyncio.run(read_together_async(AsyncStoreSource(stores), NEEDS))


@pytest.mark.parametrize("face", ["sync", "async"])
def test_neither_object_is_waited_for_before_the_other_is_asked(face: str) -> None:
    both_asked = threading.Barrier(2)

    def answer(seen: Seen, body: bytes) -> Reply:
        both_asked.wait(60)
        return part(seen)

    server = HttpServer(answer)
    try:
        answers = read_both(face, quick(server.endpoint))
    finally:
        server.close()
    assert answers == [[DATA[2:5], DATA[7:9]], [DATA[40:50]]]
    assert sorted(seen.headers["range"] for seen in server.seen) == ["bytes=2-8", "bytes=40-49"]
    assert {seen.headers["if-match"] for seen in server.seen} == {'"abc"'}


@pytest.mark.parametrize("face", ["sync", "async"])
def test_one_that_was_replaced_fails_both(face: str) -> None:
    def answer(seen: Seen, body: bytes) -> Reply:
        return Reply(412, {}, b"") if "index" in seen.path else part(seen)

    server = HttpServer(answer)
    try:
        with pytest.raises(ObjectReplaced):
            read_both(face, quick(server.endpoint))
    finally:
        server.close()

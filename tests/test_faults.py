"""The failing source fails as planned, so that tests built on it mean what they say."""

import asyncio
import threading

import pytest

from indexer.errors import StoreFailed
from indexer.model import Span
from indexer.source.memory import AsyncMemorySource, MemorySource
from tests.faults import FINE, AsyncFaultySource, FaultySource, does, etag_becomes, fails, flipped, truncated, waits_for

URL = "s3://bucket/key"
DATA = bytes(range(100))
FAILED = StoreFailed("planned")


def test_faults_happen_in_their_order_and_then_no_more() -> None:
    source = FaultySource(MemorySource({URL: DATA}), [FINE, fails(FAILED), truncated(2), flipped(-1), etag_becomes("other")])
    of = source.head(URL).identity
    with pytest.raises(StoreFailed):
        source.read(of, (Span(0, 4),))
    assert source.read(of, (Span(0, 4), Span(4, 5))) == [DATA[:2], b""]
    assert source.read(of, (Span(0, 4), Span(9, 9))) == [DATA[:3] + b"\x02", b""]
    assert source.tail(URL, 1).identity.etag == "other"
    assert source.tail(URL, 1).identity == of
    assert [ask.kind for ask in source.asks] == ["head", "read", "read", "read", "tail", "tail"]


def test_an_object_may_be_replaced_just_before_an_ask() -> None:
    objects = {URL: DATA}
    source = FaultySource(MemorySource(objects), [FINE, does(lambda: objects.update({URL: b"new"}))])
    assert source.tail(URL, 200).data == DATA
    assert source.tail(URL, 200).data == b"new"


def test_an_ask_may_wait_for_the_test() -> None:
    go_on = threading.Event()
    source = FaultySource(MemorySource({URL: DATA}), [waits_for(go_on)])
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(source.tail(URL, 1).data))
    thread.start()
    assert got == []
    go_on.set()
    thread.join(timeout=60)
    assert got == [DATA[-1:]]


def test_the_face_for_a_loop_fails_alike() -> None:
    async def asked() -> tuple[bytes, str, int]:
        source = AsyncFaultySource(AsyncMemorySource({URL: DATA}), [etag_becomes("other"), flipped(0), fails(FAILED)])
        etag = (await source.head(URL)).identity.etag
        data = (await source.tail(URL, 2)).data
        with pytest.raises(StoreFailed):
            await source.head(URL)
        of = (await source.head(URL)).identity
        await source.read(of, (Span(0, 1),))
        return data, etag, len(source.asks)

    assert asyncio.run(asked()) == (bytes([98 ^ 1, 99]), "other", 5)

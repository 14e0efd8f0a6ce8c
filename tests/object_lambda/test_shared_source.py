"""What is asked for at the same time is asked of the store once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from indexer.asks import Head, Tail
from indexer.errors import BinderyError, StoreFailed
from indexer.model import Identity, Span
from object_lambda.shared_source import SHARED_BYTES, SharedSource

IDENTITY = Identity("s3://bucket/key", "etag", 10 * SHARED_BYTES)


class WaitingSource:
    """Answers nothing before it is let go, then fails or answers; counts what it was asked."""

    def __init__(self, error: BinderyError | None = None) -> None:
        self.go = asyncio.Event()
        self.asked = 0
        self.error = error

    async def _wait(self) -> None:
        self.asked += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error

    async def head(self, url: str) -> Head:
        await self._wait()
        return Head(IDENTITY, 0)

    async def tail(self, url: str, length: int) -> Tail:
        await self._wait()
        return Tail(IDENTITY, b"x" * length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        await self._wait()
        return [b"x" * span.length for span in spans]


ASKS: list[Callable[[SharedSource], Coroutine[Any, Any, Any]]] = [
    lambda source: source.tail(IDENTITY.url, 10),
    lambda source: source.read(IDENTITY, (Span(0, 5), Span(7, 9))),
]


@pytest.mark.parametrize("ask", ASKS)
def test_many_waiters_share_one_fetch_and_nothing_is_kept(ask: Callable[[SharedSource], Coroutine[Any, Any, Any]]) -> None:
    async def scene() -> None:
        store = WaitingSource()
        source = SharedSource(store)
        waiters = [asyncio.create_task(ask(source)) for _ in range(20)]
        await asyncio.sleep(0)
        store.go.set()
        answers = await asyncio.gather(*waiters)
        assert (store.asked, len({str(answer) for answer in answers})) == (1, 1)
        await ask(source)
        assert store.asked == 2

    asyncio.run(scene())


def test_a_failure_is_told_to_every_waiter_and_not_kept() -> None:
    async def scene() -> None:
        store = WaitingSource(StoreFailed("down"))
        source = SharedSource(store)
        waiters = [asyncio.create_task(source.head("s3://bucket/key")) for _ in range(3)]
        await asyncio.sleep(0)
        store.go.set()
        failures = await asyncio.gather(*waiters, return_exceptions=True)
        assert [type(failure) for failure in failures] == [StoreFailed] * 3
        store.error = None
        assert (await source.head("s3://bucket/key")).identity == IDENTITY

    asyncio.run(scene())


def test_a_waiter_that_leaves_does_not_take_the_fetch_along() -> None:
    async def scene() -> None:
        store = WaitingSource()
        source = SharedSource(store)
        leaver, stayer = (asyncio.create_task(source.tail("s3://bucket/key", 4)) for _ in range(2))
        await asyncio.sleep(0)
        leaver.cancel()
        store.go.set()
        assert (await stayer).data == b"xxxx"
        assert (leaver.cancelled(), store.asked) == (True, 1)

    asyncio.run(scene())


def test_a_large_read_is_the_readers_own() -> None:
    async def scene() -> None:
        store = WaitingSource()
        source = SharedSource(store)
        spans = (Span(0, SHARED_BYTES), Span(SHARED_BYTES, SHARED_BYTES + 1))
        waiters = [asyncio.create_task(source.read(IDENTITY, spans)) for _ in range(2)]
        await asyncio.sleep(0)
        store.go.set()
        await asyncio.gather(*waiters)
        assert store.asked == 2

    asyncio.run(scene())

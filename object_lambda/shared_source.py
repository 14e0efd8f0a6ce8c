"""One fetch for many waiters: what several requests ask for at the same time is asked of the store once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, Final, TypeVar

from indexer.asks import Head, Tail
from indexer.limits import MIB
from indexer.model import Identity, Span
from indexer.source import AsyncSource

T = TypeVar("T")

SHARED_BYTES: Final = 1 * MIB
"""Longer reads are not shared: they are pieces of large bodies, which seldom meet and must end when their client leaves."""


class SharedSource:
    """An `AsyncSource` over another one; all its readers are tasks of one event loop.

    A fetch is a task of its own: a reader that is cancelled leaves it running for the others. Nothing is kept once it is over.
    A HEAD is not shared: who asks what is there now must not be told what was there when somebody else asked (`Roots.doubt`).

    Args:
        source: Is asked.
    """

    def __init__(self, source: AsyncSource) -> None:
        self._source = source
        self._flights: dict[Hashable, asyncio.Task[Any]] = {}

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        return await self._source.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return await self._share(("tail", url, length), lambda: self._source.tail(url, length))

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        if sum(span.length for span in spans) > SHARED_BYTES:
            return await self._source.read(of, spans)
        return await self._share((of, spans), lambda: self._source.read(of, spans))

    async def _share(self, key: Hashable, fetch: Callable[[], Coroutine[Any, Any, T]]) -> T:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.get_running_loop().create_task(fetch())
            flight.add_done_callback(partial(self._landed, key))
        answer: T = await asyncio.shield(flight)
        return answer

    def _landed(self, key: Hashable, flight: asyncio.Task[Any]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # seen, even when every reader was cancelled meanwhile

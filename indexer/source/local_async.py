"""Local files on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from indexer.source.local import LocalSource

if TYPE_CHECKING:
    from indexer.asks import Head, Tail
    from indexer.model import Identity, Span


class AsyncLocalSource:
    """As `LocalSource`; each ask is answered in a thread.

    A read that is not in the page cache, or on a network disk, takes milliseconds, in which the loop would serve no one. The
    thread costs about 0.1 ms, the read itself 0.01 ms.
    """

    def __init__(self) -> None:
        self._source = LocalSource()

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        return await asyncio.to_thread(self._source.head, url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return await asyncio.to_thread(self._source.tail, url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        return await asyncio.to_thread(self._source.read, of, spans)

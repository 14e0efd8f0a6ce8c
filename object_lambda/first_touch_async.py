"""As `first_touch`, on an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial

from indexer.asks import Head, Tail
from indexer.model import Identity, Span
from indexer.source import AsyncSource
from indexer.source.local_async import AsyncLocalSource
from object_lambda.first_touch import TOUCH


class AsyncTouchingSource:
    """As `first_touch.TouchingSource`. An index is made in a thread, once for all tasks that wait for it.

    Args:
        source: Is asked for everything else.
        folder: As for `TouchingSource`.
        ensure: As for `TouchingSource`; called in a thread.
        threads: Where they are made.
    """

    def __init__(self, source: AsyncSource, *, folder: str, ensure: Callable[[str], str], threads: Executor) -> None:
        self._source = source
        self._made_here = f"file://{folder}/"
        self._ensure = ensure
        self._threads = threads
        self._local = AsyncLocalSource()
        self._making: dict[str, asyncio.Future[str]] = {}

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        return await self._source.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `TouchingSource.tail`."""
        if not url.startswith(TOUCH):
            return await self._source.tail(url, length)
        making = self._making.get(url)
        if making is None:
            loop = asyncio.get_running_loop()
            making = loop.run_in_executor(self._threads, self._ensure, url.removeprefix(TOUCH))
            self._making[url] = making
            making.add_done_callback(partial(self._made, url))
        return await self._local.tail(await asyncio.shield(making), length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `TouchingSource.read`."""
        if of.url.startswith(self._made_here):
            return await self._local.read(of, spans)
        return await self._source.read(of, spans)

    def _made(self, url: str, making: asyncio.Future[str]) -> None:
        del self._making[url]
        if not making.cancelled():
            making.exception()  # seen, even when nobody waits any more

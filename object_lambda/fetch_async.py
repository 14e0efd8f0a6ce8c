"""As `fetch`, on an event loop."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING

from object_lambda import fetch_units
from object_lambda.fetch import check_lengths

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from concurrent.futures import Executor

    from indexer.asks import Head, Tail
    from indexer.model import Identity, Span
    from indexer.source import AsyncSource
    from object_lambda.cache import Cache
    from object_lambda.fetch_lock import FetchLock


class AsyncCachedSource:
    """An `AsyncSource` over another one; all its readers are tasks of one event loop.

    A fetch is a task of its own: a reader that is cancelled leaves it running for the others, and for the cache.

    Args:
        source: Where bytes come from when they are not at hand.
        cache: Where they are kept.
        unit_bytes: Longer spans are cut into units of this length; at most `cache_unit.UNIT_BYTES_MOST`.
        threads: Reads and writes the cache, which on a network disk takes milliseconds.
        lock: Keeps other processes from fetching the same; None when no other process shares the cache.
        pause: Waits for so many seconds (`asyncio.sleep`).
    """

    def __init__(
        self,
        source: AsyncSource,
        cache: Cache,
        *,
        unit_bytes: int,
        threads: Executor,
        lock: FetchLock | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._cache = cache
        self._unit_bytes = unit_bytes
        self._threads = threads
        self._lock = lock
        self._pause = pause
        self._flights: dict[tuple[Identity, Span], asyncio.Task[dict[Span, bytes]]] = {}

    async def head(self, url: str) -> Head:
        """As `Source.head`; never cached."""
        return await self._source.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`; never cached."""
        return await self._source.tail(url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `CachedSource.read`."""
        plan = fetch_units.plan(spans, self._unit_bytes)
        found = await self._look(of, plan.units)
        flights = self._join(of, [unit for unit in plan.units if unit not in found])
        for unit, flight in flights.items():
            found[unit] = (await asyncio.shield(flight))[unit]
        return plan.answer(found)

    async def finish(self) -> None:
        """Wait for the fetches under way; call it before the loop ends."""
        await asyncio.gather(*self._flights.values(), return_exceptions=True)

    def _join(self, of: Identity, units: Sequence[Span]) -> dict[Span, asyncio.Task[dict[Span, bytes]]]:
        """The fetch of each unit: one that is under way, or the one that is begun here for all the others."""
        mine = [unit for unit in units if (of, unit) not in self._flights]
        if mine:
            task = asyncio.get_running_loop().create_task(self._fetch(of, mine))
            self._flights.update(((of, unit), task) for unit in mine)
            task.add_done_callback(functools.partial(self._landed, of, mine))
        return {unit: self._flights[of, unit] for unit in units}

    async def _fetch(self, of: Identity, units: list[Span]) -> dict[Span, bytes]:
        try:
            if self._lock is not None:
                for pause_s in self._lock.attempts(of, units[0]):
                    await self._pause(pause_s)
            # Between the reader's look and this task another one may have ended; while we waited, another process.
            found = await self._look(of, units)
            missing = tuple(unit for unit in units if unit not in found)
            fetched = dict(zip(missing, await self._source.read(of, missing), strict=True)) if missing else {}
            check_lengths(of, fetched)
            if fetched:
                await self._keep(of, fetched)
            return found | fetched
        finally:
            if self._lock is not None:
                self._lock.release(of, units[0])

    def _landed(self, of: Identity, units: Sequence[Span], task: asyncio.Task[dict[Span, bytes]]) -> None:
        """Take a task that is over off the board. Not done by the task itself, which may be cancelled before it starts."""
        for unit in units:
            del self._flights[of, unit]
        if not task.cancelled():
            task.exception()  # seen, even when every reader was cancelled meanwhile

    async def _look(self, of: Identity, units: Sequence[Span]) -> dict[Span, bytes]:
        def look() -> dict[Span, bytes]:
            return {unit: data for unit in units if (data := self._cache.get(of, unit)) is not None}

        return await asyncio.get_running_loop().run_in_executor(self._threads, look)

    async def _keep(self, of: Identity, fetched: dict[Span, bytes]) -> None:
        def keep() -> None:
            for unit, data in fetched.items():
                self._cache.put(of, unit, data)

        await asyncio.get_running_loop().run_in_executor(self._threads, keep)

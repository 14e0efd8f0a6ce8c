"""A source that remembers: units come out of the cache, what is missing is fetched once however many want it.

`head` and `tail` go through to the store: they tell which version is there now. What is read of a version never changes, and is
cached without a time limit. For an event loop there is `fetch_async`.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from indexer.errors import StoreFailed
from object_lambda import fetch_units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from indexer.asks import Head, Need, Tail
    from indexer.model import Identity, Span
    from indexer.source import Source
    from object_lambda.cache import Cache
    from object_lambda.fetch_lock import FetchLock
    from object_lambda.fetch_units import UnitPlan


class Flight:
    """A fetch of one unit that is under way.

    Attributes:
        landed: Set once it is over. With neither `data` nor `error` then, its fetcher was interrupted (not: failed).
    """

    __slots__ = ("data", "error", "landed")

    def __init__(self) -> None:
        self.landed = threading.Event()
        self.data: bytes | None = None
        self.error: Exception | None = None


class CachedSource:
    """A `Source` over another one, safe for threads.

    Args:
        source: Where bytes come from when they are not at hand.
        cache: Where they are kept.
        unit_bytes: Longer spans are cut into units of this length; at most `cache_unit.UNIT_BYTES_MOST`.
        lock: Keeps other processes from fetching the same; None when no other process shares the cache.
        pause: Waits for so many seconds (`time.sleep`).
    """

    def __init__(
        self,
        source: Source,
        cache: Cache,
        *,
        unit_bytes: int,
        lock: FetchLock | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._source = source
        self._cache = cache
        self._unit_bytes = unit_bytes
        self._lock = lock
        self._pause = pause
        self._board = threading.Lock()
        self._flights: dict[tuple[Identity, Span], Flight] = {}

    def head(self, url: str) -> Head:
        """As `Source.head`; never cached."""
        return self._source.head(url)

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`; never cached."""
        return self._source.tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`, with one call to the inner source for all units that nobody has, nor is fetching.

        Raises:
            What the inner source raised, for every reader that waited for that fetch. The next read tries again.
        """
        plan = fetch_units.plan(spans, self._unit_bytes)
        found = self._look(of, plan.units)
        return self._completed(of, plan, found)

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`: where more than one has to be fetched, each is fetched in a thread of its own."""
        plans = [fetch_units.plan(need.spans, self._unit_bytes) for need in needs]
        found = [self._look(need.of, plan.units) for need, plan in zip(needs, plans, strict=True)]
        of = [need.of for need in needs]
        if sum(len(units) < len(plan.units) for units, plan in zip(found, plans, strict=True)) <= 1:
            return [self._completed(*each) for each in zip(of, plans, found, strict=True)]
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, for kinds that need contexts only

        with ThreadPoolExecutor(len(needs), thread_name_prefix="bindery-together") as threads:
            return list(threads.map(self._completed, of, plans, found))

    def _completed(self, of: Identity, plan: UnitPlan, found: dict[Span, bytes]) -> list[bytes]:
        """Answer an ask: what is not `found` is fetched, or waited for."""
        missing = [unit for unit in plan.units if unit not in found]
        while missing:
            mine, others = self._join(of, missing)
            if mine:
                found.update(self._fetch(of, mine))
            missing = []
            for unit, flight in others:
                flight.landed.wait()
                if flight.error is not None:
                    raise flight.error
                if flight.data is None:
                    missing.append(unit)
                else:
                    found[unit] = flight.data
        return plan.answer(found)

    def _look(self, of: Identity, units: Iterable[Span]) -> dict[Span, bytes]:
        return {unit: data for unit in units if (data := self._cache.get(of, unit)) is not None}

    def _join(self, of: Identity, units: Sequence[Span]) -> tuple[dict[Span, Flight], list[tuple[Span, Flight]]]:
        """New flights for the units that nobody is fetching, and the flights of the others."""
        mine: dict[Span, Flight] = {}
        others: list[tuple[Span, Flight]] = []
        with self._board:
            for unit in units:
                flight = self._flights.get((of, unit))
                if flight is None:
                    mine[unit] = self._flights[of, unit] = Flight()
                else:
                    others.append((unit, flight))
        return mine, others

    def _fetch(self, of: Identity, flights: dict[Span, Flight]) -> dict[Span, bytes]:
        """Fetch the units of `flights`, and land these whatever happens."""
        first = next(iter(flights))
        try:
            if self._lock is not None:
                for pause_s in self._lock.attempts(of, first):
                    self._pause(pause_s)
            # Between our look and our flight another thread may have landed one; while we waited, another process.
            found = self._look(of, flights)
            missing = tuple(unit for unit in flights if unit not in found)
            fetched = dict(zip(missing, self._source.read(of, missing), strict=True)) if missing else {}
            check_lengths(of, fetched)
            found.update(fetched)
            for unit, flight in flights.items():
                flight.data = found[unit]
                flight.landed.set()
            # Still on the board: who comes before the unit is in the cache takes it from the flight.
            for unit, data in fetched.items():
                self._cache.put(of, unit, data)
        except Exception as error:
            for flight in flights.values():
                flight.error = error
            raise
        else:
            return found
        finally:
            with self._board:
                for unit, flight in flights.items():
                    del self._flights[of, unit]
                    flight.landed.set()
            if self._lock is not None:
                self._lock.release(of, first)


def check_lengths(of: Identity, fetched: dict[Span, bytes]) -> None:
    """Let nothing short or long into the cache.

    Raises:
        StoreFailed: A span was not answered in full.
    """
    for unit, data in fetched.items():
        if len(data) != unit.length:
            raise StoreFailed("the store answered with another length than was asked for", object=of.url, offset=unit.start)

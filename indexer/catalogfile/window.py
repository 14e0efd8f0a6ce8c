"""Windows over a catalog: the members of many archives in the order of their keys, as lazily as the pages of one.

Pages are taken in the order of the keys they begin with, over all archives, until those that are surely whole hold enough. Which
they are is known before anything is read: the catalog tells every page's first key and number of members. They are all asked for
in one step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush

from indexer.abreast import abreast
from indexer.asks import Steps
from indexer.catalogfile.answers import Window
from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.merge import from_to, merged
from indexer.catalogfile.reader import Catalog
from indexer.catalogfile.shelf import Bound, Shelf
from indexer.indexfile.page import Page
from indexer.limits import WINDOW_PAGES
from indexer.model import Member

Spell = Callable[[CatalogEntry, Sequence[Member]], Sequence[Member]]
"""Gives members of an archive the names under which they are merged (their keys)."""


def with_keys(entry: CatalogEntry, members: Sequence[Member]) -> Sequence[Member]:
    """Give members their keys for names."""
    prefix = entry.prefix
    # A third of the time that _replace takes, for each of a thousand keys of a page.
    return [Member._make((prefix + member[0], *member[1:])) for member in members] if prefix else members


def window(catalog: Catalog, start: bytes, want: int, spell: Spell = with_keys) -> Steps[Window]:
    """Read members in the order of their keys.

    Args:
        catalog: Over its archives.
        start: The least key wanted.
        want: How many are wanted, at least 1.
        spell: Gives members their keys, and whatever else of them depends on the archive.

    Returns:
        Members with keys >= `start`, each key once and from the newest archive that has it: about `want` of them. Fewer only where
        archives have keys in common, or so small archives that `WINDOW_PAGES` do not hold as many: `next` goes on there.

    Raises:
        CatalogDamaged, IndexDamaged: What was read does not prove itself.
        ObjectReplaced, ObjectMissing: An index is not as the catalog tells.

    Cost:
        One dependent step: for each archive whose keys are told, one request for those of its pages that are not known. Shelves
        and indexes as in `Catalog.find`.
    """
    taking = _Taking(catalog, start)
    yield from taking.begin()
    stop = yield from taking.take(want)
    taken = sorted(taking.taken.values(), key=lambda one: one.bound.entry.sequence)
    pages = yield from abreast([one.bound.index.read_pages(one.first, one.count) for one in taken])
    runs = [_keys(one.bound.entry, its, start, stop, spell) for one, its in zip(taken, pages, strict=True)]
    return Window(merged(runs), stop)


def _keys(entry: CatalogEntry, pages: Sequence[Page], start: bytes, stop: bytes | None, spell: Spell) -> Sequence[Member]:
    """The members of one archive's pages that belong to the window."""
    members = [member for page in pages for member in page.members()]
    prefix = entry.prefix
    # A bound that does not begin with the prefix lies before or behind all of the archive's keys.
    least = start[len(prefix) :] if start.startswith(prefix) else b""
    most = stop[len(prefix) :] if stop is not None and stop.startswith(prefix) else None
    return spell(entry, from_to(members, least, most))


class _Taken:
    """Pages of one archive that a window takes: `count` of them from `first` on."""

    __slots__ = ("bound", "count", "first")

    def __init__(self, bound: Bound, first: int) -> None:
        self.bound, self.first, self.count = bound, first, 0

    def key(self, number: int) -> bytes:
        """What the keys of a page are not less than; behind the last page, of all following ones."""
        entry, keys = self.bound.entry, self.bound.table.keys
        if number == len(keys):
            return entry.high + b"\0"
        return max(entry.prefix + keys[number], entry.low)


class _Taking:
    """Which pages a window takes, while it is found out."""

    def __init__(self, catalog: Catalog, start: bytes) -> None:
        self.taken: dict[tuple[int, int], _Taken] = {}
        """By the number of the shelf, and the place there."""
        self._catalog = catalog
        self._start = start
        self._open: dict[tuple[int, int], _Taken] = {}
        self._pages: list[tuple[bytes, tuple[int, int], int]] = []
        """Heap of pages that may be taken next: the key each begins with, its archive, its number."""
        self._ends: list[tuple[bytes, int]] = []
        """Heap of pages taken whose end was not reached yet: where each ends, and how many members are sure to be in the window."""
        self._coming: Iterator[tuple[Shelf, int]] = iter(())
        self._following: tuple[Shelf, int] | None = None
        self._shelf = 0

    def begin(self) -> Steps[None]:
        """Find the archives whose range holds the start, and the one that follows."""
        shelves, self._shelf = yield from self._catalog.shelves_from(self._start)
        later: list[tuple[Shelf, int]] = []
        for shelf in shelves:
            for number, (low, high) in enumerate(zip(shelf.lows, shelf.highs, strict=True)):
                if low > self._start:
                    later.append((shelf, number))
                elif high >= self._start:
                    yield from self._admit(shelf, number)
        self._coming = iter(later)
        yield from self._advance()

    def take(self, want: int) -> Steps[bytes | None]:
        """Take pages until those before the next one surely hold `want`; returns where the window ends, None for the end of all."""
        sure = pages = 0
        while True:
            stop = self._next_key()
            while self._ends and (stop is None or self._ends[0][0] <= stop):
                sure += heappop(self._ends)[1]
            # What begins before the start is always taken: else the window would never get beyond it.
            if stop is None or (stop > self._start and (sure >= want or pages >= WINDOW_PAGES)):
                return stop
            while self._following is not None and self._following[0].lows[self._following[1]] == stop:
                yield from self._admit(*self._following)
                yield from self._advance()
            pages += self._take_page(*heappop(self._pages))

    def _next_key(self) -> bytes | None:
        """The least key that a page not taken begins with; None when there is no such page."""
        keys = [self._pages[0][0]] if self._pages else []
        if self._following is not None:
            shelf, number = self._following
            keys.append(shelf.lows[number])
        return min(keys, default=None)

    def _advance(self) -> Steps[None]:
        """Go to the archive that begins next, on the next shelf where this one has no more."""
        self._following = next(self._coming, None)
        if self._following is None:
            shelf = yield from self._catalog.shelf(self._shelf)
            if shelf is not None:
                self._shelf += 1
                self._coming = iter([(shelf, number) for number in range(len(shelf.entries))])
                self._following = next(self._coming)

    def _admit(self, shelf: Shelf, number: int) -> Steps[None]:
        """Let the pages of an archive take part, from the one that holds the start."""
        bound = yield from self._catalog.bound(shelf, number)
        prefix = bound.entry.prefix
        first = bound.table.holding(self._start[len(prefix) :]) if self._start.startswith(prefix) else 0
        place = shelf.number, number
        taken = self._open[place] = _Taken(bound, first)
        heappush(self._pages, (taken.key(first), place, first))

    def _take_page(self, key: bytes, place: tuple[int, int], number: int) -> int:
        """Take a page; returns 1 if all of it is in the window, else 0."""
        taken = self.taken[place] = self._open[place]
        taken.count += 1
        end = taken.key(number + 1)
        inside = key >= self._start
        heappush(self._ends, (end, taken.bound.table.members[number] if inside else 0))
        if number + 1 < len(taken.bound.table):
            heappush(self._pages, (end, place, number + 1))
        return inside

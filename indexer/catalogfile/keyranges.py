"""Which keys of an archive others may have too, as far as ranges tell."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from indexer.catalogfile.entry import CatalogEntry


class KeyRange(NamedTuple):
    """Keys from `low` to `high`, both included."""

    low: bytes
    high: bytes


class KeyRanges:
    """The ranges of archives, those with keys in common told as one: sorted and apart, so that a question is two bisections."""

    def __init__(self, entries: Iterable[CatalogEntry] = ()) -> None:
        self._lows: list[bytes] = []
        self._highs: list[bytes] = []
        for entry in sorted(entries, key=lambda entry: entry.low):
            self.add(entry)

    def add(self, entry: CatalogEntry) -> None:
        """Take in the range of one more archive."""
        first, stop = self._touched(entry)
        low, high = entry.low, entry.high
        if first < stop:
            low, high = min(low, self._lows[first]), max(high, self._highs[stop - 1])
        self._lows[first:stop] = [low]
        self._highs[first:stop] = [high]

    def shared(self, entry: CatalogEntry) -> tuple[KeyRange, ...]:
        """The parts of an archive's range that it has in common with these, in order."""
        part = slice(*self._touched(entry))
        low, high = entry.low, entry.high
        others = zip(self._lows[part], self._highs[part], strict=True)
        return tuple(KeyRange(max(low, least), min(high, most)) for least, most in others)

    def _touched(self, entry: CatalogEntry) -> tuple[int, int]:
        return bisect_left(self._highs, entry.low), bisect_right(self._lows, entry.high)

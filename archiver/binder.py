"""Which archives a catalog tells while more are bound: each in time that does not grow with their number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.keyranges import KeyRange, KeyRanges


class Binder:
    """A catalog's state on its way to the next.

    Args:
        state: What it is now.
        filter_of: Makes the filter of an archive over the parts of its range that older ones share; None where it is too large.
    """

    def __init__(self, state: CatalogState, filter_of: Callable[[CatalogEntry, tuple[KeyRange, ...]], bytes | None]) -> None:
        self._before = state
        self._filter_of = filter_of
        self._entries = {entry.archive.url: entry for entry in state.entries}
        self._sequence = state.sequence
        self._ranges: KeyRanges | None = None
        self._changed = False

    def bind(self, entry: CatalogEntry) -> None:
        """Bind an archive as the newest; not one that is bound just so.

        One that is bound already in the same version and under the same prefix, with another index, stays as old as it was: what
        was bound later still goes before it.
        """
        url = entry.archive.url
        old = self._entries.pop(url, None)
        if old == entry:
            self._entries[url] = old
            return
        if old is not None:
            self._ranges = None
        self._changed = True
        if old is not None and _same(old, entry):
            sequence = old.sequence
            ranges = KeyRanges(other for other in self._entries.values() if other.sequence < sequence)
        else:
            self._sequence = sequence = self._sequence + 1
            ranges = self._known_ranges()
        shared = ranges.shared(entry)
        bits = self._filter_of(entry, shared) if shared else None
        self._entries[url] = replace(entry, sequence=sequence, filter=bits)
        if self._ranges is not None:
            self._ranges.add(entry)

    def state(self) -> CatalogState | None:
        """The next state; None when nothing changed."""
        if not self._changed:
            return None
        return replace(self._before, entries=tuple(self._entries.values()), sequence=self._sequence)

    def _known_ranges(self) -> KeyRanges:
        if self._ranges is None:
            self._ranges = KeyRanges(self._entries.values())
        return self._ranges


def _same(old: CatalogEntry, entry: CatalogEntry) -> bool:
    """Whether only the index is another. With another range it is not: newer archives' filters were made for the range that was."""
    return (old.archive, old.prefix, old.first, old.last) == (entry.archive, entry.prefix, entry.first, entry.last)

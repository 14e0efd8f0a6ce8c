"""Reads a catalog: one read opens it, and then a page of an index and a frame of an archive are all that a member takes.

Sans-IO: everything here asks (`indexer.asks`) and is driven from outside.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

from indexer.abreast import abreast
from indexer.asks import Steps, spans, tail
from indexer.catalogfile.answers import Found
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.filter import Probe
from indexer.catalogfile.layout import HEADER, CatalogBlock, CatalogBlockKind, CatalogColumn, CatalogTrailer, tag_of
from indexer.catalogfile.shelf import Bound, Place, Shelf
from indexer.catalogfile.strings import decode_strings
from indexer.errors import CatalogMissing, IndexMissing, ObjectMissing, ObjectReplaced
from indexer.indexfile.columns import ColumnDamaged, decode_ints, read_varint
from indexer.indexfile.directory import side_by_side
from indexer.indexfile.page import Page
from indexer.indexfile.reader import PageKey, open_index
from indexer.limits import CATALOG_ARCHIVES, CATALOG_TAIL_BYTES, COMMITS_TOLD, FACTS_BYTES, NAME_BYTES, SIDE_BY_SIDE
from indexer.model import Identity, Span

SHELVES_KEPT: Final = 128
"""Decoded shelves kept at once: all of a catalog of 16,000 archives, about 50 MiB if every one of them was used."""


def open_catalog(url: str, *, pages: MutableMapping[PageKey, Page] | None = None) -> Steps[Catalog]:
    """Open the catalog at `url`.

    Args:
        url: Where it is.
        pages: Where decoded pages of indexes are kept, as for `open_index`.

    Raises:
        CatalogMissing: There is nothing at `url`.
        CatalogDamaged, CatalogUnsupported: What is there cannot be used.

    Cost:
        One request of at most `CATALOG_TAIL_BYTES` (2 MiB).
    """
    try:
        identity, data = yield from tail(url, CATALOG_TAIL_BYTES)
    except ObjectMissing:
        raise CatalogMissing("there is no catalog", hint="Make it with `bindery catalog add`.", catalog=url) from None
    trailer = CatalogTrailer.decode(data, file_bytes=identity.size, index=url)
    start = trailer.root_start - (identity.size - len(data))
    if start >= 0:
        root = data[start : start + trailer.root_bytes]
    else:
        (root,) = yield from spans(identity, Span(trailer.root_start, trailer.root_start + trailer.root_bytes))
    block = CatalogBlock(root, CatalogBlockKind.CATALOG, trailer.tag, index=url, section="root")
    return Catalog(identity, trailer, block, data, {} if pages is None else pages)


class Catalog:
    """An open catalog.

    Args:
        identity: Which version of it.
        trailer: Its trailer.
        root: Its root block.
        held: The last bytes of the file, as read; what lies in them is never asked for.
        pages: Where decoded pages of indexes are kept.

    Attributes:
        archives: How many it tells.
        members: How many members they have in all.
        bytes: Their length in all.
        commit: The name of the commit that made it.
        before: Those of the commits before, the latest first.
        sequence: The greatest that was ever given to an archive.
    """

    def __init__(
        self,
        identity: Identity,
        trailer: CatalogTrailer,
        root: CatalogBlock,
        held: bytes,
        pages: MutableMapping[PageKey, Page],
    ) -> None:
        self.identity = identity
        facts = _facts(root)
        self.archives: int = facts["archives"]
        self.members: int = facts["members"]
        self.bytes: int = facts["bytes"]
        self.sequence: int = facts["sequence"]
        self.commit: str = facts["commit"]
        self.before: tuple[str, ...] = tuple(facts["before"])
        self._tag = trailer.tag
        self._held, self._held_start = held, identity.size - len(held)
        self._pages = pages
        self._shelves: dict[int, Shelf] = {}
        try:
            self._spans, self._lows, self._highs, self._counts = _shelf_places(root, trailer.root_start)
        except ColumnDamaged as fault:
            raise root.damaged(str(fault)) from None
        if tag_of(self.commit) != trailer.tag or sum(self._counts) != self.archives or self.members != trailer.members:
            raise root.damaged("it contradicts itself")

    def entries(self) -> Steps[list[CatalogEntry]]:
        """All archives, by their least keys. Costs one request when the catalog is longer than the first read."""
        shelves = yield from self._load(range(len(self._spans)))
        return [entry for shelf in shelves for entry in shelf.entries]

    def state(self) -> Steps[CatalogState]:
        """All that the catalog says, to be changed and written anew. Costs as `entries`."""
        return CatalogState(tuple((yield from self.entries())), self.sequence, self.commit, self.before)

    def find(self, key: bytes) -> Steps[Found | None]:
        """Find the member with this key: in the newest archive that has it.

        Raises:
            CatalogDamaged, IndexDamaged: What was read does not prove itself.
            ObjectReplaced, ObjectMissing: An index is not as the catalog tells.

        Cost:
            One request for a page, or none where it is known; none at all where no archive's range holds the key. Archives that
            overlap are told apart by filters, which are wrong 3 times in 1,000: each such time one more page is read. Those
            without a filter are asked side by side with the next, in one step. A catalog beyond `CATALOG_TAIL_BYTES` takes one more
            request for a shelf that is not known yet.
        """
        waiting = yield from self._candidates(key)
        count = 1 + next((at for at, (shelf, number) in enumerate(waiting) if shelf.entries[number].filter), SIDE_BY_SIDE)
        while waiting:
            asked, waiting = waiting[: min(count, SIDE_BY_SIDE)], waiting[min(count, SIDE_BY_SIDE) :]
            for found in (yield from abreast([self._find_in(shelf, number, key) for shelf, number in asked])):
                if found is not None:
                    return found
            count = SIDE_BY_SIDE
        return None

    def bound(self, shelf: Shelf, number: int) -> Steps[Bound]:
        """An archive, ready for look-ups.

        Cost:
            Nothing where the catalog tells its pages; else opening its index, and reading all its directories.

        Raises:
            ObjectReplaced, ObjectMissing: The index is another version than the one told, or is gone.
        """
        known = shelf.bound(number, self._pages)
        if known is None:
            entry = shelf.entries[number]
            try:
                opened = yield from open_index(entry.index.url, pages=self._pages)
            except IndexMissing:
                raise ObjectMissing("the index is not there any more", hint="Bind it again", object=entry.index.url) from None
            if opened.identity != entry.index or opened.archive(entry.archive.url) != entry.archive:
                raise ObjectReplaced("the index was replaced since it was bound", object=entry.index.url)
            known = shelf.bind(number, (yield from opened.table()), self._pages)
        return known

    def shelves_from(self, key: bytes) -> Steps[tuple[list[Shelf], int]]:
        """What a listing from `key` on begins with.

        Returns:
            The shelves that may tell an archive whose range holds `key`, with the first behind them, and the number of the next.
        """
        behind = bisect_right(self._lows, key)
        wanted = [number for number in range(behind) if self._highs[number] >= key]
        if behind < len(self._spans):
            wanted.append(behind)
        return (yield from self._load(wanted)), behind + 1

    def shelf(self, number: int) -> Steps[Shelf | None]:
        """A shelf by its number; None behind the last."""
        return (yield from self._load([number]))[0] if number < len(self._spans) else None

    def _candidates(self, key: bytes) -> Steps[list[tuple[Shelf, int]]]:
        """The archives that may have a key, the newest first.

        A filter is asked only of an archive with an older one beneath it: it tells of no other keys.
        """
        wanted = [number for number in range(bisect_right(self._lows, key)) if self._highs[number] >= key]
        ranked: list[tuple[int, int, Shelf]] = []
        for shelf in (yield from self._load(wanted)):
            holding = [number for number in range(bisect_right(shelf.lows, key)) if shelf.highs[number] >= key]
            ranked += [(shelf.entries[number].sequence, number, shelf) for number in holding]
        if len(ranked) > 1:
            ranked.sort(key=lambda one: one[0], reverse=True)
            probe = Probe(key)
            bits = [shelf.entries[number].filter for _, number, shelf in ranked[:-1]]
            passing = [one for one, its in zip(ranked, bits, strict=False) if its is None or probe.passes(its)]
            ranked = [*passing, ranked[-1]]
        return [(shelf, number) for _, number, shelf in ranked]

    def _find_in(self, shelf: Shelf, number: int, key: bytes) -> Steps[Found | None]:
        bound = yield from self.bound(shelf, number)
        entry = bound.entry
        member = yield from bound.index.find(key[len(entry.prefix) :])
        return None if member is None else Found(member, entry.archive, entry.index)

    def _load(self, numbers: Sequence[int]) -> Steps[list[Shelf]]:
        """Shelves by their numbers; those that are not known and do not lie in the tail are read with one ask."""
        known = {number: self._shelves.get(number) for number in numbers}
        missing = [number for number, shelf in known.items() if shelf is None]
        if missing:
            for number, data in zip(missing, (yield from self._blocks([self._spans[number] for number in missing])), strict=True):
                place = Place(number, self._counts[number], self._lows[number], self._highs[number])
                known[number] = self._keep(Shelf(data, self._tag, place, catalog=self.identity.url))
        return [shelf for shelf in known.values() if shelf is not None]

    def _keep(self, shelf: Shelf) -> Shelf:
        for number in list(self._shelves)[: max(0, len(self._shelves) - SHELVES_KEPT + 1)]:
            self._shelves.pop(number, None)  # another thread may have been faster
        self._shelves[shelf.number] = shelf
        return shelf

    def _blocks(self, wanted: Sequence[Span]) -> Steps[list[bytes]]:
        missing = [span for span in wanted if span.start < self._held_start]
        fetched = iter((yield from spans(self.identity, *missing)) if missing else [])
        before = self._held_start
        return [next(fetched) if span.start < before else self._held[span.start - before : span.stop - before] for span in wanted]


def _shelf_places(root: CatalogBlock, root_start: int) -> tuple[list[Span], list[bytes], list[bytes], Sequence[int]]:
    """Where the shelves lie, their least and greatest keys, and how many archives each tells. Raises `ColumnDamaged`."""
    if CatalogColumn.COUNTS not in root:
        return [], [], [], []
    count, at = read_varint(root[CatalogColumn.COUNTS], 0)
    start, _ = read_varint(root[CatalogColumn.COUNTS], at)
    if not 0 < count <= CATALOG_ARCHIVES:
        raise ColumnDamaged("impossible counts")
    names = CatalogColumn.RANGE_SHARED, CatalogColumn.RANGE_REST, CatalogColumn.RANGES
    shared, rest, texts = (root[name] for name in names)
    ranges = decode_strings(shared, rest, texts, 2 * count, most=2 * NAME_BYTES)
    stored = decode_ints(root[CatalogColumn.SHELF_BYTES], count)
    counts = decode_ints(root[CatalogColumn.SHELF_ARCHIVES], count)
    lows, highs = ranges[0::2], ranges[1::2]
    if not len(HEADER) <= start <= start + sum(stored) <= root_start or min(stored) <= 0 or min(counts) <= 0:
        raise ColumnDamaged("a shelf lies outside of its place")
    if lows != sorted(lows) or any(low > high for low, high in zip(lows, highs, strict=True)):
        raise ColumnDamaged("the shelves are not in order")
    return side_by_side(start, stored), lows, highs, counts


NUMBER_FACTS: Final = ("archives", "bytes", "members", "sequence")


def _facts(root: CatalogBlock) -> Mapping[str, Any]:
    spelled = root[CatalogColumn.FACTS]
    if len(spelled) > FACTS_BYTES:
        raise root.damaged(f"its facts take {len(spelled)} bytes")
    try:
        facts: Mapping[str, Any] = json.loads(spelled)
        whole = (
            all(type(facts[name]) is int and facts[name] >= 0 for name in NUMBER_FACTS) and facts["archives"] <= CATALOG_ARCHIVES
        )
        commits = [facts["commit"], *facts["before"]]
        whole = (
            whole and len(commits) <= COMMITS_TOLD + 1 and all(isinstance(commit, str) and commit.encode() for commit in commits)
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole, facts = False, {}
    if not whole:
        raise root.damaged("its facts are not told")
    return facts

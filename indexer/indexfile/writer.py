"""Writes an index file from members in name order, in one pass and flat memory; the same members give the same bytes."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice
from operator import itemgetter
from typing import Final

import zstandard

from indexer.errors import LimitExceeded
from indexer.indexfile.block import BlockKind, encode_block, new_compressor, tag_of
from indexer.indexfile.columns import Column
from indexer.indexfile.directory import Child, encode_children, separator
from indexer.indexfile.layout import HEADER, Trailer
from indexer.indexfile.page import encode_page
from indexer.limits import DIRECTORY_CHILDREN, DIRECTORY_PAGES, FACTS_BYTES, PAGE_EXTENTS, PAGE_MEMBERS, PAGE_STORED_BYTES
from indexer.model import Member
from indexer.rows import LYING, Row, row

FIRST_PAGE_MEMBERS: Final = 384
"""Members in the first page, before it is known how small they become."""
TAR_LAYOUT: Final = (512, 512)
PLAIN_LAYOUT: Final = (1, 0)


@dataclass(frozen=True, slots=True)
class ArchiveFacts:
    """What an index says of its archive as a whole.

    Args:
        etag: The archive's ETag without quotes.
        size: Its length in bytes.
        kind: As `formats.KINDS` names it.
        facts: Whatever else is worth telling, flat and JSON-ready; keys are sorted when written.
    """

    etag: str
    size: int
    kind: str
    facts: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """What `write_index` wrote: counts, and the length of the file in bytes."""

    members: int
    member_bytes: int
    unreadable: int
    pages: int
    index_bytes: int


def write_index(members: Iterable[Member], archive: ArchiveFacts, out: Callable[[bytes], object]) -> Written:
    """Write an index file.

    Args:
        members: Sorted by name in byte order, no name twice.
        archive: What they lie in.
        out: Takes the bytes of the file, piece by piece in order.

    Returns:
        What was written.

    Raises:
        ValueError: The members are not in order.
        LimitExceeded: There are more than an index can hold.
    """
    return write_rows(map(row, members), archive, out)


def write_rows(
    rows: Iterable[Row], archive: ArchiveFacts, out: Callable[[bytes], object], *, contexts: Iterable[bytes] = ()
) -> Written:
    """As `write_index`, of members that were taken apart by `indexer.rows.row`.

    Args:
        rows: The members.
        archive: What they lie in.
        out: Takes the bytes of the file.
        contexts: The blocks that the members' frames name, one after another in any cut; they follow the header.
    """
    return _Writer(archive, out).write(rows, contexts)


def _fitting(rows: Sequence[Row]) -> int:
    """How many of `rows`, from the first on, share a page: at least one, then as many as keep it within `PAGE_EXTENTS`."""
    extents = [len(lying) if type(lying) is list else 1 for lying in map(itemgetter(LYING), rows)]
    if sum(extents) <= PAGE_EXTENTS:
        return len(rows)
    return max(bisect_right(list(accumulate(extents)), PAGE_EXTENTS), 1)


class _Writer:
    """The state of one file on its way out."""

    def __init__(self, archive: ArchiveFacts, out: Callable[[bytes], object]) -> None:
        self.archive, self.out = archive, out
        self.tag = tag_of(archive.etag, archive.size)
        self.align, self.lead = TAR_LAYOUT if archive.kind.startswith(("tar", "tgz")) else PLAIN_LAYOUT
        self.compressor: zstandard.ZstdCompressor = new_compressor()
        self.written = 0
        self.last_name: bytes | None = None
        self.page_members = FIRST_PAGE_MEMBERS
        self.page_start = 0
        self.pages: list[Child] = []
        self.directories: list[tuple[Child, bytes]] = []
        self.members = self.member_bytes = self.unreadable = 0

    def write(self, rows: Iterable[Row], contexts: Iterable[bytes]) -> Written:
        """Write the whole file."""
        self._put(HEADER)
        for piece in contexts:
            self._put(piece)
        self.page_start = self.written
        coming = iter(rows)
        waiting = list(islice(coming, self.page_members))
        while waiting:
            taken = _fitting(waiting)
            self._page(waiting[:taken])
            waiting = waiting[taken:]
            waiting += islice(coming, max(self.page_members - len(waiting), 0))
        pages = sum(child.pages for child, _ in self.directories) + len(self.pages)
        self._directory()
        self._root(pages)
        return Written(self.members, self.member_bytes, self.unreadable, pages, self.written)

    def _put(self, data: bytes) -> None:
        self.out(data)
        self.written += len(data)

    def _page(self, rows: list[Row]) -> None:
        data = encode_page(rows, self.tag, align=self.align, lead=self.lead, compressor=self.compressor)
        count = len(rows)
        self.page_members = min(max(PAGE_STORED_BYTES * count // len(data), 1), PAGE_MEMBERS)
        if len(data) > PAGE_STORED_BYTES + PAGE_STORED_BYTES // 4 and count > 1:
            self._page(rows[: count // 2])
            self._page(rows[count // 2 :])
            return
        first = rows[0][0]
        if self.last_name is None:
            key = b""
        elif first <= self.last_name:
            raise ValueError(f"members are not in order: {first!r} comes after {self.last_name!r}")
        else:
            key = separator(self.last_name, first)
        if len(self.pages) == DIRECTORY_PAGES:
            self._directory()
        self.pages.append(Child(key, len(data), count, 1))
        self.last_name = rows[-1][0]
        self.members += count
        self.member_bytes += sum([one[1] for one in rows])
        self.unreadable += sum([one[-1] is not None for one in rows])
        self._put(data)

    def _directory(self) -> None:
        """Close the directory block of the pages so far; it is written behind all pages."""
        if not self.pages:
            return
        data = encode_block(BlockKind.DIRECTORY, self.tag, encode_children(self.pages, self.page_start), self.compressor)
        total = sum(page.members for page in self.pages)
        if len(self.directories) == DIRECTORY_CHILDREN:
            raise LimitExceeded("an archive has too many members for one index", members=self.members)
        self.directories.append((Child(self.pages[0].key, len(data), total, len(self.pages)), data))
        self.page_start += sum(page.stored_bytes for page in self.pages)
        self.pages = []

    def _root(self, pages: int) -> None:
        start = self.written
        for _, data in self.directories:
            self._put(data)
        root_start = self.written
        told = {
            **self.archive.facts,
            "archive_etag": self.archive.etag,
            "archive_size": self.archive.size,
            "bytes": self.member_bytes,
            "kind": self.archive.kind,
            "members": self.members,
            "pages": pages,
            "unreadable": self.unreadable,
        }
        facts = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if len(facts) > FACTS_BYTES:
            raise LimitExceeded("an index cannot tell so much of its archive", facts_bytes=len(facts))
        columns: dict[int, bytes] = {Column.FACTS: facts}
        if self.directories:
            columns |= encode_children([child for child, _ in self.directories], start)
        root = encode_block(BlockKind.ROOT, self.tag, columns, self.compressor)
        self._put(root)
        file_bytes = self.written + Trailer.BYTES
        self._put(Trailer(root_start, len(root), file_bytes, self.members, self.tag).encode())

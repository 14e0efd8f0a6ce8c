"""Pages: up to a thousand members in name order, in columns, with the frames they lie in.

A frame is told once for each page; a member names its frames by their place in the page's own table, so that a page and a frame
are all it takes to read a member. What can be foreseen is stored as zero: a frame begins where the one before ended, an extent
begins where the one before ended (rounded up to a tar block and behind a tar header in tars), a member's last extent is as long
as what is left of its size.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import zstandard

from indexer.indexfile import details, extents
from indexer.indexfile.block import Block, BlockKind, encode_block
from indexer.indexfile.columns import (
    Column,
    ColumnDamaged,
    decode_ints,
    decode_names,
    encode_ints,
    encode_names,
    read_varint,
    varint,
)
from indexer.indexfile.extents import Counts
from indexer.limits import MEMBER_EXTENTS, OBJECT_BYTES, PAGE_MEMBERS
from indexer.model import Member
from indexer.rows import Row


def encode_page(rows: Sequence[Row], tag: int, *, align: int, lead: int, compressor: zstandard.ZstdCompressor) -> bytes:
    """Write one page.

    Args:
        rows: At least one member, taken apart by `indexer.rows.row`; sorted by name, no name twice.
        tag: Which index this belongs to (`block.tag_of`).
        align: Members are expected to begin at multiples of this behind the end of the one before ...
        lead: ... and this much further (512 and 512 in tars, 1 and 0 elsewhere).
        compressor: From `block.new_compressor`.

    Returns:
        The block.
    """
    names, sizes, mtimes, all_lying, crcs, etags, all_attributes, unreadables = zip(*rows, strict=True)
    shared, rest, texts = encode_names(names)
    counts, lying = extents.encode_extents(sizes, all_lying, align, lead)
    columns: dict[int, bytes] = {Column.COUNTS: b"".join(map(varint, counts))}
    columns |= {Column.NAME_SHARED: shared, Column.NAME_REST: rest, Column.NAMES: texts}
    columns |= {Column.SIZE: encode_ints(sizes), Column.MTIME: encode_ints(mtimes)}
    columns |= details.encode_crcs(crcs)
    columns |= details.encode_etags(etags)
    columns |= details.encode_attributes(all_attributes)
    columns |= details.encode_unreadables(unreadables)
    columns |= lying
    return encode_block(BlockKind.PAGE, tag, columns, compressor)


class Page:
    """A page of an index, decoded as far as it is asked.

    Args:
        data: The bytes of its block.
        tag: Which index it must belong to.
        index: URL of the index, for errors.
        section: Name of the page, for errors.

    Raises:
        IndexDamaged: The block does not prove itself, or its names are not in order.
        IndexUnsupported: It has columns that this program must not pass over.
    """

    __slots__ = ("_block", "_counts", "_members", "_parts", "names")

    def __init__(self, data: bytes, tag: int, *, index: str, section: str) -> None:
        block = self._block = Block(data, BlockKind.PAGE, tag, index=index, section=section)
        self._members: list[Member] | None = None
        self._parts: _Parts | None = None
        try:
            told, at = [], 0
            for _ in Counts._fields:
                value, at = read_varint(block[Column.COUNTS], at)
                told.append(value)
            counts = self._counts = Counts(*told)
            if not 0 < counts.members <= PAGE_MEMBERS or max(counts.frames, counts.extents) > MEMBER_EXTENTS or counts.align == 0:
                raise ColumnDamaged("impossible counts")
            self.names = decode_names(block[Column.NAME_SHARED], block[Column.NAME_REST], block[Column.NAMES], counts.members)
        except ColumnDamaged as fault:
            raise block.damaged(str(fault)) from None

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: bytes) -> Member | None:
        """The member of this name, or None."""
        at = bisect_left(self.names, name)
        return self.member(at) if at < len(self.names) and self.names[at] == name else None

    def member(self, at: int) -> Member:
        """The member at a place in the page.

        Raises:
            IndexDamaged: Its columns contradict each other.
        """
        if self._members is not None:
            return self._members[at]
        return self._read(at, at + 1)[0]

    def members(self) -> list[Member]:
        """All members; decoded once.

        Raises:
            IndexDamaged: The columns contradict each other.
        """
        if self._members is None:
            self._members = self._read(0, len(self.names))
            self._parts = None
        return self._members

    def _read(self, start: int, stop: int) -> list[Member]:
        try:
            if self._parts is None:
                self._parts = _Parts(self._block, self._counts)
            return self._parts.members(self.names, start, stop)
        except (ColumnDamaged, UnicodeDecodeError, IndexError) as fault:
            raise self._block.damaged(str(fault)) from None


class _Parts:
    """The columns of a page as numbers, ready to be put together to members."""

    def __init__(self, block: Block, counts: Counts) -> None:
        members = counts.members
        self.block = block
        self.sizes = decode_ints(block[Column.SIZE], members)
        self.mtimes = decode_ints(block[Column.MTIME], members)
        self.crcs = details.decode_crcs(block, members)
        self.etags = details.decode_etags(block, members)
        self.attributes = details.decode_attributes(block, members)
        self.unreadables = details.decode_unreadables(block, members)
        if min(self.sizes) < 0 or max(self.sizes) > OBJECT_BYTES:
            raise ColumnDamaged("a member has an impossible size")
        self.extents = extents.decode_extents(block, self.sizes, counts)

    def members(self, names: Sequence[bytes], start: int, stop: int) -> list[Member]:
        """Put together the members `[start, stop)`."""
        part = slice(start, stop)
        columns = (self.sizes, self.mtimes, self.extents, self.crcs, self.etags, self.attributes, self.unreadables)
        return list(map(Member._make, zip(names[part], *[column[part] for column in columns], strict=True)))

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

from indexer.errors import BinderyError
from indexer.indexfile import details, extents
from indexer.indexfile.block import Block, BlockKind, encode_block
from indexer.indexfile.columns import (
    Column,
    ColumnDamaged,
    ColumnUnknown,
    decode_ints,
    decode_names,
    encode_ints,
    encode_names,
    read_varint,
    varint,
)
from indexer.indexfile.extents import Counts
from indexer.limits import MEMBER_EXTENTS, MTIME_S_LEAST, MTIME_S_MOST, OBJECT_BYTES, PAGE_EXTENTS, PAGE_MEMBERS
from indexer.model import Member
from indexer.names import clean
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
    if min(mtimes) < MTIME_S_LEAST or max(mtimes) > MTIME_S_MOST:
        mtimes = tuple([min(max(mtime_s, MTIME_S_LEAST), MTIME_S_MOST) for mtime_s in mtimes])
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
            most_extents = PAGE_EXTENTS if counts.members > 1 else MEMBER_EXTENTS
            if not (0 < counts.members <= PAGE_MEMBERS and counts.frames <= counts.extents <= most_extents and counts.align > 0):
                raise ColumnDamaged("impossible counts")
            rests = block[Column.NAMES]
            self.names = decode_names(block[Column.NAME_SHARED], block[Column.NAME_REST], rests, counts.members)
            _check_names(self.names)
        except (ColumnDamaged, ColumnUnknown, UnicodeDecodeError) as fault:
            raise block.error(fault) from None

    def __len__(self) -> int:
        return len(self.names)

    def damaged(self, what: str) -> BinderyError:
        """The error to raise for anything wrong with this page."""
        return self._block.damaged(what)

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
        parts = self._parts  # another thread may drop it meanwhile
        try:
            if parts is None:
                parts = self._parts = _Parts(self._block, self._counts)
            return parts.members(self.names, start, stop)
        except (ColumnDamaged, ColumnUnknown, UnicodeDecodeError) as fault:
            raise self._block.error(fault) from None


def _check_names(names: Sequence[bytes]) -> None:
    """Make sure that every name of a page is one that `names.clean` gives: it may become the path of a file.

    Raises:
        ColumnDamaged, UnicodeDecodeError: One is not.
    """
    text = b"\n".join(names)
    if not text.isascii():
        text.decode()
    # What is looked for in all names at once is rare; only where it is found are they looked at one by one. Those that begin with a
    # mark lie side by side, the least of them where the mark itself would.
    led = [at for mark in (b"/", b".") if (at := bisect_left(names, mark)) < len(names) and names[at].startswith(mark)]
    if led or not names[0] or b"\0" in text or b".." in text:
        for name in names:
            if clean(name) != name:
                raise ColumnDamaged("a name is none that a member may bear")


class _Parts:
    """The columns of a page as numbers, ready to be put together to members."""

    def __init__(self, block: Block, counts: Counts) -> None:
        members = counts.members
        self.sizes = decode_ints(block[Column.SIZE], members)
        self.mtimes = decode_ints(block[Column.MTIME], members)
        self.crcs = details.decode_crcs(block, members)
        self.etags = details.decode_etags(block, members)
        self.attributes = details.decode_attributes(block, members)
        self.unreadables = details.decode_unreadables(block, members)
        if min(self.sizes) < 0 or max(self.sizes) > OBJECT_BYTES:
            raise ColumnDamaged("a member has an impossible size")
        if min(self.mtimes) < MTIME_S_LEAST or max(self.mtimes) > MTIME_S_MOST:
            raise ColumnDamaged("a member has an impossible time")
        self.lying = extents.decode_extents(block, self.sizes, counts)

    def members(self, names: Sequence[bytes], start: int, stop: int) -> list[Member]:
        """Put together the members `[start, stop)`."""
        part = slice(start, stop)
        lying = self.lying.extents(start, stop)
        before, behind = (self.sizes, self.mtimes), (self.crcs, self.etags, self.attributes, self.unreadables)
        columns = [*[column[part] for column in before], lying, *[column[part] for column in behind]]
        return list(map(Member._make, zip(names[part], *columns, strict=True)))

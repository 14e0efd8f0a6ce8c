"""Directories: which page holds a name. The directory blocks tell the pages, the root tells the directory blocks.

Both are the same table: for each child its lowest key, shortened as far as it still parts it from the child before, its length in
the file and its number of members. Children lie one after another, so only the first one's offset is stored.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

from indexer.indexfile.block import Block
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
from indexer.limits import BLOCK_STORED_BYTES, DIRECTORY_CHILDREN
from indexer.model import Span


class Child(NamedTuple):
    """One row of a table.

    Attributes:
        key: Every name in the child is >= this, every name in the child before is less.
        stored_bytes: Length of its block.
        members: How many members it (and what is below it) has.
        pages: How many pages are below it; 1 for a page.
    """

    key: bytes
    stored_bytes: int
    members: int
    pages: int


def separator(before: bytes, first: bytes) -> bytes:
    """The shortest key that is greater than `before` and not greater than `first` (which is greater than `before`)."""
    length = min(len(before), len(first))
    differs = int.from_bytes(before[:length], "big") ^ int.from_bytes(first[:length], "big")
    return first[: length - (differs.bit_length() + 7 >> 3) + 1]


def side_by_side(start: int, lengths: Sequence[int]) -> list[Span]:
    """The spans of blocks that lie one after another from `start` on."""
    return [Span(*bounds) for bounds in pairwise(accumulate(lengths, initial=start))]


def encode_children(children: Sequence[Child], start: int) -> dict[int, bytes]:
    """Write a table as columns.

    Args:
        children: At least one, in key order.
        start: Offset in the file of the first child's block.
    """
    keys, stored, members, pages = zip(*children, strict=True)
    shared, rest, texts = encode_names(keys)
    return {
        Column.COUNTS: varint(len(children)) + varint(start),
        Column.KEY_SHARED: shared,
        Column.KEY_REST: rest,
        Column.KEYS: texts,
        Column.CHILD_BYTES: encode_ints(stored),
        Column.CHILD_MEMBERS: encode_ints(members),
        Column.CHILD_PAGES: encode_ints(pages),
    }


class Children:
    """A table that was read: where each child lies, and which one holds a name.

    Args:
        keys: Of each child, ascending.
        spans: Where each lies in the file.
        members: How many members each has.
        pages: How many pages are below each.
    """

    __slots__ = ("keys", "members", "pages", "spans")

    def __init__(self, keys: Sequence[bytes], spans: Sequence[Span], members: Sequence[int], pages: Sequence[int]) -> None:
        self.keys = keys
        self.spans = spans
        self.members = members
        self.pages = pages

    @classmethod
    def decode(cls, block: Block, within: Span) -> Children:
        """Read a directory or root block; one without a table has no children.

        Args:
            block: The block.
            within: Where the children's blocks must lie in the file.

        Raises:
            IndexDamaged: The columns contradict each other or the bounds.
        """
        try:
            count = start = 0
            if Column.COUNTS in block:
                count, at = read_varint(block[Column.COUNTS], 0)
                start, _ = read_varint(block[Column.COUNTS], at)
            if count > DIRECTORY_CHILDREN:
                raise ColumnDamaged("impossible counts")
            keys = decode_names(block[Column.KEY_SHARED], block[Column.KEY_REST], block[Column.KEYS], count)
            stored = decode_ints(block[Column.CHILD_BYTES], count)
            members = decode_ints(block[Column.CHILD_MEMBERS], count)
            pages = decode_ints(block[Column.CHILD_PAGES], count)
            if count and not (min(stored) > 0 and max(stored) <= BLOCK_STORED_BYTES):
                raise ColumnDamaged("a block has an impossible length")
            if count and (min(members) <= 0 or min(pages) <= 0):
                raise ColumnDamaged("a block is empty")
            if count and not within.start <= start <= start + sum(stored) <= within.stop:
                raise ColumnDamaged("a block lies outside of its place")
        except ColumnDamaged as fault:
            raise block.damaged(str(fault)) from None
        return cls(keys, side_by_side(start, stored), members, pages)

    def __len__(self) -> int:
        return len(self.keys)

    def parts(self, place: int, first: bytes, last: bytes) -> bool:
        """Whether the keys from `first` to `last` can lie in the child at `place`, as far as this table tells."""
        return self.keys[place] <= first and (place + 1 == len(self.keys) or last < self.keys[place + 1])

    def holding(self, name: bytes) -> int:
        """The place of the only child that can hold `name`."""
        return max(bisect_right(self.keys, name) - 1, 0)

"""Columns: how numbers and texts lie in a block of the index file, and back.

Numbers are stored as byte planes (all lowest bytes, then all second bytes, ...), as differences from a base or from their
neighbour, whichever is narrower: planes of small differences are what zstd squeezes best, and reading them back is slicing.
"""

from __future__ import annotations

import enum
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from operator import add, lt
from typing import Final

from indexer.limits import NAME_BYTES

DELTA: Final = 0x10
"""Bit of a column's first byte: the planes hold differences between neighbours."""

TYPECODES: Final = {1: "B", 2: "H", 4: "I", 8: "Q"}


class Column(enum.IntEnum):
    """All columns of all blocks. A number is never used again; `OPTIONAL_FROM` tells what an unknown one means."""

    COUNTS = 1
    NAME_SHARED = 2
    NAME_REST = 3
    NAMES = 4
    SIZE = 5
    MTIME = 6
    CRC32 = 7
    CRC32_ABSENT = 8
    ETAG_KIND = 9
    ETAG_MD5 = 10
    ETAG_PARTS = 11
    ETAG_TEXT = 12
    ATTRIBUTES = 13
    ATTRIBUTE_TEXTS = 14
    UNREADABLE = 15
    UNREADABLE_TEXTS = 16
    EXTENT_COUNT = 20
    EXTENT_FRAME = 21
    EXTENT_GAP = 22
    EXTENT_LENGTH = 23
    FRAME_GAP = 30
    FRAME_STORED = 31
    FRAME_RAW_BEYOND = 32
    FRAME_CODEC = 33
    FRAME_LEAD = 34
    FRAME_BIT = 35
    FRAME_CONTEXT_START = 36
    FRAME_CONTEXT_BYTES = 37
    KEY_SHARED = 50
    KEY_REST = 51
    KEYS = 52
    CHILD_BYTES = 53
    CHILD_MEMBERS = 54
    CHILD_PAGES = 55
    FACTS = 60
    CONTEXT = 61


OPTIONAL_FROM: Final = 128
"""Columns with numbers from this number on may be passed over by a reader that does not know them."""


class ColumnDamaged(ValueError):
    """A column's bytes contradict the layout; the caller knows which block it was."""


class ColumnUnknown(ValueError):
    """A column uses what only a later format can mean; the caller knows which block it was."""


def varint(value: int) -> bytes:
    """Write a number >= 0 as LEB128: seven bits a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a LEB128 number of at most 64 bits; returns it and the offset behind it."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ColumnDamaged("a number runs off its end")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def zigzag(value: int) -> int:
    """Fold a signed number into one >= 0: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def unzigzag(value: int) -> int:
    """Undo `zigzag`."""
    return value >> 1 if not value & 1 else -((value + 1) >> 1)


def encode_ints(values: Sequence[int]) -> bytes:
    """Write numbers that lie less than 2**64 apart.

    Layout: one byte (planes 0..8, and `DELTA`), the first value as zigzag varint if `DELTA`, the base as zigzag varint, then the
    planes, lowest first. A column of equal values has no planes at all.

    Raises:
        ValueError: They lie further apart.
    """
    low, high = min(values), max(values)
    if low == high:
        return b"\0" + varint(zigzag(low))
    span = high - low
    steps = [after - before for before, after in pairwise(values)]
    step_low, step_high = min(steps), max(steps)
    if (step_high - step_low).bit_length() < span.bit_length() - 1:
        planes = (step_high - step_low).bit_length() + 7 >> 3
        head = bytes([planes | DELTA]) + varint(zigzag(values[0])) + varint(zigzag(step_low))
        return head + _planes([step - step_low for step in steps], planes)
    planes = span.bit_length() + 7 >> 3
    return bytes([planes]) + varint(zigzag(low)) + _planes([value - low for value in values], planes)


def decode_ints(data: bytes, count: int) -> Sequence[int]:
    """Read `count` numbers that `encode_ints` wrote.

    Raises:
        ColumnDamaged: The bytes are too few, too many, or have unknown bits.
    """
    if count == 0:
        if data:
            raise ColumnDamaged("a column of no values has bytes")
        return []
    if not data:
        raise ColumnDamaged("a column is empty")
    planes, delta, unknown = data[0] & 0x0F, data[0] & DELTA, data[0] & ~0x1F
    if planes > 8 or unknown:
        raise ColumnDamaged("a column has an unknown form")
    at, first = 1, 0
    if delta:
        folded, at = read_varint(data, at)
        first = unzigzag(folded)
    folded, at = read_varint(data, at)
    base = unzigzag(folded)
    stored = count - 1 if delta else count
    if len(data) - at != planes * stored:
        raise ColumnDamaged("a column has the wrong length")
    if planes == 0:
        return [first + base * position for position in range(count)] if delta else [base] * count
    low = _from_planes(data, at, planes, stored)
    if delta:
        return list(accumulate([step + base for step in low], initial=first))
    return [value + base for value in low] if base else low


def encode_names(names: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """Front-code sorted names: for each the length shared with the one before, the length of the rest, and the rests in one.

    Returns:
        The shared lengths and the lengths of the rests as number columns, and the rests.

    Raises:
        ValueError: A name does not come after the one before.
    """
    shared, rests = [0], [names[0]]
    # Names as numbers, the first byte lowest: the lowest bit in which two of them differ tells the first byte that does. Comparing
    # byte by byte takes five times as long.
    numbers = [int.from_bytes(name, "little") for name in names]
    for (before, name), (lesser, greater) in zip(pairwise(names), pairwise(numbers), strict=True):
        if name <= before:
            raise ValueError(f"names are not in order: {name!r} comes after {before!r}")
        differs = lesser ^ greater  # nothing where only NULs follow
        common = min((differs & -differs).bit_length() - 1 >> 3, len(before)) if differs else len(before)
        shared.append(common)
        rests.append(name[common:])
    return encode_ints(shared), encode_ints([len(rest) for rest in rests]), b"".join(rests)


def decode_names(shared_column: bytes, rest_column: bytes, rests: bytes, count: int) -> list[bytes]:
    """Read what `encode_names` wrote.

    Raises:
        ColumnDamaged: The lengths do not fit the bytes, a name is too long, or one does not come after the one before.
    """
    shared, lengths = decode_ints(shared_column, count), decode_ints(rest_column, count)
    if min(shared, default=0) < 0 or min(lengths, default=0) < 0 or sum(lengths) != len(rests):
        raise ColumnDamaged("the names do not fill their bytes")
    # Checked before memory is taken: a few bytes could promise names that share megabytes.
    if max(map(add, shared, lengths), default=0) > NAME_BYTES:
        raise ColumnDamaged("a name is too long")
    names: list[bytes] = []
    before, at = b"", 0
    for common, length in zip(shared, lengths, strict=True):
        if common > len(before):
            raise ColumnDamaged("a name shares more than there is")
        stop = at + length
        before = before[:common] + rests[at:stop]
        at = stop
        names.append(before)
    if not all(map(lt, names, islice(names, 1, None))):
        raise ColumnDamaged("the names are not in order")
    return names


def encode_texts(texts: Sequence[bytes]) -> bytes:
    """Write byte strings one after another, each behind its length as varint."""
    return b"".join(varint(len(text)) + text for text in texts)


def decode_texts(data: bytes, most: int) -> list[bytes]:
    """Read what `encode_texts` wrote, to the end of `data`.

    Raises:
        ColumnDamaged: There are more than `most` texts, or one is cut off.
    """
    texts: list[bytes] = []
    at = 0
    while at < len(data):
        if len(texts) == most:
            raise ColumnDamaged("there are more texts than members")
        length, at = read_varint(data, at)
        if length > len(data) - at:
            raise ColumnDamaged("a text runs off its end")
        texts.append(data[at : at + length])
        at += length
    return texts


def _planes(values: Sequence[int], planes: int) -> bytes:
    if planes > 8:
        raise ValueError("numbers are too far apart for one column")
    if planes == 0:
        return b""
    width = next(width for width in TYPECODES if width >= planes)
    packed = array(TYPECODES[width], values)
    if sys.byteorder == "big":
        packed.byteswap()
    raw = packed.tobytes()
    return raw if width == 1 else b"".join([raw[plane::width] for plane in range(planes)])


def _from_planes(data: bytes, at: int, planes: int, count: int) -> array[int]:
    width = next(width for width in TYPECODES if width >= planes)
    raw = bytearray(width * count)
    for plane in range(planes):
        raw[plane::width] = data[at + plane * count : at + (plane + 1) * count]
    values = array(TYPECODES[width])
    values.frombytes(raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values

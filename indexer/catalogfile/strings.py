"""Byte strings in any order, each told by what it shares with the one before."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from indexer.indexfile.columns import ColumnDamaged, decode_ints, encode_ints


def encode_strings(strings: Sequence[bytes]) -> tuple[bytes, bytes, bytes]:
    """Front-code strings.

    Returns:
        Two number columns, the lengths shared and the lengths of the rests, and the rests in one; as `columns.encode_names`, but
        for strings in any order.
    """
    if not strings:
        return b"", b"", b""
    shared, rests = [0], [strings[0]]
    before = strings[0]
    for string in strings[1:]:
        length = min(len(before), len(string))
        differs = int.from_bytes(before[:length], "big") ^ int.from_bytes(string[:length], "big")
        common = length - (differs.bit_length() + 7 >> 3)
        shared.append(common)
        rests.append(string[common:])
        before = string
    return encode_ints(shared), encode_ints([len(rest) for rest in rests]), b"".join(rests)


def decode_strings(shared_column: bytes, rest_column: bytes, rests: bytes, count: int, *, most: int) -> list[bytes]:
    """Read what `encode_strings` wrote.

    Args:
        shared_column: Lengths shared with the string before.
        rest_column: Lengths of the rests.
        rests: The rests.
        count: How many strings.
        most: Longest string believed.

    Raises:
        ColumnDamaged: The lengths do not fit the bytes, or a string is longer than `most`.
    """
    shared, lengths = decode_ints(shared_column, count), decode_ints(rest_column, count)
    if min(shared, default=0) < 0 or min(lengths, default=0) < 0 or sum(lengths) != len(rests):
        raise ColumnDamaged("the strings do not fill their bytes")
    # Checked before memory is taken: a few bytes could promise strings that share megabytes.
    if max(map(add, shared, lengths), default=0) > most:
        raise ColumnDamaged("a string is too long")
    strings: list[bytes] = []
    before, at = b"", 0
    for common, length in zip(shared, lengths, strict=True):
        if common > len(before):
            raise ColumnDamaged("a string shares more than there is")
        before = before[:common] + rests[at : at + length]
        at += length
        strings.append(before)
    return strings

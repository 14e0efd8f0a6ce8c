"""The blocks of an xz stream, from the index at its end (xz-file-format 2.1.2 and 4)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from indexer.model import Codec, Frame

HEADER_BYTES: Final = 12
FOOTER: Final = Struct("<4xI2s2s")
"""Checksum, length of the index in words less one, flags, magic: the last twelve bytes of a stream."""

FOOTER_MAGIC: Final = b"YZ"
WORD: Final = 4

CHECK_BYTES: Final = (0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64)
"""Length of the check behind each block, by its number in the flags (xz-file-format 2.1.1.2)."""


def blocks(tail: bytes, stored_bytes: int, raw_bytes: int) -> list[Frame]:
    """Tell where the blocks of a stream lie.

    Args:
        tail: The last bytes of a stream that was decoded, and so is known to be sound.
        stored_bytes: Its length.
        raw_bytes: What it decodes to.

    Returns:
        A frame for each block, with its offset in the stream; none when its index is longer than `tail`, or does not add up.
    """
    index_words, flags, magic = FOOTER.unpack(tail[-FOOTER.size :])
    index_bytes = (index_words + 1) * WORD
    index = tail[: -FOOTER.size][-index_bytes:]
    if magic != FOOTER_MAGIC or len(index) < index_bytes or index[0]:
        return []
    check_bytes = CHECK_BYTES[flags[1] & 0x0F]
    count, at = _number(index, 1)
    found = []
    start, raw_start = HEADER_BYTES, 0
    for _ in range(count):
        unpadded_bytes, at = _number(index, at)
        block_raw_bytes, at = _number(index, at)
        found.append(Frame(start, unpadded_bytes - check_bytes, block_raw_bytes, Codec.XZ_BLOCK))
        start += -(-unpadded_bytes // WORD) * WORD
        raw_start += block_raw_bytes
    return found if (start + index_bytes + FOOTER.size, raw_start) == (stored_bytes, raw_bytes) else []


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a multibyte integer (xz-file-format 1.2); returns it and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7

"""Deflate entered in its middle, with the standard zlib alone.

A checkpoint of a deflate stream is a place between two of its blocks: a bit, and the 32 KiB that were decoded before it. zlib takes
those bytes as a dictionary, but begins at the first bit of a byte. So when the checkpoint lies inside a byte, empty blocks are fed
first whose length in bits, modulo 8, is the number of bits to skip; the low bits of the first stored byte, which belong to the
block before, are overwritten by the end of the last of them.

Two kinds of empty block are enough. One with fixed codes is 10 bits long: `0`, `01`, and the end code `0000000` (RFC 1951 3.2.6);
one to four of them skip 2, 4, 6 and 0 bits. One with dynamic codes can be made 93 bits long (RFC 1951 3.2.7), which gives the odd
numbers: its code lengths say that of all literals only the end of the block has a code, of one bit, and no distance has any.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from indexer.decoders import Bytes, InflateDecoder, damaged, take
from indexer.model import Codec

WINDOW_BYTES: Final = 32 * 1024
"""How far back deflate can point (RFC 1951 2): a longer window is of no use."""

FIXED_BLOCK: Final = "0" + "10" + "0000000"
"""An empty block with fixed codes, in the order of the stream: not the last one, kind 01 with its low bit first, end of block."""

DYNAMIC_BLOCK: Final = "".join(
    (
        "0",  # not the last block
        "01",  # kind 10, low bit first
        "00000",  # 257 literal codes
        "00000",  # 1 distance code
        "0111",  # 14 + 4 lengths of the code length code, low bit first, in the order of RFC 1951 3.2.7:
        "000" * 2 + "010" + "010" + "000" * 13 + "100",  # 18 and 0 have two bits, 1 has one: its code is 0, theirs are 10 and 11
        "11" + "1111111",  # code 18: 138 zeros
        "11" + "1101011",  # code 18: 118 zeros, which makes 256 literals without a code
        "0",  # the end of a block: one bit
        "10",  # the only distance: no code
        "0",  # the end of the block, by the code that was just told
    )
)
"""An empty block with dynamic codes, 93 bits long."""


class Lead(NamedTuple):
    """Empty blocks that skip some bits.

    Attributes:
        whole: Their whole bytes.
        bits: What is left of them: the low bits of the byte the checkpoint lies in.
    """

    whole: bytes
    bits: int


def _lead(skipped: int) -> Lead:
    """The shortest run of empty blocks whose length modulo 8 is `skipped`."""
    text = DYNAMIC_BLOCK if skipped % 2 else ""
    while len(text) % 8 != skipped:
        text += FIXED_BLOCK
    value = int(text[::-1] or "0", 2)  # the first bit of the stream is the lowest
    return Lead((value & ((1 << len(text) - skipped) - 1)).to_bytes(len(text) // 8, "little"), value >> len(text) - skipped)


LEADS: Final = tuple(_lead(skipped) for skipped in range(8))
"""What to feed first, by the number of bits to skip."""


def led(data: Bytes, bit: int) -> bytes:
    """Put what lets an inflater begin inside a byte before stored bytes.

    Args:
        data: Stored bytes from the byte on that holds the checkpoint; at least one.
        bit: How many bits of the first one come before the checkpoint, 0 to 7.

    Returns:
        Bytes that decode, with the window as dictionary, to what follows the checkpoint.
    """
    if not bit:
        return bytes(data)
    whole, bits = LEADS[bit]
    return b"".join((whole, bytes((data[0] >> bit << bit | bits,)), memoryview(data)[1:]))


class InflateAtDecoder:
    """Raw deflate entered at a checkpoint, for stored bytes that arrive in pieces (a `codecs.Decoder`).

    Args:
        window: What was decoded before the checkpoint, its last 32 KiB; less at the beginning of a stream.
        bit: As in `led`.
    """

    __slots__ = ("_bit", "_inflate")

    def __init__(self, window: bytes, bit: int) -> None:
        self._inflate = InflateDecoder(Codec.DEFLATE_AT, -zlib.MAX_WBITS, window[-WINDOW_BYTES:])
        self._bit = bit

    @property
    def finished(self) -> bool:
        """Whether the last block of the stream was reached, and its end."""
        return self._inflate.finished

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `codecs.Decoder.feed`."""
        if self._bit and data:
            data, self._bit = led(data, self._bit), 0
        return self._inflate.feed(data)


def decode_at(window: bytes, bit: int, stored: Bytes, upto: int) -> bytes:
    """Decode the first `upto` bytes behind a checkpoint.

    Args:
        window: As in `InflateAtDecoder`.
        bit: As in `led`.
        stored: Stored bytes from the byte on that holds the checkpoint.
        upto: How many decoded bytes are wanted; memory is taken in proportion to this alone.

    Returns:
        Exactly `upto` bytes.

    Raises:
        MemberDamaged: They do not decode, or to less (without member and archive: the caller knows them).
    """
    if upto <= 0:
        return b""
    decoded = take(InflateAtDecoder(window, bit).feed(stored), upto)
    if len(decoded) != upto:
        raise damaged(Codec.DEFLATE_AT, f"they end after {len(decoded)} of {upto} bytes")
    return decoded

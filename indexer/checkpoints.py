"""Where a deflate stream can be entered: found by indexed_gzip when an archive is indexed, never needed again.

The library reads a gzip file and tells, in the index it exports, some of the places between two blocks, each with the 32 KiB that
were decoded before. It is handed one stretch of a stream at a time: bytes in memory, so that scanners stay without input or output
and memory stays bounded, dressed as a gzip file of their own. What was decoded before the stretch goes in front of it as a stored
block, and where the stretch begins inside a byte, the empty blocks of `inflate` follow. The library takes the end of the stretch
for the end of the file.
"""

from __future__ import annotations

import io
from itertools import compress
from struct import Struct
from typing import Final, NamedTuple

from indexer.decoders import Bytes
from indexer.inflate import WINDOW_BYTES, InflateAtDecoder, led
from indexer.limits import CHECKPOINT_STEP_BYTES

GZIP_HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""The shortest header (RFC 1952 2.3)."""

STORED_BLOCK: Final = Struct("<BHH")
"""Header of a stored block that begins at a byte: its three bits and padding, length, length inverted (RFC 1951 3.2.4)."""

TAIL_BYTES: Final = 9
"""What the library is not shown of a stretch: the trailer and a byte more. Where it sees the last block end, it wants a trailer."""

EXPORTED: Final = Struct("<5sBBQQIII")
"""Begins an exported index: `GZIDX`, version, flags, stored and decoded length, spacing, window length, number of points."""

POINT: Final = Struct("<QQBB")
"""A point in it: offset of the first whole byte, decoded offset, bits of the byte before that are its own, has it a window."""


class Checkpoint(NamedTuple):
    """A place between two blocks of a deflate stream.

    Attributes:
        stored: Offset of the byte it lies in.
        bit: Its first bit in that byte, 0 to 7.
        raw: How much was decoded before it.
        window: The last 32 KiB of that, less at the beginning of a stream.
    """

    stored: int
    bit: int
    raw: int
    window: bytes


def find(stretch: bytes, start: Checkpoint | None) -> list[Checkpoint]:
    """Find the checkpoints in a stretch of a gzip member, about `CHECKPOINT_STEP_BYTES` of decoded bytes apart.

    Args:
        stretch: Stored bytes of one member that are known to decode, from the one on that holds `start`.
        start: Where the stretch begins; None for the member's first byte.

    Returns:
        Checkpoints behind `start`, in order; their offsets count from the beginning of the stretch.

    Raises:
        ValueError: The library cannot follow the stretch.

    Cost:
        Decodes the stretch once, at about 400 MB/s; memory for one window a checkpoint.
    """
    import indexed_gzip  # type: ignore[import-untyped]  # noqa: PLC0415 - only who indexes gzip needs it

    front = b"" if start is None else front_of(start)
    lead_bytes = 0 if start is None else len(led(stretch[:1], start.bit)) - 1
    shown = memoryview(stretch)[: len(stretch) - TAIL_BYTES]
    if not shown:
        return []
    file = io.BytesIO(b"".join((front, shown if start is None else led(shown, start.bit))))
    exported = io.BytesIO()
    try:
        with indexed_gzip.IndexedGzipFile(fileobj=file, spacing=CHECKPOINT_STEP_BYTES, skip_crc_check=True) as reader:
            reader.build_full_index()
            reader.export_index(fileobj=exported)
    except OSError as error:  # what the library raises is one
        raise ValueError(f"its checkpoints cannot be found ({error})") from None
    window_bytes = 0 if start is None else len(start.window)
    return [
        point._replace(stored=point.stored - len(front) - lead_bytes, raw=point.raw - window_bytes)
        for point in read_export(exported.getbuffer())
        if point.window and point.raw > window_bytes
    ]


def front_of(start: Checkpoint) -> bytes:
    """What makes a gzip file of a stretch: a header, and the window as a block that is not the last."""
    length = len(start.window)
    if not length:
        return GZIP_HEADER
    # A window of 32 KiB is one block: the longest stored block has 65,535 bytes.
    return b"".join((GZIP_HEADER, STORED_BLOCK.pack(0, length, length ^ 0xFFFF), start.window))


def read_export(data: memoryview) -> list[Checkpoint]:
    """Read the points of an exported index but the last one, which is the end of the file and no place between two blocks."""
    _, _, _, _, _, _, window_bytes, count = EXPORTED.unpack_from(data)
    points = list(POINT.iter_unpack(data[EXPORTED.size : EXPORTED.size + count * POINT.size]))
    at = EXPORTED.size + count * POINT.size
    found = []
    for stored, raw, bits, has_window in points:
        window = bytes(data[at : at + window_bytes]) if has_window else b""
        at += len(window)
        found.append(Checkpoint(stored - bool(bits), -bits % 8, raw, window[-raw:] if raw else b""))
    return found[:-1]


PROBE_BYTES: Final = 4096
"""Stored bytes decoded at once until there are 32 KiB: of well compressed ones few are enough."""

LOW_BYTES: Final = bytes(range(256)) * (WINDOW_BYTES // 256)
HIGH_BYTES: Final = bytes(at >> 8 for at in range(WINDOW_BYTES))
"""Windows whose every byte tells its own place."""


def needed(checkpoint: Checkpoint, stored: Bytes) -> bytes:
    """Reduce a window to the bytes that the stream behind it points back to: a part of them, so that it takes little room.

    Only the first 32 KiB behind the checkpoint can point into the window (RFC 1951 2). They are decoded with windows whose bytes
    tell their own places: where the results of two windows differ, a byte of the window was copied, and the others say which.

    Args:
        checkpoint: With its whole window.
        stored: Stored bytes from the one on that holds it, so many that they decode to 32 KiB, or to the end of the stream.

    Returns:
        The window, as long as it must be, with zeros for the bytes that are not needed.
    """
    window = checkpoint.window
    length = len(window)
    ones, zeros, low, high = (
        _first(filler[-length:], checkpoint.bit, memoryview(stored))
        for filler in (b"\xff" * length, bytes(length), LOW_BYTES, HIGH_BYTES)
    )
    copied = (int.from_bytes(ones, "big") ^ int.from_bytes(zeros, "big")).to_bytes(len(ones), "big")
    places = [high_byte << 8 | low_byte for high_byte, low_byte in set(compress(zip(high, low, strict=True), copied))]
    if not places:
        return b""
    offset = WINDOW_BYTES - length
    first = min(places) - offset
    reduced = bytearray(length - first)
    for place in places:
        reduced[place - offset - first] = window[place - offset]
    return bytes(reduced)


def _first(window: bytes, bit: int, stored: memoryview) -> bytes:
    """The first 32 KiB behind a checkpoint as they decode with a certain window, fewer if there are not so many."""
    out = bytearray()
    decoder = InflateAtDecoder(window, bit)
    for at in range(0, len(stored), PROBE_BYTES):
        for piece in decoder.feed(stored[at : at + PROBE_BYTES]):
            out += piece
        if len(out) >= WINDOW_BYTES or decoder.finished:
            break
    return bytes(out[:WINDOW_BYTES])

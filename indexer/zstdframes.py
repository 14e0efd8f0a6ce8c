"""Zstandard frames without decoding them: where each begins and ends, and how much it can decode to at most (RFC 8878 section 3.1).

The library tells a frame's content size when its header does, but not where a frame ends, and it decodes as much as it is fed: four
bytes may become 128 KiB. Walking the block headers (three bytes each) answers both, so that frames of any size are decoded in
pieces of bounded size, and the end of a frame is known without copying what follows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

MAGIC: Final = b"\x28\xb5\x2f\xfd"
SKIPPABLE_MAGICS: Final = tuple(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))
"""Of frames that hold no data: the low four bits are free (RFC 8878 section 3.1.2)."""

BLOCK_RAW_BYTES: Final = 128 * 1024
"""No block decodes to more (RFC 8878 section 3.1.1.2.4)."""

HEADER_BYTES: Final = 18
"""Longest frame header: magic, descriptor, window, dictionary and content size."""

DICTIONARY_WIDTHS: Final = (0, 1, 2, 4)
CONTENT_WIDTHS: Final = (0, 2, 4, 8)


SEEK_TABLE_MAGIC: Final = b"\x5e\x2a\x4d\x18"
"""Which of the skippable frames a seek table is (zstd contrib/seekable_format)."""

SEEK_TABLE_FOOTER: Final = Struct("<IBI")
"""Number of frames, descriptor, magic: the end of a seek table."""

SEEK_TABLE_END: Final = 0x8F92EAB1


class FrameHeader(NamedTuple):
    """What a frame says of itself.

    Attributes:
        length: Bytes of the header; of a skippable frame 8.
        content_bytes: Decoded length, None when the frame does not tell (RFC 8878 section 3.1.1.1.4).
        window_bytes: Memory that decoding it takes.
        checksum_bytes: 4 when a checksum of the content follows the last block, else 0.
        dictionary: Number of the dictionary it needs, 0 for none.
        skippable_bytes: Of a skippable frame: the length of its content; None for one that decodes.
    """

    length: int
    content_bytes: int | None = None
    window_bytes: int = 0
    checksum_bytes: int = 0
    dictionary: int = 0
    skippable_bytes: int | None = None


def frame_header(data: bytes | memoryview, at: int = 0) -> FrameHeader | None:
    """Read the header of the frame that begins at `data[at]`.

    Returns:
        The header, or None when `data` ends inside it.

    Raises:
        ValueError: No zstd frame begins there.
    """
    here = bytes(data[at : at + HEADER_BYTES])
    if len(here) < 4:
        if any(magic.startswith(here) for magic in (MAGIC, *SKIPPABLE_MAGICS)):
            return None
        raise ValueError("no zstd frame begins here")
    if here[:4] != MAGIC:
        if here[:4] not in SKIPPABLE_MAGICS:
            raise ValueError("no zstd frame begins here")
        return FrameHeader(8, skippable_bytes=int.from_bytes(here[4:8], "little")) if len(here) >= 8 else None
    if len(here) < 5:
        return None
    descriptor = here[4]
    if descriptor & 0x08:
        raise ValueError("a reserved bit of the zstd frame header is set")
    single_segment = descriptor >> 5 & 1
    dictionary_width = DICTIONARY_WIDTHS[descriptor & 3]
    content_width = CONTENT_WIDTHS[descriptor >> 6] or single_segment
    length = 6 - single_segment + dictionary_width + content_width
    if len(here) < length:
        return None
    content_bytes = None
    if content_width:
        content_bytes = int.from_bytes(here[length - content_width : length], "little") + (256 if content_width == 2 else 0)
    if single_segment:
        window_bytes = content_bytes or 0
    else:
        base = 1 << (10 + (here[5] >> 3))
        window_bytes = base + base // 8 * (here[5] & 7)
    at_dictionary = 6 - single_segment
    return FrameHeader(
        length=length,
        content_bytes=content_bytes,
        window_bytes=window_bytes,
        checksum_bytes=4 if descriptor & 4 else 0,
        dictionary=int.from_bytes(here[at_dictionary : at_dictionary + dictionary_width], "little"),
    )


@dataclass(slots=True)
class Walk:
    """A walk over the blocks of one frame that decodes, for bytes that arrive in pieces.

    Args:
        header: Of the frame.
        stored_bytes: How far the walk is from the frame's first byte: always between two blocks.
        finished: Whether the end of the frame, its checksum included, was reached.
    """

    header: FrameHeader
    stored_bytes: int = 0
    finished: bool = False

    def advance(self, data: bytes | memoryview, at: int, *, raw_bytes: int) -> int:
        """Walk over whole blocks, from where the walk stands, as far as `data` reaches.

        Args:
            data: Holds the bytes that follow those walked so far, from `at`.
            at: Where they begin in `data`.
            raw_bytes: Stop before what was walked by this call can decode to more than this (one block at least is allowed).

        Returns:
            The place in `data` up to which the frame was walked; `at` when not even one block is there in whole.

        Raises:
            ValueError: A block header that cannot be.
        """
        size = len(data)
        begun = at
        decoded = 0
        if not self.stored_bytes:
            if size - at < self.header.length:
                return at
            at += self.header.length
        while not self.finished:
            if size - at < 3:
                break
            block = data[at] | data[at + 1] << 8 | data[at + 2] << 16
            kind = block >> 1 & 3
            length = block >> 3
            if kind == 3 or length > BLOCK_RAW_BYTES:
                raise ValueError("a zstd block header is damaged")
            end = at + (4 if kind == 1 else 3 + length)
            if block & 1:
                end += self.header.checksum_bytes
            most = BLOCK_RAW_BYTES if kind == 2 else length
            if end > size or (decoded and decoded + most > raw_bytes):
                break
            at = end
            decoded += most
            self.finished = bool(block & 1)
        if at > begun:
            self.stored_bytes += at - begun
        return at


def seek_table(content: bytes) -> bytes | None:
    """Read a seek table.

    Args:
        content: Of its skippable frame.

    Returns:
        Stored and decoded length of each frame, four bytes each, checksums left out; None when it is no sound table.
    """
    entries_stop = len(content) - SEEK_TABLE_FOOTER.size
    if entries_stop < 0:
        return None
    frames, descriptor, magic = SEEK_TABLE_FOOTER.unpack_from(content, entries_stop)
    width = 12 if descriptor & 0x80 else 8
    if magic != SEEK_TABLE_END or descriptor & 0x7C or frames * width != entries_stop:
        return None
    if width == 8:
        return content[:entries_stop]
    return b"".join(content[at : at + 8] for at in range(0, entries_stop, 12))

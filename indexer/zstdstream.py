"""A file of zstd frames read as a stream: fed stored bytes in any cut, it tells the decoded bytes and each frame's place.

Frames are found by their block headers (`zstdframes`); a seek table is never trusted, only compared with what was found.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

import zstandard

from indexer.asks import Steps, spans
from indexer.decoders import checked
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, LimitExceeded, MemberUnreadable
from indexer.limits import (
    DECODE_PIECE_BYTES,
    DECODE_WINDOW_BYTES,
    EXPANSION_FREE_BYTES,
    EXPANSION_MOST,
    REQUEST_BYTES,
    SEEK_TABLE_BYTES,
    WHOLE_FRAME_BYTES,
)
from indexer.model import Codec, Frame, Identity, Span
from indexer.scan import in_turn
from indexer.zstdframes import SEEK_TABLE_MAGIC, FrameHeader, Walk, frame_header, seek_table

UNBOUNDED: Final = 2**63

LENGTHS: Final = Struct("<II")
"""Stored and decoded length of a frame, as a seek table has them."""


class ZstdStream:
    """Decodes zstd frames one after another and tells where each one lies. Memory: one request, one window, `WHOLE_FRAME_BYTES`.

    Args:
        of: The file, for errors and to know where it ends.
        start: Where in it the first byte that is fed lies.

    Attributes:
        frame_start: Where the frame lies that is being read.
        frames: Frames that were read whole and hold bytes.
        raw_bytes: Decoded so far.
        largest_frame: Decoded length of the largest.
        seek_table: What is known of the seek table: `absent`, `sound`, `wrong` (it tells other frames), `unchecked` (too long).
    """

    def __init__(self, of: Identity, start: int = 0) -> None:
        self.frame_start = start
        self.frames = 0
        self.raw_bytes = 0
        self.largest_frame = 0
        self.seek_table = "absent"
        self._of = of
        self._at = start
        self._held = b""
        self._library = zstandard.ZstdDecompressor(max_window_size=DECODE_WINDOW_BYTES)
        self._walk: Walk | None = None
        self._pieces: Any = None
        self._frame_raw_bytes = 0
        self._skip = 0
        self._table: bytearray | None = None
        self._lengths_crc32 = 0

    def feed(self, data: bytes) -> Iterator[bytes | Frame]:
        """Take the next stored bytes.

        Yields:
            Decoded pieces of at most `WHOLE_FRAME_BYTES`, and after the last of a frame the frame itself, unless it is empty.

        Raises:
            ArchiveDamaged: A frame does not decode, or something else stands where one should begin.
            ArchiveUnsupported: A frame needs a dictionary, or a larger window than the limit.
            LimitExceeded: It is a bomb.
        """
        held = memoryview(self._held + data if self._held else data)
        begin = self._at
        while (at := self._at - begin) < len(held):
            if self._skip:
                self._skipped(held[at : at + self._skip])
                continue
            if self._walk is None:
                if not self._begin(held, at):
                    break
                continue
            piece = self._next_piece(self._walk, held, at)
            if piece is None:
                break
            if piece:
                yield piece
            if self._walk.finished:
                frame = self._end(self._walk)
                if frame.raw_bytes:
                    yield frame
        self._held = bytes(held[self._at - begin :])

    def finish(self) -> None:
        """Say that the file ended.

        Raises:
            ArchiveDamaged: It ended inside a frame.
        """
        if self._held or self._skip or self._walk is not None:
            raise self._damaged("the archive ends inside a zstd frame: it was cut short")

    def _begin(self, held: memoryview, at: int) -> bool:
        """Begin the frame at `held[at]`; tells whether its header is there in whole."""
        self.frame_start = self._at
        try:
            header = frame_header(held, at)
            if header is None:
                return False
            if header.skippable_bytes is not None:
                self._begin_skippable(header, bytes(held[at : at + 4]))
                return True
            self._walk = Walk(checked(header))
        except ValueError as error:
            raise self._damaged(str(error)) from None
        except MemberUnreadable as error:
            raise ArchiveUnsupported(error.message, archive=self._of.url, offset=self.frame_start) from None
        self._pieces = None
        self._frame_raw_bytes = 0
        return True

    def _next_piece(self, walk: Walk, held: memoryview, at: int) -> bytes | None:
        """Decode what comes next of a frame: all of it when it is small and there; None when more bytes are needed."""
        try:
            content_bytes = walk.header.content_bytes
            if not walk.stored_bytes and content_bytes is not None and content_bytes <= WHOLE_FRAME_BYTES:
                whole = Walk(walk.header)
                end = whole.advance(held, at, raw_bytes=UNBOUNDED)
                if whole.finished:
                    self._walk = whole
                    return self._decoded(self._whole(held[at:end], content_bytes), end - at)
                if len(held) - at < REQUEST_BYTES:
                    return None
            end = walk.advance(held, at, raw_bytes=DECODE_PIECE_BYTES)
            if end == at:
                return None
            if self._pieces is None:
                self._pieces = self._library.decompressobj()
            return self._decoded(self._pieces.decompress(held[at:end]), end - at)
        except (zstandard.ZstdError, ValueError) as error:
            raise self._damaged(f"a zstd frame does not decode ({error})") from None

    def _whole(self, stored: memoryview, content_bytes: int) -> bytes:
        """Decode a whole frame at once; the library makes sure that it has the length that it tells."""
        if not content_bytes:
            return bytes(self._library.decompressobj().decompress(stored))
        return self._library.decompress(stored, max_output_size=content_bytes)

    def _decoded(self, piece: bytes, stored_bytes: int) -> bytes:
        """Count a piece that was decoded."""
        self._at += stored_bytes
        self.raw_bytes += len(piece)
        self._frame_raw_bytes += len(piece)
        if self.raw_bytes > EXPANSION_FREE_BYTES and self.raw_bytes > EXPANSION_MOST * self._at:
            raise LimitExceeded(
                f"the archive decodes to more than {EXPANSION_MOST} times its length: it is taken for a bomb",
                archive=self._of.url,
                offset=self.frame_start,
            )
        return piece

    def _end(self, walk: Walk) -> Frame:
        """The present frame is over."""
        content_bytes, raw_bytes = walk.header.content_bytes, self._frame_raw_bytes
        if content_bytes is not None and content_bytes != raw_bytes:
            raise self._damaged(f"a zstd frame tells of {content_bytes} bytes and holds {raw_bytes}")
        self._walk = None
        frame = Frame(self.frame_start, walk.stored_bytes, raw_bytes, Codec.ZSTD)
        self.frame_start = self._at
        self.largest_frame = max(self.largest_frame, raw_bytes)
        self.frames += bool(raw_bytes)
        if raw_bytes and max(frame.stored_bytes, raw_bytes) < 2**32:
            self._lengths_crc32 = zlib.crc32(LENGTHS.pack(frame.stored_bytes, raw_bytes), self._lengths_crc32)
        return frame

    def _begin_skippable(self, header: FrameHeader, magic: bytes) -> None:
        """Begin to skip a frame; if it may be the seek table, keep its bytes."""
        content_bytes = header.skippable_bytes or 0
        self._at += header.length
        self._skip = content_bytes
        last = self._at + content_bytes == self._of.size
        self._table = None
        if magic == SEEK_TABLE_MAGIC and last and content_bytes:
            self.seek_table = "unchecked"
            self._table = bytearray() if content_bytes <= SEEK_TABLE_BYTES else None

    def _skipped(self, data: memoryview) -> None:
        """Take bytes of a skippable frame."""
        self._at += len(data)
        self._skip -= len(data)
        if self._table is None:
            return
        self._table += data
        if not self._skip:
            lengths = seek_table(bytes(self._table))
            sound = lengths is not None and zlib.crc32(without_empty(lengths)) == self._lengths_crc32
            self.seek_table, self._table = "sound" if sound else "wrong", None

    def _damaged(self, why: str) -> ArchiveDamaged:
        return ArchiveDamaged(why, archive=self._of.url, offset=self.frame_start)


def without_empty(lengths: bytes) -> bytes:
    """Leave out of a seek table the frames that decode to nothing: some writers list skippable and empty ones, some do not."""
    if all(raw_bytes for _, raw_bytes in LENGTHS.iter_unpack(lengths)):
        return lengths
    return b"".join(LENGTHS.pack(*both) for both in LENGTHS.iter_unpack(lengths) if both[1])


def measure(of: Identity, start: int) -> Steps[Frame]:
    """Find out how long the frame at `start` is by decoding it and keeping nothing.

    Costs one dependent step for each `REQUEST_BYTES` of it. Raises as `ZstdStream.feed`.
    """
    stream = ZstdStream(of, start)
    for piece, ahead in in_turn(Span(start, of.size)):
        (data,) = yield from spans(of, piece, ahead=ahead)
        for told in stream.feed(data):
            if isinstance(told, Frame):
                return told
    stream.finish()
    raise ArchiveDamaged("the archive ends inside a zstd frame: it was cut short", archive=of.url, offset=start)

"""A file of bzip2 or xz streams: fed stored bytes in any cut, it tells the decoded bytes, and each stream or block as a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from indexer.errors import ArchiveDamaged
from indexer.expansion import check_expansion
from indexer.limits import DECODE_PIECE_BYTES
from indexer.model import Codec, Frame, Identity

FED_BYTES: Final = 64 * 1024
"""Stored bytes given to the library at once."""

TAIL_BYTES: Final = 256 * 1024
"""Bytes of a stream held to find its parts: the end of an xz stream tells 30,000 blocks in them."""


class ConcatenatedStream:
    """Decodes streams one after another and tells where each one lies. Memory: one piece, and what the library takes.

    Args:
        of: The file, for errors and bounds.
        codec: What the streams are coded with.
        begin: Makes the library's decoder, which bounds its own output (bz2, lzma).
        faults: What the library raises.
        padding_bytes: Zero bytes may stand between streams, in multiples of this (xz-file-format 2.2); 0 where none may.
        parts: Given the last `TAIL_BYTES` of a stream (all of a shorter one), its length, and its decoded length, tells the frames
            it consists of with offsets in the stream; one frame of all of it unless there are several.

    Attributes:
        frames: Frames told so far.
        largest_frame: Decoded length of the largest.
    """

    def __init__(
        self,
        of: Identity,
        codec: Codec,
        begin: Callable[[], Any],
        faults: tuple[type[Exception], ...],
        *,
        padding_bytes: int = 0,
        parts: Callable[[bytes, int, int], list[Frame]] = lambda _tail, _stored_bytes, _raw_bytes: [],
    ) -> None:
        self.frames = 0
        self.largest_frame = 0
        self._of = of
        self._codec = codec
        self._begin = begin
        self._faults = faults
        self._padding_bytes = padding_bytes
        self._parts = parts
        self._tail = b""
        self._at = 0
        self._start = 0
        self._stream_raw_bytes = 0
        self._raw_bytes = 0
        self._library: Any = None

    def feed(self, data: bytes) -> Iterator[bytes | Frame]:
        """Take the next stored bytes.

        Yields:
            Decoded pieces of at most `DECODE_PIECE_BYTES`, and after the last of a stream its frame, unless it is empty.

        Raises:
            ArchiveDamaged: A stream does not decode, or something else follows it.
            LimitExceeded: It is a bomb.
        """
        at = 0
        while at < len(data):
            if self._library is None:
                skipped = len(data) - at - len(data[at:].lstrip(b"\0")) if self._padding_bytes and self._at else 0
                self._at += skipped
                at += skipped
                if at < len(data):
                    self._check_padding()
                    self._begin_stream()
                continue
            fed = data[at : at + FED_BYTES]
            yield from self._decoded(fed)
            taken = len(fed) - len(self._library.unused_data)
            at += taken
            self._at += taken
            self._tail = (self._tail + fed[:taken])[-TAIL_BYTES:]
            if self._library.eof:
                yield from self._ended()

    def finish(self) -> None:
        """Say that the file ended.

        Raises:
            ArchiveDamaged: It ended inside a stream, or has none, or ends in padding that cannot be.
        """
        if self._library is not None or not self._at:
            raise self._damaged("the file ends inside a stream: it was cut short")
        self._check_padding()

    def _check_padding(self) -> None:
        """Make sure that the padding so far is as long as it may be; streams are multiples of that too."""
        if self._padding_bytes and self._at % self._padding_bytes:
            raise self._damaged("the padding behind a stream is not as long as it must be")

    def _begin_stream(self) -> None:
        self._start = self._at
        self._stream_raw_bytes = 0
        self._tail = b""
        self._library = self._begin()

    def _decoded(self, fed: bytes) -> Iterator[bytes]:
        while True:
            try:
                piece = self._library.decompress(fed, DECODE_PIECE_BYTES)
            except self._faults as error:
                raise self._damaged(f"a stream does not decode ({error})") from None
            self._stream_raw_bytes += len(piece)
            self._raw_bytes += len(piece)
            check_expansion(self._of, self._raw_bytes, self._at + len(fed))
            fed = b""
            if piece:
                yield piece
            if self._library.eof or (self._library.needs_input and not piece):
                return

    def _ended(self) -> Iterator[Frame]:
        self._library = None
        stored_bytes, raw_bytes = self._at - self._start, self._stream_raw_bytes
        frames = self._parts(self._tail, stored_bytes, raw_bytes)
        if len(frames) < 2:
            frames = [Frame(0, stored_bytes, raw_bytes, self._codec)]
        for frame in frames:
            if frame.raw_bytes:
                self.frames += 1
                self.largest_frame = max(self.largest_frame, frame.raw_bytes)
                yield frame._replace(start=self._start + frame.start)

    def _damaged(self, why: str) -> ArchiveDamaged:
        return ArchiveDamaged(why, archive=self._of.url, offset=self._start if self._library is not None else self._at)

"""A pax tar cut into frames that are compressed on many threads: what the writers of tar.zst and tgz have in common."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from archiver import tarheaders
from archiver.frames import BATCH_RAW_BYTES, Compress, Level, StoredFrame, compress_large, compress_members
from archiver.lane import Lane
from archiver.memberheaders import MemberHeaders
from indexer.limits import FRAME_RAW_BYTES

if TYPE_CHECKING:
    from archiver.writers import Data, Entry, Sums


class FramedTar:
    """A `Writer` of a tar whose frames can each be decoded alone.

    Args:
        out: Takes the archive's bytes in order.
        executor: Compresses.
        compress: Makes one frame.
        level: How hard.
        sources: What the archive was made from, as `archiver.select` tells it; it is written in the first header.
        most_bytes: Raw bytes on their way through the executor at most.
    """

    def __init__(
        self, out: Callable[[bytes], object], executor: Executor, *, compress: Compress, level: Level, sources: str, most_bytes: int
    ) -> None:
        self._out = out
        self._compress = compress
        self._level = level
        self._lane: Lane[list[StoredFrame]] = Lane(executor, self._take, most_bytes=most_bytes)
        self._headers = MemberHeaders()
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._large = bytearray()
        self._large_padding = b""
        first = [(b"BINDERY.etag", b"md5"), (b"BINDERY.sources", sources.encode())]
        self._put(tarheaders.pax(tarheaders.PAX_GLOBAL, first))

    def add(self, entry: Entry, data: Data, sums: Sums) -> None:  # noqa: ARG002 - the scanner counts them from the bytes
        """As `Writer.add`."""
        self._put(b"".join((self._headers.of(entry), data, tarheaders.padding(len(data)))))

    def begin(self, entry: Entry) -> None:
        """As `Writer.begin`."""
        self._flush()
        self._large += self._headers.of(entry)
        self._large_padding = tarheaders.padding(entry.size)

    def feed(self, data: Data) -> None:
        """As `Writer.feed`."""
        self._large += data
        whole = len(self._large) - len(self._large) % FRAME_RAW_BYTES
        if whole:
            self._submit_large(bytes(memoryview(self._large)[:whole]))
            del self._large[:whole]

    def end(self, sums: Sums) -> None:  # noqa: ARG002 - as in add
        """As `Writer.end`."""
        self.feed(self._large_padding)
        if self._large:
            self._submit_large(bytes(self._large))
            self._large.clear()

    def close(self) -> None:
        """As `Writer.close`."""
        self._put(tarheaders.END_OF_ARCHIVE)
        self._flush()
        self._lane.drain()

    def discard(self) -> None:
        """As `Writer.discard`."""

    def frame_written(self, stored_bytes: int, raw_bytes: int) -> None:
        """Is told of each frame, in order, once it was handed to the sink; for those who list frames."""

    def _put(self, raw: bytes) -> None:
        self._batch.append(raw)
        self._batch_bytes += len(raw)
        if self._batch_bytes >= BATCH_RAW_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._lane.submit(self._batch_bytes, compress_members, self._compress, self._level, self._batch)
            self._batch, self._batch_bytes = [], 0

    def _submit_large(self, raw: bytes) -> None:
        for at in range(0, len(raw), FRAME_RAW_BYTES):
            piece = raw[at : at + FRAME_RAW_BYTES]
            self._lane.submit(len(piece), compress_large, self._compress, self._level, piece)

    def _take(self, frames: list[StoredFrame]) -> None:
        for data, raw_bytes in frames:
            self._out(data)
            self.frame_written(len(data), raw_bytes)

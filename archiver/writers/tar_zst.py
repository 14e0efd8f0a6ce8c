"""Writes tar.zst: a pax tar in independent zstd frames, with a seek table behind them.

Stock tools read it as they read any tar.zst: frames follow one another (RFC 8878 section 3), and decoders pass over the skippable
frame that holds the seek table (the seekable format of the zstd project, version 0.1.0).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from archiver import tarheaders
from archiver.frames import BATCH_RAW_BYTES, Level, StoredFrame, compress_large, compress_members
from archiver.lane import Lane
from archiver.writers import Data, Entry, Sums
from indexer.attributes import encode
from indexer.limits import FRAME_RAW_BYTES
from indexer.model import DEFAULT_ATTRIBUTES, Attributes

SEEK_TABLE_MAGIC: Final = 0x184D2A5E
SEEK_TABLE_END_MAGIC: Final = 0x8F92EAB1
SEEK_TABLE_FRAMES: Final = 0x8000000
"""Most frames a seek table may list; an archive with more has none, and is read by its index all the same."""

ATTRIBUTES_RUN: Final = 8
"""So many members in a row with the same attributes make them the ones in force. Below that each member carries its own: GNU tar
goes through all global headers so far for every member."""


class TarZstWriter:
    """A `Writer` of tar.zst.

    Args:
        out: Takes the archive's bytes in order.
        executor: Compresses.
        level: How hard.
        sources: What the archive was made from, as `archiver.selection` tells it; it is written in the first header.
        most_bytes: Raw bytes on their way through the executor at most.
    """

    def __init__(self, out: Callable[[bytes], object], executor: Executor, *, level: Level, sources: str, most_bytes: int) -> None:
        self._out = out
        self._level = level
        self._lane: Lane[list[StoredFrame]] = Lane(executor, self._take, most_bytes=most_bytes)
        self._stored = array("I")
        self._raw = array("I")
        self._batch: list[bytes] = []
        self._batch_bytes = 0
        self._large = bytearray()
        self._large_padding = b""
        self._in_force = DEFAULT_ATTRIBUTES
        self._latest = DEFAULT_ATTRIBUTES
        self._run = 0
        first = [(b"BINDERY.etag", b"md5"), (b"BINDERY.sources", sources.encode())]
        self._put(tarheaders.pax(tarheaders.PAX_GLOBAL, first))

    def add(self, entry: Entry, data: Data, sums: Sums) -> None:  # noqa: ARG002 - the scanner counts them from the bytes
        """As `Writer.add`."""
        self._put(b"".join((self._headers(entry), data, tarheaders.padding(len(data)))))

    def begin(self, entry: Entry) -> None:
        """As `Writer.begin`."""
        self._flush()
        self._large += self._headers(entry)
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
        if len(self._stored) <= SEEK_TABLE_FRAMES:
            self._out(seek_table(self._stored, self._raw))

    def _put(self, raw: bytes) -> None:
        self._batch.append(raw)
        self._batch_bytes += len(raw)
        if self._batch_bytes >= BATCH_RAW_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._lane.submit(self._batch_bytes, compress_members, self._level, self._batch)
            self._batch, self._batch_bytes = [], 0

    def _submit_large(self, raw: bytes) -> None:
        for at in range(0, len(raw), FRAME_RAW_BYTES):
            piece = raw[at : at + FRAME_RAW_BYTES]
            self._lane.submit(len(piece), compress_large, self._level, piece)

    def _take(self, frames: list[StoredFrame]) -> None:
        for data, raw_bytes in frames:
            self._out(data)
            self._stored.append(len(data))
            self._raw.append(raw_bytes)

    def _headers(self, entry: Entry) -> bytes:
        """All headers of a member."""
        records = []
        if entry.attributes is not self._in_force or self._run:
            before, own = self._attributes(entry.attributes)
        else:
            before, own = b"", None
        if own is not None:
            records.append((b"BINDERY.attributes", own))
        if entry.etag is not None:
            records.append((b"BINDERY.etag", entry.etag.encode()))
        kind = tarheaders.FILE
        if entry.name.endswith(b"/"):
            kind = tarheaders.FOLDER
            records.append((b"BINDERY.object", b"1"))
        fields = tarheaders.split(entry.name)
        if fields is None:
            records.append((b"path", entry.name))
            # For a reader without pax; it must not look like a folder when it is none.
            fields = entry.name[:100].decode(errors="ignore").encode("ascii", "replace").rstrip(b"/"), b""
        size, mtime_s = entry.size, entry.mtime_s
        if size >= tarheaders.USTAR_NUMBER:
            records.append((b"size", b"%d" % size))
            size = 0
        if not 0 <= mtime_s < tarheaders.USTAR_NUMBER:
            records.append((b"mtime", b"%d" % mtime_s))
            mtime_s = 0
        own_header = tarheaders.header(*fields, size, mtime_s, kind)
        if records:
            return before + tarheaders.pax(tarheaders.PAX_MEMBER, records) + own_header
        return before + own_header

    def _attributes(self, attributes: Attributes) -> tuple[bytes, bytes | None]:
        """A global header to write before the member, and attributes for its own header, each where it needs one."""
        self._run = self._run + 1 if attributes == self._latest else 1
        self._latest = attributes
        if attributes == self._in_force:
            self._run = 0
            return b"", None
        if self._run < ATTRIBUTES_RUN:
            return b"", encode(attributes)
        self._in_force = attributes
        self._run = 0
        return tarheaders.pax(tarheaders.PAX_GLOBAL, [(b"BINDERY.attributes", encode(attributes))]), None


def seek_table(stored: array[int], raw: array[int]) -> bytes:
    """The skippable frame that lists the stored and raw length of every frame, without their checksums."""
    lengths = array("I", bytes(8 * len(stored)))
    lengths[0::2], lengths[1::2] = stored, raw
    if sys.byteorder == "big":
        lengths.byteswap()
    end = struct.pack("<IBI", len(stored), 0, SEEK_TABLE_END_MAGIC)
    return struct.pack("<II", SEEK_TABLE_MAGIC, 8 * len(stored) + len(end)) + lengths.tobytes() + end

"""Writes zip (APPNOTE 6.3.10): each member for itself, zstd (method 93) or deflate, zip64 where it is needed.

What S3 keeps of an object stands in an extra field of the central directory, which tools that do not know it pass over.
"""

from __future__ import annotations

import enum
import tempfile
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from pathlib import Path
from struct import Struct
from typing import IO, Final, NamedTuple, Protocol

import zstandard

from archiver.frames import Level
from archiver.lane import Lane
from archiver.scratch import disk_errors
from archiver.writers import Data, Entry, Sums
from indexer.attributes import encode
from indexer.errors import SourceUnpackable
from indexer.limits import KIB, MIB
from indexer.model import DEFAULT_ATTRIBUTES

BATCH_RAW_BYTES: Final = 512 * KIB
BATCH_MEMBERS: Final = 64
"""Members compressed as one task, so that handing tasks over costs little beside them."""

LOCAL: Final = Struct("<4s5H3I2H")
"""A local header: magic, version needed, flags, method, time, date, CRC-32, stored size, raw size, lengths (APPNOTE 4.3.7)."""

CENTRAL: Final = Struct("<4s6H3I5H2I")
"""A directory entry: as above with the version that made it, and comment, disk, attributes, offset (APPNOTE 4.3.12)."""

END: Final = Struct("<4s4H2IH")
END64: Final = Struct("<4sQ2H2I4Q")
END64_LOCATOR: Final = Struct("<4sIQI")

UTF8: Final = 1 << 11
DESCRIPTOR: Final = 1 << 3
FULL16: Final = 0xFFFF
FULL32: Final = 0xFFFFFFFF

UNIX_HOST: Final = 3 << 8
FILE_MODE: Final = 0o100644 << 16
FOLDER_MODE: Final = 0o040755 << 16 | 0x10
"""Unix mode in the high half, and the DOS bit for a folder (APPNOTE 4.4.15)."""

EXPANSION: Final = 64 * MIB
"""Far more than any codec adds to 4 GiB that do not shrink: below `FULL32` less this, 32 bits hold the stored size."""

ZIP64_EXTRA: Final = 0x0001
NTFS_EXTRA: Final = 0x000A
TIMES_EXTRA: Final = 0x5455
BINDERY_EXTRA: Final = 0x4242
NTFS_EPOCH_S: Final = 11_644_473_600
"""Seconds from 1601 to 1970."""


class Method(enum.IntEnum):
    """How members are compressed (APPNOTE 4.4.5)."""

    STORED = 0
    DEFLATE = 8
    ZSTD = 93


NEEDS: Final = {Method.STORED: 20, Method.DEFLATE: 20, Method.ZSTD: 63}
"""The version of the specification that a reader must know (APPNOTE 4.4.3.2)."""
ZIP64_NEEDS: Final = 45


class Stream(Protocol):
    """A compressor that is fed piece by piece."""

    def compress(self, data: Data, /) -> bytes:
        """The next compressed bytes, perhaps none."""
        ...

    def flush(self) -> bytes:
        """The last compressed bytes."""
        ...


class Stored(NamedTuple):
    """A member compressed in memory."""

    entry: Entry
    sums: Sums
    method: Method
    data: Data


class ZipWriter:
    """A `Writer` of zip.

    Args:
        out: Takes the archive's bytes in order.
        executor: Compresses.
        level: How hard.
        method: How members are compressed; one that does not shrink is stored.
        sources: What the archive was made from, as `archiver.selection` tells it; the archive's comment.
        scratch: Folder for the directory until all members are written.
        most_bytes: Raw bytes on their way through the executor at most.
    """

    def __init__(
        self,
        out: Callable[[Data], object],
        executor: Executor,
        *,
        level: Level,
        method: Method,
        sources: str,
        scratch: Path,
        most_bytes: int,
    ) -> None:
        self._sink = out
        self._level = level
        self._method = method
        self._comment = f"BINDERY.sources={sources}".encode()
        with disk_errors():
            self._directory: IO[bytes] = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 - closed in close, or with the writer
        self._lane: Lane[list[Stored]] = Lane(executor, self._take, most_bytes=most_bytes)
        self._batch: list[tuple[Entry, Data, Sums]] = []
        self._batch_bytes = 0
        self._at = 0
        self._entries = 0
        self._streamed: _Streamed | None = None

    def add(self, entry: Entry, data: Data, sums: Sums) -> None:
        """As `Writer.add`."""
        self._batch.append((entry, data, sums))
        self._batch_bytes += len(data)
        if self._batch_bytes >= BATCH_RAW_BYTES or len(self._batch) == BATCH_MEMBERS:
            self._flush()

    def begin(self, entry: Entry) -> None:
        """As `Writer.begin`."""
        self._flush()
        self._lane.drain()
        self._streamed = _Streamed(entry, self._at, _stream(self._level, self._method, entry.size))
        self._out(_local_header(entry, self._method, streamed=True, crc32=0, stored_bytes=0))

    def feed(self, data: Data) -> None:
        """As `Writer.feed`."""
        assert self._streamed is not None  # noqa: S101 - begin comes first
        self._streamed.stored_bytes += self._out(self._streamed.stream.compress(data))

    def end(self, sums: Sums) -> None:
        """As `Writer.end`."""
        done, self._streamed = self._streamed, None
        assert done is not None  # noqa: S101 - begin comes first
        done.stored_bytes += self._out(done.stream.flush())
        wide = _is_wide(done.entry.size)
        form = "<4sI2Q" if wide else "<4s3I"  # APPNOTE 4.3.9
        self._out(Struct(form).pack(b"PK\x07\x08", sums.crc32, done.stored_bytes, done.entry.size))
        self._enter(done.entry, sums, self._method, done.stored_bytes, done.start, flags=DESCRIPTOR)

    def close(self) -> None:
        """As `Writer.close`."""
        self._flush()
        self._lane.drain()
        start = self._at
        with self._directory as directory:
            directory.seek(0)
            while piece := directory.read(MIB):
                self._out(piece)
        size = self._at - start
        if self._entries >= FULL16 or size >= FULL32 or start >= FULL32:
            made = UNIX_HOST | NEEDS[Method.ZSTD]
            self._out(
                END64.pack(b"PK\x06\x06", END64.size - 12, made, ZIP64_NEEDS, 0, 0, self._entries, self._entries, size, start)
            )
            self._out(END64_LOCATOR.pack(b"PK\x06\x07", 0, start + size, 1))
        entries = min(self._entries, FULL16)
        self._out(
            END.pack(b"PK\x05\x06", 0, 0, entries, entries, min(size, FULL32), min(start, FULL32), len(self._comment))
            + self._comment
        )

    def discard(self) -> None:
        """As `Writer.discard`."""
        self._directory.close()

    def _out(self, data: Data) -> int:
        if data:
            self._sink(data)
            self._at += len(data)
        return len(data)

    def _flush(self) -> None:
        if self._batch:
            self._lane.submit(self._batch_bytes, _compress, self._level, self._method, self._batch)
            self._batch, self._batch_bytes = [], 0

    def _take(self, members: list[Stored]) -> None:
        for entry, sums, method, data in members:
            start = self._at
            self._out(_local_header(entry, method, streamed=False, crc32=sums.crc32, stored_bytes=len(data)))
            self._out(data)
            self._enter(entry, sums, method, len(data), start, flags=0)

    def _enter(self, entry: Entry, sums: Sums, method: Method, stored_bytes: int, start: int, *, flags: int) -> None:
        """Write the member's entry in the directory."""
        wide = [value for value in (entry.size, stored_bytes, start) if value >= FULL32]
        extra = _times(entry.mtime_s) + _bindery_extra(entry, sums)
        if wide:
            extra = _field(ZIP64_EXTRA, Struct(f"<{len(wide)}Q").pack(*wide)) + extra
        time, date = _dos_time(entry.mtime_s)
        needs = max(NEEDS[method], ZIP64_NEEDS if wide else 0)
        told = (
            CENTRAL.pack(
                b"PK\x01\x02",
                UNIX_HOST | NEEDS[Method.ZSTD],
                needs,
                flags | UTF8,
                method,
                time,
                date,
                sums.crc32,
                min(stored_bytes, FULL32),
                min(entry.size, FULL32),
                len(entry.name),
                len(extra),
                0,
                0,
                0,
                FOLDER_MODE if entry.name.endswith(b"/") else FILE_MODE,
                min(start, FULL32),
            )
            + entry.name
            + extra
        )
        with disk_errors():
            self._directory.write(told)
        self._entries += 1


class _Streamed:
    """The member that is being fed."""

    def __init__(self, entry: Entry, start: int, stream: Stream) -> None:
        self.entry, self.start, self.stream = entry, start, stream
        self.stored_bytes = 0


_MINE = threading.local()


def _compress(level: Level, method: Method, members: list[tuple[Entry, Data, Sums]]) -> list[Stored]:
    """Compress some members, each for itself; what does not shrink stays as it is."""
    compressors: dict[str, zstandard.ZstdCompressor] = _MINE.__dict__
    zstd = compressors.get(level.name)
    if zstd is None:
        # The member's CRC-32 stands in the directory already: no second checksum.
        zstd = compressors[level.name] = zstandard.ZstdCompressor(level=level.member_level, write_checksum=False)
    done = []
    for entry, data, sums in members:
        if method is Method.ZSTD:
            stored = zstd.compress(data) if data else b""
        else:
            deflate = zlib.compressobj(level.deflate_level, zlib.DEFLATED, -zlib.MAX_WBITS)
            stored = deflate.compress(data) + deflate.flush()
        shrunk = len(stored) < len(data)
        done.append(Stored(entry, sums, method if shrunk else Method.STORED, stored if shrunk else data))
    return done


def _stream(level: Level, method: Method, size: int) -> Stream:
    if method is Method.ZSTD:
        return zstandard.ZstdCompressor(level=level.member_level, write_checksum=False).compressobj(size=size)
    return zlib.compressobj(level.deflate_level, zlib.DEFLATED, -zlib.MAX_WBITS)


def _is_wide(size: int) -> bool:
    """Whether a streamed member may need 64-bit sizes: that is settled before it is compressed."""
    return size >= FULL32 - EXPANSION


def _local_header(entry: Entry, method: Method, *, streamed: bool, crc32: int, stored_bytes: int) -> bytes:
    """The header before the member's bytes; a streamed one leaves checksum and sizes to the descriptor behind them."""
    wide = streamed and _is_wide(entry.size)
    extra = _times(entry.mtime_s)
    if wide:
        # Its presence says that the descriptor has 64-bit sizes (APPNOTE 4.3.9.2).
        extra = _field(ZIP64_EXTRA, bytes(16)) + extra
    time, date = _dos_time(entry.mtime_s)
    return (
        LOCAL.pack(
            b"PK\x03\x04",
            max(NEEDS[method], ZIP64_NEEDS if wide else 0),
            UTF8 | (DESCRIPTOR if streamed else 0),
            method,
            time,
            date,
            crc32,
            FULL32 if wide else stored_bytes,
            FULL32 if wide else 0 if streamed else entry.size,
            len(entry.name),
            len(extra),
        )
        + entry.name
        + extra
    )


def _field(tag: int, data: bytes) -> bytes:
    return Struct("<2H").pack(tag, len(data)) + data


def _times(mtime_s: int) -> bytes:
    """The exact time: Info-ZIP's field, or the NTFS one for what 31 bits do not hold."""
    if 0 <= mtime_s < 2**31:
        return _field(TIMES_EXTRA, b"\x01" + mtime_s.to_bytes(4, "little"))
    ticks = ((mtime_s + NTFS_EPOCH_S) * 10_000_000).to_bytes(8, "little")
    return _field(NTFS_EXTRA, bytes(4) + b"\x01\x00\x18\x00" + 3 * ticks)


def _dos_time(mtime_s: int) -> tuple[int, int]:
    """Time and date in DOS form, UTC, two seconds exact, kept within its calendar."""
    moment = datetime.fromtimestamp(min(max(mtime_s, 315_532_800), 4_354_819_198), UTC)  # 1980-01-01 to 2107-12-31
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, moment.year - 1980 << 9 | moment.month << 5 | moment.day


def _bindery_extra(entry: Entry, sums: Sums) -> bytes:
    """ETag, attributes and what else S3 keeps: a version byte, then values with tag and length."""
    etag = sums.md5 if entry.etag is None else entry.etag
    short = len(etag) == 32 and all(char in "0123456789abcdef" for char in etag)
    value = bytes.fromhex(etag) if short else etag.encode()
    if not short and len(value) == 16:
        raise SourceUnpackable(
            "the zip cannot tell this ETag of 16 characters from an MD5", hint="Pack as tar.zst", member=entry.name.decode()
        )
    values = [(1, value)]
    if entry.attributes != DEFAULT_ATTRIBUTES:
        values.append((2, encode(entry.attributes)))
    if entry.name.endswith(b"/"):
        values.append((3, b""))
    return _field(BINDERY_EXTRA, b"\x01" + b"".join(Struct("<BH").pack(tag, len(value)) + value for tag, value in values))

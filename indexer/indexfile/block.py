"""Blocks: the sections of an index file. Each proves itself by a checksum and tells which index it belongs to.

    u32 crc32 | u8 kind | u8 columns | u16 zero | u64 tag | table | payloads

The table has, for each column, `u8 id`, `u8 coding` (0 plain, 1 zstd), `varint stored bytes`, `varint raw bytes`; the payloads
follow in the same order. The CRC-32 covers everything behind it. All numbers are little-endian.
"""

from __future__ import annotations

import enum
import hashlib
import struct
import zlib
from collections.abc import Mapping
from typing import ClassVar, Final

import zstandard

from indexer.errors import BinderyError, IndexDamaged, IndexUnsupported
from indexer.indexfile.columns import OPTIONAL_FROM, Column, ColumnDamaged, ColumnUnknown, read_varint, varint
from indexer.limits import BLOCK_RAW_BYTES

HEADER: Final = struct.Struct("<IBBHQ")
ZSTD_LEVEL: Final = 6
"""Above this the columns shrink by less than one in a thousand, and the build takes longer."""
SAVED_BYTES: Final = 16
"""A column is compressed where that saves more than this; less is not worth decompressing it."""

KNOWN: Final = frozenset(int(column) for column in Column)


class BlockKind(enum.IntEnum):
    """What a block holds."""

    PAGE = 1
    DIRECTORY = 2
    ROOT = 3
    CONTEXT = 4


class Coding(enum.IntEnum):
    """How a column's payload is stored."""

    PLAIN = 0
    ZSTD = 1


CODINGS: Final = frozenset(int(coding) for coding in Coding)


def tag_of(archive_etag: str, archive_size: int) -> int:
    """64 bits that stand for one version of an archive, so that a block of another index is noticed."""
    return int.from_bytes(hashlib.sha256(f"{archive_etag}\0{archive_size}".encode()).digest()[:8], "little")


def new_compressor() -> zstandard.ZstdCompressor:
    """Make what `encode_block` compresses with; one for each thread, because it cannot be shared."""
    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True, write_checksum=False)


def encode_block(kind: int, tag: int, columns: Mapping[int, bytes], compressor: zstandard.ZstdCompressor) -> bytes:
    """Write a block; columns appear in the order of the mapping, each compressed where that pays."""
    table, payloads = [], []
    for column, raw in columns.items():
        stored, coding = raw, Coding.PLAIN
        if len(raw) > SAVED_BYTES:
            squeezed = compressor.compress(raw)
            if len(squeezed) < len(raw) - SAVED_BYTES:
                stored, coding = squeezed, Coding.ZSTD
        table.append(bytes([column, coding]) + varint(len(stored)) + varint(len(raw)))
        payloads.append(stored)
    body = b"".join([HEADER.pack(0, kind, len(columns), 0, tag), *table, *payloads])[4:]
    return zlib.crc32(body).to_bytes(4, "little") + body


class Block:
    """A block that proved itself; its columns are decompressed when they are asked for.

    Args:
        data: The bytes of the block, exactly.
        kind: What it must be.
        tag: Which index it must belong to; None where that is not known yet.
        index: URL of the index, for errors.
        section: Name of the section, for errors.

    Raises:
        IndexDamaged: The checksum, the kind or the tag is not right, or the table does not fill the block.
        IndexUnsupported: It has bits this program does not know.
    """

    __slots__ = ("_columns", "_data", "index", "section", "tag")

    known: ClassVar[frozenset[int]] = KNOWN
    """The columns that must not be passed over."""

    def __len__(self) -> int:
        return len(self._data)

    def __init__(self, data: bytes, kind: int, tag: int | None, *, index: str, section: str) -> None:
        self.index, self.section = index, section
        if len(data) < HEADER.size or zlib.crc32(memoryview(data)[4:]) != int.from_bytes(data[:4], "little"):
            raise self.damaged("the checksum is wrong")
        _, found, count, unknown, self.tag = HEADER.unpack_from(data)
        if unknown:
            raise self.error(ColumnUnknown("a block of another form"))
        if found != kind or (tag is not None and self.tag != tag):
            raise self.damaged("the block belongs elsewhere")
        self._data = data
        self._columns: dict[int, tuple[int, int, int, int]] = {}
        try:
            self._read_table(count)
        except (ColumnDamaged, ColumnUnknown) as fault:
            raise self.error(fault) from None

    def _read_table(self, count: int) -> None:
        data, at, rows = self._data, HEADER.size, []
        for _ in range(count):
            if at + 2 > len(data):
                raise ColumnDamaged("the table of columns is cut off")
            column, coding = data[at], data[at + 1]
            stored, at = read_varint(data, at + 2)
            raw, at = read_varint(data, at)
            rows.append((column, coding, stored, raw))
        for column, coding, stored, raw in rows:
            start, at = at, at + stored
            if column in self._columns:
                raise ColumnDamaged(f"column {column} is there twice")
            if column not in self.known:
                if column < OPTIONAL_FROM:
                    raise ColumnUnknown(f"a column {column}")
                continue
            if coding not in CODINGS:
                raise ColumnUnknown(f"a coding {coding}")
            if coding == Coding.PLAIN and stored != raw:
                raise ColumnDamaged(f"column {column} has impossible lengths")
            self._columns[column] = (coding, start, at, raw)
        if at != len(data):
            raise ColumnDamaged("the columns do not fill the block")
        if sum([raw for _, _, _, raw in self._columns.values()]) > BLOCK_RAW_BYTES:
            raise ColumnDamaged("the columns are too long")

    def error(self, fault: Exception) -> BinderyError:
        """The error to raise for what a column is found to be."""
        if not isinstance(fault, ColumnUnknown):
            return self.damaged(str(fault))
        return IndexUnsupported(
            f"the index has {fault}, which this program does not know",
            hint="Use a later version of bindery.",
            index=self.index,
            section=self.section,
        )

    def damaged(self, what: str) -> BinderyError:
        """The error to raise for anything wrong in here."""
        return IndexDamaged(
            f"the index is damaged: {what}",
            hint="Build it anew with `bindery index`.",
            index=self.index,
            section=self.section,
        )

    def __contains__(self, column: int) -> bool:
        return column in self._columns

    def __getitem__(self, column: int) -> bytes:
        """The raw bytes of a column; empty when the block has no such column."""
        if column not in self._columns:
            return b""
        coding, start, stop, raw_bytes = self._columns[column]
        payload = self._data[start:stop]
        if coding == Coding.PLAIN:
            return payload
        try:
            if zstandard.get_frame_parameters(payload).content_size != raw_bytes:
                raise self.damaged(f"column {column} is not as long as told")
            raw = zstandard.ZstdDecompressor().decompress(payload, max_output_size=raw_bytes, allow_extra_data=False)
        except zstandard.ZstdError:
            raise self.damaged(f"column {column} does not decompress") from None
        if len(raw) != raw_bytes:
            raise self.damaged(f"column {column} is not as long as told")
        return raw

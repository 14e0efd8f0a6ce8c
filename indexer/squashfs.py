"""What a squashfs 4.0 image says of itself: superblock, metadata blocks, inodes, directories, fragments.

Only what lies behind the files' bytes is read; the bytes themselves are for `indexer.plan`. The layout is that of the kernel's
`fs/squashfs/squashfs_fs.h`. Sans-IO, and nothing is taken on trust: every length, count and offset is compared with the bytes
there are.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from indexer.codecs import decoder
from indexer.decoders import take
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, BinderyError
from indexer.limits import SQUASHFS_BLOCKS_KEPT
from indexer.model import Codec

MAGIC: Final = b"hsqs"
SUPERBLOCK_BYTES: Final = 96
METADATA_RAW_BYTES: Final = 8192
"""Decoded length of every metadata block but the last of a table."""
METADATA_PLAIN: Final = 0x8000
"""Bit of a metadata block's length: it is stored as it is."""
BLOCK_PLAIN: Final = 1 << 24
"""Bit of a data block's length: it is stored as it is."""
NO_FRAGMENT: Final = 0xFFFFFFFF
NO_TABLE: Final = 0xFFFFFFFFFFFFFFFF
FRAGMENTS_A_BLOCK: Final = METADATA_RAW_BYTES // 16
BLOCK_BYTES_LEAST: Final = 4096
BLOCK_BYTES_MOST: Final = 1 << 20
DIRECTORY_SLACK: Final = 3
"""A directory's size counts `.` and `..`, which are not stored, as three bytes."""
NAME_BYTES_MOST: Final = 256
TARGET_BYTES_MOST: Final = 65_536
"""Longest target of a symbolic link that the kernel reads."""

COMPRESSORS: Final = {
    1: Codec.ZLIB,
    2: Codec.LZMA_ALONE,
    3: Codec.LZO,
    4: Codec.XZ,
    5: Codec.LZ4_BLOCK,
    6: Codec.ZSTD,
}

DIRECTORY, FILE, SYMLINK = 1, 2, 3
EXTENDED: Final = 7
"""What is added to a basic inode's type to make the extended one."""
SPECIAL: Final = {4: "block device", 5: "character device", 6: "named pipe", 7: "socket"}

COMMON: Final = struct.Struct("<HHHHII")
"""Type, mode, owner, group, mtime, number: the beginning of every inode."""
BODIES: Final = {
    1: struct.Struct("<IIHHI"),
    2: struct.Struct("<IIII"),
    3: struct.Struct("<II"),
    4: struct.Struct("<II"),
    5: struct.Struct("<II"),
    6: struct.Struct("<I"),
    7: struct.Struct("<I"),
    8: struct.Struct("<IIIIHHI"),
    9: struct.Struct("<QQQIIII"),
    10: struct.Struct("<II"),
    11: struct.Struct("<III"),
    12: struct.Struct("<III"),
    13: struct.Struct("<II"),
    14: struct.Struct("<II"),
}
"""What follows, by type, as far as its length does not vary."""
INODE_BYTES_LEAST: Final = 20
"""A socket's: the common part and a count of links."""
ENTRY_BYTES_LEAST: Final = 9
"""A directory entry with a name of one byte. More entries than fit the table are told twice over."""
INDEX_ENTRY: Final = struct.Struct("<III")
DIRECTORY_HEADER: Final = struct.Struct("<III")
DIRECTORY_ENTRY: Final = struct.Struct("<HhHH")
FRAGMENT: Final = struct.Struct("<QII")


@dataclass(frozen=True, slots=True)
class Superblock:
    """The first 96 bytes of an image, checked.

    Args:
        inodes: How many inodes there are.
        block_bytes: Decoded length of every data block but a file's last.
        fragments: How many fragment blocks there are.
        codec: How blocks are compressed that are.
        root: Reference of the root directory's inode.
        stop: Where the image ends; padding may follow.
        inode_table, directory_table, fragment_table: Where those begin; `NO_TABLE` when there are no fragments.
    """

    inodes: int
    block_bytes: int
    fragments: int
    codec: Codec
    root: int
    stop: int
    inode_table: int
    directory_table: int
    fragment_table: int

    FORM: ClassVar = struct.Struct("<4sIIIIHHHHHHQQQQQQQQ")

    @classmethod
    def decode(cls, data: bytes, *, archive: str, archive_bytes: int) -> Superblock:
        """Read a superblock.

        Raises:
            ArchiveDamaged: It is none, or its tables do not lie where they can.
            ArchiveUnsupported: Another version, or a compressor that is not known.
        """
        if len(data) < SUPERBLOCK_BYTES or not data.startswith(MAGIC):
            raise ArchiveDamaged("this is no squashfs image", archive=archive, offset=0)
        values = cls.FORM.unpack_from(data)
        _, inodes, _, block_bytes, fragments, compressor, block_log, _, _, major, minor, root, stop, *tables = values
        _, _, inode_table, directory_table, fragment_table, _ = tables
        if major != 4:
            hint = "Make it anew with a mksquashfs of this century"
            raise ArchiveUnsupported(f"a squashfs of version {major}.{minor}; only 4.0 is read", hint=hint, archive=archive)
        if compressor not in COMPRESSORS:
            raise ArchiveUnsupported(f"a squashfs with compressor {compressor}, which is not known", archive=archive)
        sound = (
            BLOCK_BYTES_LEAST <= block_bytes <= BLOCK_BYTES_MOST
            and block_bytes == 1 << block_log
            and SUPERBLOCK_BYTES <= inode_table < directory_table <= stop <= archive_bytes
            and (fragments == 0 or directory_table < fragment_table <= stop)
        )
        if not sound:
            raise ArchiveDamaged("the superblock contradicts itself or the length of the image", archive=archive, offset=0)
        table = fragment_table if fragments else NO_TABLE
        return cls(inodes, block_bytes, fragments, COMPRESSORS[compressor], root, stop, inode_table, directory_table, table)


class Inode(NamedTuple):
    """One inode.

    Attributes:
        type: Basic type, 1 to 7, whether it was extended or not.
        mtime_s: Seconds since 1970.
        start: Of a file: where its blocks begin in the image; of a directory: of its listing in the directory table.
        offset: Of a file: where its tail begins in its fragment; of a directory: of its listing in the first metadata block.
        size: Bytes of a file or of a listing.
        fragment: Number of the fragment block with a file's tail, or `NO_FRAGMENT`.
        blocks: Length words of a file's blocks.
        target: Of a symbolic link.
    """

    type: int
    mtime_s: int
    start: int = 0
    offset: int = 0
    size: int = 0
    fragment: int = NO_FRAGMENT
    blocks: tuple[int, ...] = ()
    target: bytes = b""


class DirectoryEntry(NamedTuple):
    """One row of a directory: a name, and where its inode is."""

    name: bytes
    type: int
    block: int
    offset: int


class Metadata:
    """The metadata of an image, from the inode table to its end, decoded block by block.

    Args:
        data: Those bytes.
        superblock: Of the image.
        archive: Its URL, for errors.
    """

    def __init__(self, data: bytes, superblock: Superblock, *, archive: str) -> None:
        self.superblock = superblock
        self.archive = archive
        self._data = data
        self._base = superblock.inode_table
        self._kept: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._inode_bytes = METADATA_RAW_BYTES * self._count_blocks(superblock.inode_table, superblock.directory_table)
        tables = (superblock.fragment_table if superblock.fragments else NO_TABLE, superblock.stop)
        self._entries_left = METADATA_RAW_BYTES * self._count_blocks(superblock.directory_table, min(tables)) // ENTRY_BYTES_LEAST
        if superblock.inodes * INODE_BYTES_LEAST > self._inode_bytes:
            raise self.damaged(f"{superblock.inodes} inodes do not fit their table", superblock.inode_table)

    def _count_blocks(self, start: int, stop: int) -> int:
        """How many metadata blocks lie between two offsets of the image, by their lengths alone; at least 1."""
        at, end, count = start - self._base, min(stop - self._base, len(self._data)), 0
        while at + 2 <= end:
            word = int.from_bytes(self._data[at : at + 2], "little")
            at += 2 + (word & ~METADATA_PLAIN or METADATA_PLAIN)
            count += 1
        return max(count, 1)

    def damaged(self, why: str, at: int) -> ArchiveDamaged:
        """The error for what is wrong at an offset of the image."""
        return ArchiveDamaged(f"the squashfs is damaged: {why}", archive=self.archive, offset=at)

    def block(self, at: int) -> tuple[bytes, int]:
        """Decode the metadata block at an offset of the image; returns its bytes and where the next one begins."""
        kept = self._kept.get(at)
        if kept is not None:
            self._kept.move_to_end(at)
            return kept
        begin = at - self._base
        if not 0 <= begin <= len(self._data) - 2:
            raise self.damaged("a metadata block lies outside of the tables", at)
        word = int.from_bytes(self._data[begin : begin + 2], "little")
        length = word & ~METADATA_PLAIN or METADATA_PLAIN
        stored = self._data[begin + 2 : begin + 2 + length]
        if len(stored) != length or (word & METADATA_PLAIN and length > METADATA_RAW_BYTES):
            raise self.damaged("a metadata block is cut off", at)
        raw = stored if word & METADATA_PLAIN else self._decoded(stored, at)
        found = self._kept[at] = (raw, at + 2 + length)
        if len(self._kept) > SQUASHFS_BLOCKS_KEPT:
            self._kept.popitem(last=False)
        return found

    def _decoded(self, stored: bytes, at: int) -> bytes:
        try:
            # One byte more than there can be: a block that holds more is damaged, and is not decoded further.
            raw = take(decoder(self.superblock.codec).feed(stored), METADATA_RAW_BYTES + 1)
        except BinderyError as error:
            raise ArchiveDamaged(f"a metadata block does not decode: {error.message}", archive=self.archive, offset=at) from error
        if not 0 < len(raw) <= METADATA_RAW_BYTES:
            raise self.damaged("a metadata block has an impossible length", at)
        return raw

    def read(self, block: int, offset: int, length: int) -> bytes:
        """Read `length` bytes that begin `offset` bytes into the metadata block at `block`, and go on in those that follow."""
        raw, following = self.block(block)
        if offset > len(raw):
            raise self.damaged("an offset lies outside of its metadata block", block)
        parts, missing = [raw[offset : offset + length]], length - (len(raw) - offset)
        while missing > 0:
            raw, following = self.block(following)
            parts.append(raw[:missing])
            missing -= len(raw)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def inode(self, block: int, offset: int) -> tuple[Inode, int]:
        """Read the inode `offset` bytes into the metadata block at `block` of the inode table; returns it and its length."""
        raw, at = self._view(block, offset, COMMON.size)
        kind, _, _, _, mtime_s, _ = COMMON.unpack_from(raw, at)
        body = BODIES.get(kind)
        if body is None:
            raise self.damaged(f"an inode of type {kind}", block)
        length = COMMON.size + body.size
        raw, at = self._view(block, offset, length)
        values = body.unpack_from(raw, at + COMMON.size)
        basic = kind if kind <= EXTENDED else kind - EXTENDED
        if basic == FILE:
            return self._file(block, offset, length, mtime_s, values)
        if basic == DIRECTORY:
            return self._directory(block, offset, length, mtime_s, values)
        if basic == SYMLINK:
            target_bytes = values[1]
            if target_bytes > TARGET_BYTES_MOST:
                raise self.damaged("a symbolic link has an impossible length", block)
            tail_bytes = target_bytes + (4 if kind > EXTENDED else 0)
            target = self.read(block, offset, length + tail_bytes)[length : length + target_bytes]
            return Inode(SYMLINK, mtime_s, target=target), length + tail_bytes
        return Inode(basic, mtime_s), length

    def _file(self, block: int, offset: int, length: int, mtime_s: int, values: tuple[int, ...]) -> tuple[Inode, int]:
        if len(values) == 4:
            start, fragment, tail_offset, size = values
        else:
            start, size, _, _, fragment, tail_offset, _ = values
        block_bytes = self.superblock.block_bytes
        count = size // block_bytes if fragment != NO_FRAGMENT else -(-size // block_bytes)
        if 4 * count > self._inode_bytes:
            raise self.damaged("a file has more blocks than the tables can tell of", block)
        words: tuple[int, ...] = ()
        if count:
            words = struct.unpack(f"<{count}I", self.read(block, offset, length + 4 * count)[length:])
        return Inode(FILE, mtime_s, start, tail_offset, size, fragment, words), length + 4 * count

    def _directory(self, block: int, offset: int, length: int, mtime_s: int, values: tuple[int, ...]) -> tuple[Inode, int]:
        if len(values) == 5:
            start, _, size, list_offset, _ = values
        else:
            _, size, start, _, indexes, list_offset, _ = values
            for _ in range(indexes):
                fixed = self.read(block, offset, length + INDEX_ENTRY.size)[length:]
                length += INDEX_ENTRY.size + INDEX_ENTRY.unpack(fixed)[2] + 1
        return Inode(DIRECTORY, mtime_s, start, list_offset, max(size - DIRECTORY_SLACK, 0)), length

    def entries(self, directory: Inode) -> Iterator[DirectoryEntry]:
        """Read a directory's listing, in the byte order of names.

        Raises:
            ArchiveDamaged: It is cut off or has impossible counts.
        """
        at, offset, left = self.superblock.directory_table + directory.start, directory.offset, directory.size
        held = b""

        def more(want: int) -> bytes:
            """At least `want` bytes of what is left of the listing, if there are so many."""
            nonlocal at, offset, left, held
            while len(held) < want and left:
                raw, following = self.block(at)
                part = raw[offset : offset + left]
                if not part:
                    raise self.damaged("a directory is cut off", at)
                held += part
                left -= len(part)
                at, offset = following, 0
            return held

        while more(DIRECTORY_HEADER.size):
            if len(held) < DIRECTORY_HEADER.size:
                raise self.damaged("a directory is cut off", at)
            count, block, _ = DIRECTORY_HEADER.unpack_from(held)
            held = held[DIRECTORY_HEADER.size :]
            if count >= NAME_BYTES_MOST:  # the kernel's SQUASHFS_DIR_COUNT
                raise self.damaged("a directory has an impossible count", at)
            for _ in range(count + 1):
                longest = more(DIRECTORY_ENTRY.size + NAME_BYTES_MOST)
                if len(longest) < DIRECTORY_ENTRY.size:
                    raise self.damaged("a directory is cut off", at)
                inode_offset, _, kind, name_bytes = DIRECTORY_ENTRY.unpack_from(longest)
                stop = DIRECTORY_ENTRY.size + name_bytes + 1
                if name_bytes >= NAME_BYTES_MOST or stop > len(longest):
                    raise self.damaged("a name in a directory has an impossible length", at)
                yield DirectoryEntry(longest[DIRECTORY_ENTRY.size : stop], kind, self.superblock.inode_table + block, inode_offset)
                held = longest[stop:]
                self._entries_left -= 1
                if self._entries_left < 0:
                    raise self.damaged("its directories lie over one another", at)

    def inodes(self) -> Iterator[Inode]:
        """Read all inodes in the order of the table."""
        block, offset = self.superblock.inode_table, 0
        for _ in range(self.superblock.inodes):
            inode, length = self.inode(block, offset)
            yield inode
            offset += length
            raw, following = self.block(block)
            while offset >= len(raw) and following < self.superblock.directory_table:
                offset -= len(raw)
                block = following
                raw, following = self.block(block)

    def fragments(self) -> list[tuple[int, int]]:
        """Where each fragment block begins in the image, and its length word."""
        count = self.superblock.fragments
        if not count:
            return []
        blocks = -(-count // FRAGMENTS_A_BLOCK)
        begin = self.superblock.fragment_table - self._base
        places = self._data[begin : begin + 8 * blocks]
        if len(places) != 8 * blocks:
            raise self.damaged("the table of fragments is cut off", self.superblock.fragment_table)
        found = []
        for (at,) in struct.iter_unpack("<Q", places):
            raw, _ = self.block(at)
            found += [(start, word) for start, word, _ in FRAGMENT.iter_unpack(raw[: len(raw) // FRAGMENT.size * FRAGMENT.size])]
        if len(found) < count:
            raise self.damaged("the table of fragments is cut off", self.superblock.fragment_table)
        return found[:count]

    def _view(self, block: int, offset: int, length: int) -> tuple[bytes, int]:
        """Bytes that hold `length` bytes from a place of a table on, and where in them they begin."""
        raw, _ = self.block(block)
        if offset + length <= len(raw):
            return raw, offset
        return self.read(block, offset, length), 0

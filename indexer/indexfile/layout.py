"""The frame of an index file: what stands at its very beginning and end.

    magic and version (16 bytes) | contexts | pages | directory blocks | root block | trailer (64 bytes)

Everything a reader needs first stands last, so that one read of the tail opens the file.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import ClassVar, Final, Self

from indexer.errors import BinderyError, IndexDamaged, IndexUnsupported
from indexer.limits import BLOCK_STORED_BYTES

MAGIC: Final = b"BINDERYX"
MAJOR: Final = 1
"""A reader refuses another major version."""
MINOR: Final = 0
"""A reader passes over what a later minor version added."""
HEADER: Final = MAGIC + struct.pack("<HHI", MAJOR, MINOR, 0)
SUFFIX: Final = ".bindery"


@dataclass(frozen=True, slots=True)
class Trailer:
    """The last 64 bytes of an index file.

        u64 root start | u64 root bytes | u64 file bytes | u64 members | u64 tag | u32 must-know flags | u16 major | u16 minor
        | u32 zero | u32 crc32 of all before | magic

    Args:
        root_start: Offset of the root block.
        root_bytes: Its length.
        file_bytes: Length of the whole file.
        members: How many members it holds.
        tag: Which archive it belongs to (`block.tag_of`).
    """

    root_start: int
    root_bytes: int
    file_bytes: int
    members: int
    tag: int

    MAGIC: ClassVar[bytes] = MAGIC
    FORM: ClassVar = struct.Struct("<QQQQQIHHI")
    BYTES: ClassVar = FORM.size + 4 + len(MAGIC)

    def encode(self) -> bytes:
        """Write the 64 bytes."""
        body = self.FORM.pack(self.root_start, self.root_bytes, self.file_bytes, self.members, self.tag, 0, MAJOR, MINOR, 0)
        return body + zlib.crc32(body).to_bytes(4, "little") + self.MAGIC

    @classmethod
    def decode(cls, tail: bytes, *, file_bytes: int, index: str) -> Self:
        """Read the end of a file.

        Args:
            tail: The last bytes of the file, at least 64 of them if it has so many.
            file_bytes: How long the file really is.
            index: Its URL, for errors.

        Raises:
            IndexDamaged: It is no index, is cut off, or its checksum is wrong.
            IndexUnsupported: It is of a later major version or has flags this program does not know.
        """
        if len(tail) < cls.BYTES or tail[-len(MAGIC) :] != cls.MAGIC:
            raise cls.damaged("this is no {}, or its end is missing", index)
        body = tail[-cls.BYTES : -12]
        if zlib.crc32(body) != int.from_bytes(tail[-12:-8], "little"):
            raise cls.damaged("the {} is damaged: the checksum is wrong", index)
        root_start, root_bytes, told_bytes, members, tag, flags, major, minor, _ = cls.FORM.unpack(body)
        if major != MAJOR or flags:
            raise cls.unsupported(f"the {{}} is of format {major}.{minor} (flags {flags:#x}), this program reads {MAJOR}.x", index)
        placed = len(HEADER) <= root_start and root_start + root_bytes == file_bytes - cls.BYTES
        if told_bytes != file_bytes or root_bytes > BLOCK_STORED_BYTES or not placed:
            raise cls.damaged("the {} is damaged: its length is not what it was", index)
        return cls(root_start, root_bytes, told_bytes, members, tag)

    @classmethod
    def damaged(cls, what: str, url: str) -> BinderyError:
        """The error to raise for a file that is not as it was; `{}` in `what` stands for what the file is."""
        return IndexDamaged(what.format("index file"), hint="Build it anew with `bindery index`.", index=url, section="trailer")

    @classmethod
    def unsupported(cls, what: str, url: str) -> BinderyError:
        """The error to raise for a file that a later program wrote."""
        return IndexUnsupported(what.format("index file"), hint="Use a later version of bindery.", index=url, section="trailer")

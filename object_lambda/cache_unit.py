"""One cached unit: its key, its name on disk, and the file that proves itself.

A unit holds the stored bytes of one span of one version of an object. Its file opens with a header that repeats the key and carries
two checksums, so that a file that is torn, stale, misplaced or somebody else's is known as such without asking anyone::

    0   8  magic                        16  16  digest of the identity     44   4  CRC-32 of the payload
    8   2  version of this layout       32   8  start                      48   4  CRC-32 of the 48 bytes before
    10  6  zero                         40   4  length of the payload      52      the payload

All numbers are little-endian. Nothing here touches the disk.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from indexer.limits import REQUEST_BYTES
from indexer.model import Identity, Span

MAGIC: Final = b"BNDRunit"
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sH6s16sQII")
SEAL: Final = struct.Struct("<I")
HEADER_BYTES: Final = HEADER.size + SEAL.size

UNIT_BYTES_MOST: Final = REQUEST_BYTES
"""Longest payload of a unit: one request's worth, so that a damaged length cannot make a reader take memory for more."""

DISK_BLOCK_BYTES: Final = 4096
"""What file systems give out at least: a budget that counted bytes would fill the disk with small units before it was reached."""

SUFFIX: Final = ".unit"


@dataclass(frozen=True, slots=True)
class UnitKey:
    """Which bytes a unit holds: `span` of the version that `digest` stands for (`Identity.digest`).

    Raises:
        ValueError: The span is empty, or longer than `UNIT_BYTES_MOST`.
    """

    digest: str
    span: Span

    def __post_init__(self) -> None:
        if not 0 < self.span.length <= UNIT_BYTES_MOST or self.span.start < 0:
            raise ValueError(f"no unit holds {self.span}")

    @classmethod
    def of(cls, identity: Identity, span: Span) -> UnitKey:
        """The key of `span` of `identity`."""
        return cls(identity.digest, span)

    @property
    def name_digest(self) -> bytes:
        """16 bytes that stand for the whole key: nothing of a URL reaches a path."""
        return hashlib.sha256(f"{self.digest}-{self.span.start}-{self.span.stop}".encode()).digest()[:16]

    @property
    def folder(self) -> str:
        """Name of the folder the unit lies in: 2 hex digits, so that a folder stays short."""
        return self.name_digest[:1].hex()

    @property
    def file(self) -> str:
        """Name of the unit's file: 32 hex digits, and the length of the payload in hex, so that a listing tells sizes."""
        return f"{self.name_digest.hex()}-{self.span.length:x}{SUFFIX}"


def disk_bytes(payload_bytes: int) -> int:
    """What a unit takes on disk, in whole blocks."""
    return -(-(HEADER_BYTES + payload_bytes) // DISK_BLOCK_BYTES) * DISK_BLOCK_BYTES


def disk_bytes_of(file: str) -> int | None:
    """What the unit of this file name takes on disk, from the name alone; None when it is not the name of a unit."""
    stem, dot, suffix = file.partition(".")
    digest, dash, length = stem.partition("-")
    if dot + suffix != SUFFIX or not dash or len(digest) != 32:
        return None
    try:
        payload_bytes = int(length, 16)
    except ValueError:
        return None
    return disk_bytes(payload_bytes) if 0 < payload_bytes <= UNIT_BYTES_MOST else None


def encode_header(key: UnitKey, payload: bytes) -> bytes:
    """The header of the file that holds `payload`, which is exactly as long as the key's span."""
    if len(payload) != key.span.length:
        raise ValueError(f"{len(payload)} bytes are not the {key.span.length} of {key.span}")
    head = HEADER.pack(MAGIC, VERSION, bytes(6), bytes.fromhex(key.digest), key.span.start, key.span.length, zlib.crc32(payload))
    return head + SEAL.pack(zlib.crc32(head))


def decode(key: UnitKey, file: bytes) -> bytes | None:
    """The payload of a unit's file, or None when the file is not, byte for byte, the unit of `key`.

    Costs one pass over the bytes for the CRC-32 (about 1 ms for 1 MiB) and one copy.
    """
    if len(file) != HEADER_BYTES + key.span.length:
        return None
    head = file[: HEADER.size]
    if SEAL.unpack_from(file, HEADER.size)[0] != zlib.crc32(head):
        return None
    magic, version, _zero, digest, start, length, crc32 = HEADER.unpack(head)
    if (magic, version, digest, start, length) != (MAGIC, VERSION, bytes.fromhex(key.digest), key.span.start, key.span.length):
        return None
    payload = file[HEADER_BYTES:]
    return payload if zlib.crc32(payload) == crc32 else None

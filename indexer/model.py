"""What everything speaks of: identities, spans, frames, extents, members.

`Member`, `Extent` and `Frame` are named tuples because scanners make millions of them (0.2 us against 0.5 us for a frozen
dataclass); they are checked where they enter the floor: by `build` for scanners, by the page decoder for index files.
"""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass
from typing import NamedTuple

from indexer.limits import OBJECT_BYTES


class Span(NamedTuple):
    """Bytes `[start, stop)` of an object or of a decoded frame."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes the span holds."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class Identity:
    """One version of one object: where it is, and which bytes it is.

    Args:
        url: `s3://bucket/key` or `file:///path`, as `indexer.urls` spells it.
        etag: The store's ETag without quotes.
        size: Length in bytes.
    """

    url: str
    etag: str
    size: int

    def __post_init__(self) -> None:
        if not self.url or not self.etag:
            raise ValueError("an identity needs a url and an etag")
        if not 0 <= self.size <= OBJECT_BYTES:
            raise ValueError(f"an object cannot have {self.size} bytes")

    @property
    def digest(self) -> str:
        """32 hex digits that stand for this version in file names and cache keys."""
        return hashlib.sha256(f"{self.url}\0{self.etag}\0{self.size}".encode()).hexdigest()[:32]


class Codec(enum.IntEnum):
    """How the stored bytes of a frame become its decoded bytes. The numbers are written into index files: never reuse one."""

    STORED = 0
    DEFLATE = 1
    DEFLATE64 = 2
    BZIP2 = 3
    LZMA = 4
    """LZMA as zip carries it: version, properties, then the raw stream (APPNOTE 5.8.8)."""
    ZSTD = 5
    GZIP = 6
    """One whole gzip member: header, deflate, CRC-32 and length (RFC 1952)."""
    XZ = 7
    LZO = 8
    LZ4_BLOCK = 9
    ZLIB = 10
    LZMA_ALONE = 11
    """LZMA with the 13-byte header of lzma-utils, as squashfs carries it."""
    DEFLATE_AT = 12
    """Raw deflate entered at a checkpoint: the frame names a window and a bit (DESIGN section 6)."""
    XZ_BLOCK = 13
    """One block of an xz stream, without its padding and its check (xz-file-format 3)."""


NO_CONTEXT = Span(0, 0)


class Frame(NamedTuple):
    """The smallest span of an archive that can be decoded alone.

    Attributes:
        start: Offset in the archive of the frame's first byte, its lead included.
        stored_bytes: Length of the coded bytes, without the lead.
        raw_bytes: Length once decoded; decoding stops there, whatever follows.
        codec: How to decode it.
        lead_bytes: 0, or the length of a zip local header before the coded bytes as the central directory lets us guess it;
            the true length stands in the header itself and is taken from there (APPNOTE 4.3.7).
        context: For `DEFLATE_AT`: where in the *index file* the compressed window lies; an empty span otherwise.
        bit: For `DEFLATE_AT`: the first bit inside the first byte, 0 to 7.
    """

    start: int
    stored_bytes: int
    raw_bytes: int
    codec: Codec
    lead_bytes: int = 0
    context: Span = NO_CONTEXT
    bit: int = 0


class Extent(NamedTuple):
    """Where some bytes of a member lie: `length` decoded bytes of `frame` from `offset`; zeros when there is no frame."""

    frame: Frame | None
    offset: int
    length: int


class Attributes(NamedTuple):
    """What S3 keeps of an object beside its bytes, where it differs from the default (None, empty).

    `metadata` holds the user metadata as pairs in sorted order, names in lower case without `x-amz-meta-`.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


DEFAULT_ATTRIBUTES = Attributes()


class Member(NamedTuple):
    """One original object inside an archive.

    Attributes:
        name: Its name in the archive, UTF-8 bytes, cleaned by `indexer.names`.
        size: Its length in bytes.
        mtime_s: Last-Modified in whole seconds since 1970, as S3 keeps it.
        extents: Its bytes in order; their lengths add up to `size` (none for an empty or unreadable member).
        crc32: CRC-32 of its bytes (zlib's), None when the archive does not tell.
        etag: ETag without quotes, None when the archive does not tell.
        attributes: Content-Type and the like.
        unreadable: Why its bytes cannot be had; None when they can.
    """

    name: bytes
    size: int
    mtime_s: int
    extents: tuple[Extent, ...]
    crc32: int | None = None
    etag: str | None = None
    attributes: Attributes = DEFAULT_ATTRIBUTES
    unreadable: str | None = None

    @property
    def key(self) -> str:
        """The name as text."""
        return self.name.decode()

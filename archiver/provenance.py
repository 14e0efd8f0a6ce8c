"""Tells which sources an archive was made from, by what the packer wrote into it."""

from __future__ import annotations

import re
import zlib
from typing import Final

import zstandard

from indexer.errors import BinderyError
from indexer.limits import KIB
from indexer.model import Identity, Span
from indexer.source import Source

HEAD_BYTES: Final = 64 * KIB
"""The first frame of a tar.zst or tgz of ours is shorter; its first header tells."""

TAIL_BYTES: Final = 256
"""The end of a zip of ours with its comment, or of a squashfs with what stands behind it."""

HEADER_BYTES: Final = 2048
"""Where the first header of our tars ends, at the latest."""

GZIP_MAGIC: Final = b"\x1f\x8b\x08"

_SOURCES: Final = re.compile(rb"BINDERY\.sources=([0-9a-f]{64})")


def sources_of(archive: Identity, source: Source) -> str | None:
    """The hash over the sources that an archive of ours was made from; None when it tells none.

    Args:
        archive: Which version of what.
        source: Where it is read.

    Raises:
        ObjectReplaced, StoreFailed: It could not be read.

    Cost:
        One ask for two spans of at most 64 KiB.
    """
    spans = (Span(0, min(HEAD_BYTES, archive.size)), Span(max(0, archive.size - TAIL_BYTES), archive.size))
    head, tail = source.read(archive, spans)
    match = _SOURCES.search(_first_header(head)) or _SOURCES.search(tail)
    return match[1].decode() if match else None


def _first_header(head: bytes) -> bytes:
    """The first bytes of the tar in the first frame, of zstd or gzip; none when it is neither."""
    try:
        if head.startswith(GZIP_MAGIC):
            return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, HEADER_BYTES)
        return zstandard.ZstdDecompressor().decompressobj().decompress(head)[:HEADER_BYTES]
    except (zstandard.ZstdError, zlib.error):
        return b""


def is_of(archive: Identity, source: Source, sources: str) -> bool:
    """Whether an archive is our own work from exactly these sources; one that cannot be read is not."""
    try:
        return sources_of(archive, source) == sources
    except BinderyError:
        return False

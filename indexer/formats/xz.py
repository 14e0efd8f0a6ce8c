"""A single xz file: one member, in as many frames as the file has streams, or blocks in them (`xz -T` writes many)."""

from __future__ import annotations

import lzma
from typing import Final

from indexer.concatenated import ConcatenatedStream
from indexer.decoders import LZMA_MEMORY_BYTES
from indexer.model import Codec, Identity
from indexer.scan import Scan, ScanSummary
from indexer.singlefile import scan_single
from indexer.xzblocks import blocks

KIND: Final = "xz"
SUFFIXES: Final = (".xz",)

PADDING_BYTES: Final = 4
"""Zero bytes between streams come in multiples of this (xz-file-format 2.2)."""


def scan(of: Identity) -> Scan:
    """Read an xz file as one member. Costs and raises as `singlefile.scan_single`."""
    stream = ConcatenatedStream(of, Codec.XZ, _begin, (lzma.LZMAError, MemoryError), padding_bytes=PADDING_BYTES, parts=blocks)
    return (yield from scan_single(of, ScanSummary(KIND), stream, SUFFIXES, lambda: 0))


def _begin() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY_BYTES)

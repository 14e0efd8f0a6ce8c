"""A single bzip2 file: one member, in as many frames as the file has streams (`pbzip2` writes one for each 900 KB)."""

from __future__ import annotations

import bz2
from typing import Final

from indexer.concatenated import ConcatenatedStream
from indexer.model import Codec, Identity
from indexer.scan import Scan, ScanSummary
from indexer.singlefile import scan_single

KIND: Final = "bz2"
SUFFIXES: Final = (".bz2",)


def scan(of: Identity) -> Scan:
    """Read a bzip2 file as one member. Costs and raises as `singlefile.scan_single`."""
    stream = ConcatenatedStream(of, Codec.BZIP2, bz2.BZ2Decompressor, (OSError, ValueError))
    return (yield from scan_single(of, ScanSummary(KIND), stream, SUFFIXES, lambda: 0))

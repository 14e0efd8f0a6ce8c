"""A single zstd file: one member, in as many frames as the file has."""

from __future__ import annotations

from typing import Final

from indexer.model import Identity
from indexer.scan import Scan, ScanSummary
from indexer.singlefile import scan_single
from indexer.zstdstream import ZstdStream

KIND: Final = "zst"
SUFFIXES: Final = (".zst", ".zstd")


def scan(of: Identity) -> Scan:
    """Read a zstd file as one member. Costs and raises as `singlefile.scan_single`."""
    stream = ZstdStream(of)
    summary = yield from scan_single(of, ScanSummary(KIND), stream, SUFFIXES, lambda: 0)
    summary.facts.update(seek_table=stream.seek_table)
    return summary

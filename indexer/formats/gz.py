"""A single gzip file: one member, in as many frames as it has small gzip members, or checkpoints."""

from __future__ import annotations

from typing import Final

from indexer.gzipstream import GzipStream
from indexer.model import Identity
from indexer.scan import Scan, ScanSummary
from indexer.singlefile import scan_single

KIND: Final = "gz"
SUFFIXES: Final = (".gz",)


def scan(of: Identity) -> Scan:
    """Read a gzip file as one member, with the time of its first header. Costs and raises as `singlefile.scan_single`."""
    stream = GzipStream(of)
    summary = yield from scan_single(of, ScanSummary(KIND), stream, SUFFIXES, lambda: stream.mtime_s)
    summary.facts.update(gzip_members=stream.members, checkpoints=stream.checkpoints)
    return summary

"""Tar: every entry is a frame of its own, stored as it is.

The archive is read from end to end, because only its bytes tell their checksums, and a request for each header would cost more than
the bytes between them as long as members are small.
"""

from __future__ import annotations

from typing import Final

from indexer.asks import spans
from indexer.errors import ArchiveDamaged
from indexer.model import Codec, Extent, Frame, Identity, Span
from indexer.scan import Scan, ScanSummary, in_turn
from indexer.tarmembers import EntrySteps, Placed, extents_of, scan_entries
from indexer.tarstream import Entry, TarFault, TarStream

KIND: Final = "tar"


def scan(of: Identity) -> Scan:
    """Read the members of a tar.

    Costs one dependent step for each `REQUEST_BYTES` of the archive, the next named ahead; twice that when there are links whose
    targets are too many to hold. Memory: one request and one batch.

    Raises:
        ArchiveDamaged: Its headers contradict the format, or it ends early.
    """
    return scan_entries(ScanSummary(KIND), lambda: entries(of))


def entries(of: Identity) -> EntrySteps:
    """Read the entries of a tar, each with its place."""
    stream = TarStream()
    try:
        for piece, ahead in in_turn(Span(0, of.size)):
            (data,) = yield from spans(of, piece, ahead=ahead)
            if done := stream.feed(data):
                yield [placed(entry) for entry in done]
        stream.finish()
    except TarFault as fault:
        raise ArchiveDamaged(fault.why, archive=of.url, offset=fault.at) from None


def placed(entry: Entry) -> Placed:
    """Tell where the bytes of an entry lie: in the archive just as in the stream."""
    start, length = entry.start, entry.stored_bytes
    if not length:
        return entry, extents_of(entry, lambda _start, _stop: ())
    frame = Frame(start, length, length, Codec.STORED)
    if entry.runs is None:
        return entry, (Extent(frame, 0, length),)
    return entry, extents_of(entry, lambda begin, end: (Extent(frame, begin - start, end - begin),))

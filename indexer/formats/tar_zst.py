"""Tar in zstd frames: a zstd frame is a frame, and a member lies in as many of them as it crosses.

The archive is decoded once from end to end, because the tar headers lie in the frames, and so do the bytes whose checksums we keep.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from indexer.asks import spans
from indexer.decodedstream import DecodedStream
from indexer.errors import ArchiveDamaged
from indexer.limits import DECODED_FRAME_BYTES, FRAME_MEMBERS
from indexer.model import Identity, Span
from indexer.scan import Scan, ScanSummary, in_turn
from indexer.tarmembers import EntrySteps, scan_entries
from indexer.tarstream import Entry, TarFault, TarStream
from indexer.zstdstream import ZstdStream, measure

KIND: Final = "tar.zst"


def scan(of: Identity) -> Scan:
    """Read the members of a tar.zst.

    Costs one dependent step for each `REQUEST_BYTES` of the archive, the next named ahead; twice that when there are links whose
    targets are too many to hold, or for a frame with more members than are held until it ends. Memory: one request, one
    piece of decoded bytes, one batch, and the frames that one member crosses.

    Raises:
        ArchiveDamaged: A frame does not decode, a tar header contradicts the format, or the archive ends early.
        ArchiveUnsupported: A frame needs a dictionary, or a larger window than the limit.
        LimitExceeded: It is a bomb.
    """
    summary = ScanSummary(KIND)
    return scan_entries(summary, lambda: entries(of, summary))


def entries(of: Identity, summary: ScanSummary) -> EntrySteps:
    """Read the entries of a tar.zst, each with its place."""
    tar = TarStream()
    zstd = ZstdStream(of)
    decoded = DecodedStream()
    waiting: deque[Entry] = deque()  # whose last frame has not ended yet
    try:
        for piece, ahead in in_turn(Span(0, of.size)):
            (data,) = yield from spans(of, piece, ahead=ahead)
            for told in zstd.feed(data):
                if isinstance(told, bytes):
                    waiting += tar.feed(told)
                    if len(waiting) > FRAME_MEMBERS:
                        decoded.add((yield from measure(of, zstd.frame_start)), of)
                else:
                    decoded.add(told, of)
                if placed := decoded.place(waiting):
                    yield placed
                decoded.forget(waiting[0].start if waiting else tar.holds_from, of)
        zstd.finish()
        tar.finish()
    except TarFault as fault:
        raise ArchiveDamaged(fault.why, archive=of.url, offset=zstd.frame_start, tar_offset=fault.at) from None
    summary.facts.update(
        frames=zstd.frames,
        largest_frame_bytes=zstd.largest_frame,
        seek_table=zstd.seek_table,
        single_frame=zstd.frames == 1 and zstd.largest_frame > DECODED_FRAME_BYTES,
    )

"""Tar in gzip: small gzip members are frames as they are, long ones are entered at checkpoints.

The archive is decoded from end to end: the tar headers lie in the stream, and so do the bytes whose checksums we keep.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from typing import Any, Final

from indexer.asks import spans
from indexer.decodedstream import DecodedStream
from indexer.errors import ArchiveDamaged, LimitExceeded
from indexer.gzipstream import Framed, GzipStream
from indexer.limits import DECODED_FRAME_BYTES, GZIP_MEMBERS_WAITING
from indexer.model import Frame, Identity, Span
from indexer.scan import Keep, Scan, ScanSummary, in_turn
from indexer.tarmembers import EntrySteps, scan_entries
from indexer.tarstream import Entry, TarFault, TarStream

KIND: Final = "tar.gz"


def scan(of: Identity) -> Scan:
    """Read the members of a tar.gz.

    Costs one dependent step for each `REQUEST_BYTES` of the archive, the next named ahead; twice that when there are links whose
    targets are too many to hold. Decodes it twice, once for its bytes and once for its checkpoints. Memory: one request, one
    stretch of the stream (`GZIP_STRETCH_STORED_BYTES`), and the entries in it.

    Raises:
        ArchiveDamaged: A gzip member does not decode, a tar header contradicts the format, or the archive ends early.
        LimitExceeded: It is a bomb, or cannot be entered anywhere in a stretch with very many members.
    """
    summary = ScanSummary(KIND)
    contexts = _Contexts()
    return scan_entries(summary, lambda: entries(of, summary, contexts))


def entries(of: Identity, summary: ScanSummary, contexts: _Contexts) -> EntrySteps:
    """Read the entries of a tar.gz, each with its place."""
    tar = TarStream()
    gzip = GzipStream(of)
    decoded = DecodedStream()
    waiting: deque[Entry] = deque()  # whose last frame is not known yet
    contexts.begin()
    try:
        for piece, ahead in in_turn(Span(0, of.size)):
            (data,) = yield from spans(of, piece, ahead=ahead)
            for told in gzip.feed(data):
                if isinstance(told, bytes):
                    waiting += tar.feed(told)
                    if len(waiting) > GZIP_MEMBERS_WAITING:
                        raise LimitExceeded(
                            f"more than {GZIP_MEMBERS_WAITING} members lie in one block of the gzip stream",
                            hint="Pack it anew with `bindery pack`",
                            archive=of.url,
                        )
                    continue
                decoded.add((yield from contexts.keep(told)), of)
                if placed := decoded.place(waiting):
                    yield placed
                decoded.forget(waiting[0].start if waiting else tar.holds_from, of)
        gzip.finish()
        tar.finish()
    except TarFault as fault:
        raise ArchiveDamaged(fault.why, archive=of.url, tar_offset=fault.at) from None
    summary.facts.update(
        gzip_members=gzip.members,
        checkpoints=gzip.checkpoints,
        largest_frame_bytes=gzip.largest_frame,
        single_frame=gzip.members == 1 and gzip.largest_frame > DECODED_FRAME_BYTES,
    )


class _Contexts:
    """Has the contexts of an archive kept, once, however often it is read."""

    def __init__(self) -> None:
        self._kept: list[Span] = []
        self._told = 0

    def begin(self) -> None:
        """Say that the archive is read from its start."""
        self._told = 0

    def keep(self, framed: Framed) -> Generator[Keep, Any, Frame]:
        """The frame with the place of its context."""
        if not framed.context:
            return framed.frame
        if self._told == len(self._kept):
            self._kept.append((yield Keep(framed.context)))
        self._told += 1
        return framed.frame._replace(context=self._kept[self._told - 1])

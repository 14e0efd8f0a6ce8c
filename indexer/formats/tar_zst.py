"""Tar in zstd frames: a zstd frame is a frame, and a member lies in as many of them as it crosses.

The archive is decoded once from end to end, because the tar headers lie in the frames, and so do the bytes whose checksums we keep.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from typing import Final

from indexer.asks import spans
from indexer.errors import ArchiveDamaged, LimitExceeded
from indexer.limits import DECODED_FRAME_BYTES, FRAME_MEMBERS, FRAME_RAW_BYTES_HELD, FRAMES_HELD, MEMBER_EXTENTS
from indexer.model import Extent, Frame, Identity, Span
from indexer.scan import Scan, ScanSummary, in_turn
from indexer.tarmembers import EntrySteps, Placed, extents_of, scan_entries
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


class DecodedStream:
    """Which frames the decoded stream consists of, as far as they are known and still needed."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._frames: list[Frame] = []
        self._stop = 0

    def add(self, frame: Frame, of: Identity) -> None:
        """Take the frame that comes next, or once more the last one, which was measured before it ended.

        Raises:
            ArchiveDamaged: It is not what it was when it was measured.
        """
        if self._frames and self._frames[-1].start == frame.start:
            if self._frames[-1] != frame:
                raise ArchiveDamaged("a zstd frame decodes to something else each time", archive=of.url, offset=frame.start)
            return
        self._starts.append(self._stop)
        self._frames.append(frame)
        self._stop += frame.raw_bytes

    def place(self, waiting: deque[Entry]) -> list[Placed]:
        """Take from `waiting` the entries whose bytes lie in frames that are known."""
        placed = []
        while waiting and waiting[0].start + waiting[0].stored_bytes <= self._stop:
            entry = waiting.popleft()
            placed.append((entry, extents_of(entry, self._locate)))
        return placed

    def forget(self, before: int, of: Identity) -> None:
        """Drop the frames that end at or before `before` in the decoded stream.

        Raises:
            LimitExceeded: Too many are left, because one member crosses them all.
        """
        count = len(self._frames)
        if count > FRAMES_HELD and (count > MEMBER_EXTENTS or self._stop - self._starts[0] < count * FRAME_RAW_BYTES_HELD):
            raise LimitExceeded(f"one member lies in more than {count} zstd frames", archive=of.url, offset=self._frames[0].start)
        # The last one is kept for `add` to know; a frame ends where the next one starts.
        unneeded = min(bisect_right(self._starts, before) - 1, count - 1)
        if unneeded > 0:
            del self._starts[:unneeded], self._frames[:unneeded]

    def _locate(self, start: int, stop: int) -> Iterator[Extent]:
        """Tell which parts of which frames `[start, stop)` of the decoded stream consists of."""
        position = bisect_right(self._starts, start) - 1
        while start < stop:
            frame, frame_start = self._frames[position], self._starts[position]
            length = min(stop, frame_start + frame.raw_bytes) - start
            yield Extent(frame, start - frame_start, length)
            start += length
            position += 1

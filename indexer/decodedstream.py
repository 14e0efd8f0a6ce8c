"""Which frames a decoded stream consists of, so that what lies in it is told as extents. The same for every compressed tar."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator

from indexer.errors import ArchiveDamaged, LimitExceeded
from indexer.limits import FRAME_RAW_BYTES_HELD, FRAMES_HELD, MEMBER_EXTENTS
from indexer.model import Extent, Frame, Identity
from indexer.tarmembers import Placed, extents_of
from indexer.tarstream import Entry


class DecodedStream:
    """The frames of a decoded stream, as far as they are known and still needed."""

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
                raise ArchiveDamaged("a frame decodes to something else each time", archive=of.url, offset=frame.start)
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
            raise LimitExceeded(f"one member lies in more than {count} frames", archive=of.url, offset=self._frames[0].start)
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

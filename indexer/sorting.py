"""Sorts members by name in bounded memory: sorted runs on disk, merged in blocks.

A run is a file of blocks, each the marshalled list of some members as plain tuples (marshal is three times faster than pickle, and
no run outlives its process). Merging takes from every run the members up to the least of the last names of their blocks, and
sorts those: timsort merges what is sorted already, in C.
"""

from __future__ import annotations

import errno
import marshal
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import IO, Any, Final

from indexer.errors import DiskFull
from indexer.model import Attributes, Codec, Extent, Frame, Member, Span

RUN_MEMBERS: Final = 100_000
"""Members sorted in memory at once: about 60 MB."""
BLOCK_MEMBERS: Final = 512
"""Members in one block of a run: so many of each run are in memory while runs are merged."""
MERGED_RUNS: Final = 128
"""Most runs merged at once; of more, each so many are first merged to one. Takes about 40 MB."""

Plain = tuple[Any, ...]
by_name = itemgetter(0)


class MemberSorter:
    """Takes members in any order and gives them back sorted by name; of two with one name the later one is given back.

    Args:
        scratch: Folder for the runs; they are gone when the sorter is closed or the process ends.

    Raises:
        DiskFull: The scratch folder has no room for the runs.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._members: list[Member] = []
        self._runs: list[_Run] = []
        self.duplicates = 0
        self.duplicate_examples: list[str] = []

    def add(self, members: Iterable[Member]) -> None:
        """Take some members."""
        self._members.extend(members)
        if len(self._members) >= RUN_MEMBERS:
            self._members.sort(key=by_name)
            self._spill(_plain(member) for member in self._members)
            self._members = []

    def sorted(self) -> Iterator[Member]:
        """Give the members back, each name once; afterwards `duplicates` tells how many were dropped."""
        self._members.sort(key=by_name)
        if not self._runs:
            return self._unique(iter(self._members))
        # The members still in memory are the last run: among equal names the later run wins.
        self._spill(_plain(member) for member in self._members)
        self._members = []
        while len(self._runs) > MERGED_RUNS:
            merged, rest = self._runs[:MERGED_RUNS], self._runs[MERGED_RUNS:]
            self._runs = []
            self._spill(_merge(merged))
            for run in merged:
                run.close()
            self._runs += rest
        return self._unique(map(_member, _merge(self._runs)))

    def close(self) -> None:
        """Give the scratch space back."""
        for run in self._runs:
            run.close()
        self._runs = []

    def _spill(self, members: Iterable[Plain]) -> None:
        run = _Run(self._scratch)
        self._runs.append(run)
        run.write(members)

    def _unique(self, members: Iterator[Member]) -> Iterator[Member]:
        held: Member | None = None
        for member in members:
            if held is not None:
                if held.name == member.name:
                    self.duplicates += 1
                    if len(self.duplicate_examples) < 10:
                        self.duplicate_examples.append(member.key)
                else:
                    yield held
            held = member
        if held is not None:
            yield held


class _Run:
    """Members in name order on disk; the file has no name, so nothing is left behind."""

    def __init__(self, scratch: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch, prefix="bindery-run-")  # noqa: SIM115 - closed by `close`

    def write(self, members: Iterable[Plain]) -> None:
        """Write the whole run."""
        block: list[Plain] = []
        try:
            for member in members:
                block.append(member)
                if len(block) == BLOCK_MEMBERS:
                    marshal.dump(block, self._file)
                    block = []
            if block:
                marshal.dump(block, self._file)
            self._file.flush()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    "there is no room to sort the members", hint="Free some space or name another scratch folder with TMPDIR"
                ) from None
            raise

    def blocks(self) -> Iterator[list[Plain]]:
        """Read the run back, block by block."""
        self._file.seek(0)
        while True:
            try:
                yield marshal.load(self._file)  # noqa: S302 - written by this process, into a file without a name
            except EOFError:
                return

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


def _merge(runs: list[_Run]) -> Iterator[Plain]:
    """Merge runs; members of one name come in the order of their runs."""
    readers = [run.blocks() for run in runs]
    blocks = [next(reader, []) for reader in readers]
    while True:
        bounds = [block[-1][0] for block in blocks if block]
        if not bounds:
            return
        bound = min(bounds)
        ready: list[Plain] = []
        for place, reader in enumerate(readers):
            # A name may go on in the run's next block: take that too, or a later run's member would come before it.
            while (block := blocks[place]) and block[0][0] <= bound:
                cut = bisect_right(block, bound, key=by_name)
                ready += block[:cut]
                blocks[place] = block[cut:] or next(reader, [])
        ready.sort(key=by_name)
        yield from ready


def _plain(member: Member) -> Plain:
    """A member as what marshal takes: tuples, bytes, numbers."""
    name, size, mtime_s, extents, crc32, etag, attributes, unreadable = member
    flat = [
        (
            None if frame is None else (*frame[:3], int(frame.codec), frame.lead_bytes, tuple(frame.context), frame.bit),
            offset,
            length,
        )
        for frame, offset, length in extents
    ]
    return name, size, mtime_s, flat, crc32, etag, tuple(attributes), unreadable


def _member(plain: Plain) -> Member:
    """A member back from its plain form."""
    name, size, mtime_s, flat, crc32, etag, attributes, unreadable = plain
    extents = tuple([Extent(None if frame is None else _frame(frame), offset, length) for frame, offset, length in flat])
    return Member(name, size, mtime_s, extents, crc32, etag, Attributes._make(attributes), unreadable)


def _frame(plain: Plain) -> Frame:
    start, stored_bytes, raw_bytes, codec, lead_bytes, context, bit = plain
    return Frame(start, stored_bytes, raw_bytes, _CODECS[codec], lead_bytes, Span._make(context), bit)


_CODECS: Final = {int(codec): codec for codec in Codec}

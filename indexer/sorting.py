"""Sorts members by name in bounded memory: sorted runs on disk, merged in blocks.

A run is a file of blocks, each the marshalled list of some rows (marshal is three times faster than pickle, and no run outlives
its process). Merging takes from every run the rows up to the least of the last names of their blocks, and
sorts those: timsort merges what is sorted already, in C.
"""

from __future__ import annotations

import errno
import marshal
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import IO, Final

from indexer.errors import DiskFull
from indexer.rows import Row

RUN_MEMBERS: Final = 100_000
"""Members sorted in memory at once: about 60 MB."""
BLOCK_MEMBERS: Final = 512
"""Members in one block of a run: so many of each run are in memory while runs are merged."""
MERGED_RUNS: Final = 128
"""Most runs merged at once; of more, each so many are first merged to one. Takes about 40 MB."""

by_name = itemgetter(0)


class RowSorter:
    """Takes rows (`indexer.rows`) in any order and gives them back sorted by name; of two with one name only the later one.

    Args:
        scratch: Folder for the runs; they are gone when the sorter is closed or the process ends.

    Raises:
        DiskFull: The scratch folder has no room for the runs.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._rows: list[Row] = []
        self._runs: list[_Run] = []
        self.duplicates = 0
        self.duplicate_examples: list[str] = []

    def add(self, rows: Iterable[Row]) -> None:
        """Take some rows."""
        self._rows.extend(rows)
        if len(self._rows) >= RUN_MEMBERS:
            self._rows.sort(key=by_name)
            self._spill(self._rows)
            self._rows = []

    def sorted(self) -> Iterator[Row]:
        """Give the rows back, each name once; afterwards `duplicates` tells how many were dropped."""
        self._rows.sort(key=by_name)
        if not self._runs:
            return self._unique(iter(self._rows))
        # The rows still in memory are the last run: among equal names the later run wins.
        self._spill(self._rows)
        self._rows = []
        while len(self._runs) > MERGED_RUNS:
            merged = self._runs[:MERGED_RUNS]
            self._spill(_merge(merged))
            # The oldest runs became one: it takes their place, because among equal names the later run wins.
            self._runs[:MERGED_RUNS] = [self._runs.pop()]
            for run in merged:
                run.close()
        return self._unique(_merge(self._runs))

    def close(self) -> None:
        """Give the scratch space back."""
        for run in self._runs:
            run.close()
        self._runs = []

    def _spill(self, rows: Iterable[Row]) -> None:
        run = _Run(self._scratch)
        self._runs.append(run)
        run.write(rows)

    def _unique(self, rows: Iterator[Row]) -> Iterator[Row]:
        held: Row | None = None
        for row in rows:
            if held is not None:
                if held[0] == row[0]:
                    self.duplicates += 1
                    if len(self.duplicate_examples) < 10:
                        self.duplicate_examples.append(row[0].decode())
                else:
                    yield held
            held = row
        if held is not None:
            yield held


class _Run:
    """Members in name order on disk; the file has no name, so nothing is left behind."""

    def __init__(self, scratch: Path) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch, prefix="bindery-run-")  # noqa: SIM115 - closed by `close`

    def write(self, rows: Iterable[Row]) -> None:
        """Write the whole run."""
        block: list[Row] = []
        try:
            for row in rows:
                block.append(row)
                if len(block) == BLOCK_MEMBERS:
                    self._put(block)
                    block = []
            if block:
                self._put(block)
            self._file.flush()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(
                    "there is no room to sort the members", hint="Free some space or name another scratch folder with TMPDIR"
                ) from None
            raise

    def _put(self, block: list[Row]) -> None:
        data = marshal.dumps(block)
        self._file.write(len(data).to_bytes(4, "little") + data)

    def blocks(self) -> Iterator[list[Row]]:
        """Read the run back, block by block."""
        self._file.seek(0)
        while length := int.from_bytes(self._file.read(4), "little"):
            yield marshal.loads(self._file.read(length))  # noqa: S302 - written by this process, into a file without a name

    def close(self) -> None:
        """Drop the file."""
        with suppress(OSError):  # what a full disk did not take is not missed
            self._file.close()


def _merge(runs: list[_Run]) -> Iterator[Row]:
    """Merge runs; rows of one name come in the order of their runs."""
    readers = [run.blocks() for run in runs]
    blocks = [next(reader, []) for reader in readers]
    while True:
        bounds = [block[-1][0] for block in blocks if block]
        if not bounds:
            return
        bound = min(bounds)
        ready: list[Row] = []
        for place, reader in enumerate(readers):
            # A name may go on in the run's next block: take that too, or a later run's member would come before it.
            while (block := blocks[place]) and block[0][0] <= bound:
                cut = bisect_right(block, bound, key=by_name)
                ready += block[:cut]
                blocks[place] = block[cut:] or next(reader, [])
        ready.sort(key=by_name)
        yield from ready

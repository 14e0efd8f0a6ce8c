"""Keeping the cache folder within its budget: a tally of what was written, and a sweep when enough was.

All processes that share the folder share the tally: a file whose length is the number of disk blocks written since the last sweep.
It is only ever appended to and cut to nothing, so a process killed anywhere leaves it usable. The oldest units go first; a unit's
age is its mtime, which a reader renews (`cache.DiskCache`).
"""

from __future__ import annotations

import fcntl
import heapq
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from object_lambda.cache_unit import DISK_BLOCK_BYTES, disk_bytes, disk_bytes_of

TALLY_FILE: Final = "tally"
SWEEP_LOCK_FILE: Final = "sweep.lock"
TEMPORARY_SUFFIX: Final = ".tmp"

STEPS: Final = 16
"""The budget is cut in so many steps: a sweep is looked for each time a step was written, and frees two. So a folder is at most a
step over what the last sweep left, a unit is stat'ed about 8 times in its life, and a unit longer than a step is not kept."""

TEMPORARY_LIFE_S: Final = 600.0
"""A temporary file this old belongs to a process that is gone: writing one takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep found and did, in bytes on disk."""

    found_bytes: int
    freed_bytes: int


@dataclass(frozen=True, slots=True)
class Eviction:
    """Keeps `folder` within `budget_bytes`, together with every other process that does.

    Args:
        folder: The cache folder.
        budget_bytes: Most bytes on disk that units take, in whole blocks.
    """

    folder: str
    budget_bytes: int

    @property
    def step_bytes(self) -> int:
        """How much is written between two looks at the folder; the longest unit that is kept."""
        return self.budget_bytes // STEPS

    def keeps(self, payload_bytes: int) -> bool:
        """Whether a unit of this length has a place in the budget at all."""
        return disk_bytes(payload_bytes) <= self.step_bytes

    def wrote(self, payload_bytes: int) -> bool:
        """Note that a unit was written. Costs one append to a file.

        Returns:
            Whether it is time to `sweep`.
        """
        tally = os.open(f"{self.folder}/{TALLY_FILE}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(tally, bytes(disk_bytes(payload_bytes) // DISK_BLOCK_BYTES))
            return os.fstat(tally).st_size * DISK_BLOCK_BYTES >= self.step_bytes
        finally:
            os.close(tally)

    def sweep(self, now_s: float, *, at_least_bytes: int = 0) -> Swept | None:
        """Remove leftover temporary files and, when the budget is nearly reached, the oldest units.

        Only one process sweeps at a time. Costs one listing of the folder, and one stat a unit when something has to go; memory for
        the units that go.

        Args:
            now_s: The time, in seconds since 1970.
            at_least_bytes: Free so much even when the budget would allow more: another has filled the disk.

        Returns:
            What was done; None when another process is at it.
        """
        lock = os.open(f"{self.folder}/{SWEEP_LOCK_FILE}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            with suppress(FileNotFoundError):
                os.truncate(f"{self.folder}/{TALLY_FILE}", 0)
            return self._sweep(now_s, at_least_bytes)
        finally:
            os.close(lock)

    def _sweep(self, now_s: float, at_least_bytes: int) -> Swept:
        found_bytes = 0
        for entry in self._entries():
            size = disk_bytes_of(entry.name)
            if size is not None:
                found_bytes += size
            elif entry.name.endswith(TEMPORARY_SUFFIX):
                with suppress(FileNotFoundError):
                    if entry.stat(follow_symlinks=False).st_mtime < now_s - TEMPORARY_LIFE_S:
                        os.unlink(entry.path)  # noqa: PTH108 - pathlib costs 4 ms of every cold start
        excess = at_least_bytes
        if found_bytes > self.budget_bytes - self.step_bytes:
            excess = max(excess, found_bytes - (self.budget_bytes - 2 * self.step_bytes))
        freed_bytes = 0
        for path, size in self._oldest(excess):
            with suppress(FileNotFoundError):
                os.unlink(path)  # noqa: PTH108 - as above
            freed_bytes += size
        return Swept(found_bytes, freed_bytes)

    def _oldest(self, wanted_bytes: int) -> list[tuple[str, int]]:
        """The fewest oldest units that together take `wanted_bytes`; all of them when there are not so many."""
        newest_first: list[tuple[int, str, int]] = []
        held_bytes = 0
        if wanted_bytes <= 0:
            return []
        for entry in self._entries():
            size = disk_bytes_of(entry.name)
            if size is None:
                continue
            try:
                mtime_ns = entry.stat(follow_symlinks=False).st_mtime_ns
            except FileNotFoundError:
                continue
            heapq.heappush(newest_first, (-mtime_ns, entry.path, size))
            held_bytes += size
            while held_bytes - newest_first[0][2] >= wanted_bytes:
                held_bytes -= heapq.heappop(newest_first)[2]
        return [(path, size) for _, path, size in newest_first]

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        """Every file in the unit folders."""
        with os.scandir(self.folder) as folders:
            for folder in folders:
                if len(folder.name) == 2 and folder.is_dir(follow_symlinks=False):
                    with suppress(FileNotFoundError), os.scandir(folder.path) as files:
                        yield from files


def make_folder(path: str) -> None:
    """Make a folder of the cache, for its owner alone; nothing when it is there."""
    os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103 - as above

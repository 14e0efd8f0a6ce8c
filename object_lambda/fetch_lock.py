"""One fetch for all processes of a host, or of all hosts that share a cache folder: a lock a process takes while it fetches.

A record lock on one byte of one file, at an offset made from what is fetched: two different fetches never wait for each other, and
nothing is left behind. The kernel drops the locks of a process that dies. Waiting is bounded: the lock saves requests, it never
decides whether a read succeeds.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from object_lambda.cache_eviction import make_folder
from object_lambda.cache_unit import UnitKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from indexer.model import Identity, Span

LOCK_FILE: Final = "fetch.lock"

WAIT_S: Final = 2.0
"""Longest wait for another process's fetch: many times what S3 takes to answer, little for a caller who waits in vain once."""

FIRST_PAUSE_S: Final = 0.002
LONGEST_PAUSE_S: Final = 0.05
"""Pauses between attempts double from the one to the other: S3 answers after 10 to 100 ms."""


class FetchLock:
    """The locks in one cache folder.

    POSIX record locks belong to the process, not to the thread: threads are kept apart by `fetch` itself.

    Args:
        folder: The cache folder.
        clock: Seconds of a clock that only goes forward (`time.monotonic`).
    """

    def __init__(self, folder: str, *, clock: Callable[[], float]) -> None:
        self._folder = folder
        self._clock = clock
        self._opening = threading.Lock()
        self._opened: int | None = None

    def attempts(self, of: Identity, first: Span) -> Iterator[float]:
        """Try to take the lock for a fetch whose first unit is `first`.

        Yields:
            How long to pause before the next attempt. The end means: go on. The lock is held then, or another process has held it
            for `WAIT_S`, or there can be no lock here.
        """
        deadline_s = self._clock() + WAIT_S
        pause_s = FIRST_PAUSE_S
        while not self._take(_offset(of, first)) and self._clock() < deadline_s:
            yield pause_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def release(self, of: Identity, first: Span) -> None:
        """Give the lock back; nothing when it is not held."""
        if self._opened is not None:
            with suppress(OSError):
                fcntl.lockf(self._opened, fcntl.LOCK_UN, 1, _offset(of, first))

    def _take(self, offset: int) -> bool:
        """Whether to wait no longer: the lock was taken, or cannot be had at all."""
        try:
            file = self._file()
        except OSError:
            return True
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except (BlockingIOError, PermissionError):  # POSIX leaves open which of the two tells a held lock
            return False
        except OSError:
            return True
        return True

    def _file(self) -> int:
        """The lock file, opened once and never closed: closing any descriptor of it would give back all locks of the process."""
        with self._opening:
            if self._opened is None:
                make_folder(self._folder)
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._opened = os.open(f"{self._folder}/{LOCK_FILE}", flags, 0o600)
            return self._opened


def _offset(of: Identity, first: Span) -> int:
    return int.from_bytes(UnitKey.of(of, first).name_digest[:7], "little")

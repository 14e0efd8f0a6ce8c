"""The disk cache: archive and index bytes under a folder that many threads and many processes may share (EFS, NFS).

One file a unit (`cache_unit`), written to a temporary name and renamed, so that a unit is there whole or not at all; each read
verifies it anew, so that not even a file system that tears writes makes a wrong byte. Reading and writing take no lock; only
eviction does (`cache_eviction`). There is no fsync: after a power cut a unit may be damaged, and is dropped.

The cache is a help, never a condition: whatever fails here, the caller reads from the store. It holds stored bytes only, never
decoded ones.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from indexer.model import Identity, Span
from object_lambda.cache_eviction import TEMPORARY_SUFFIX, Eviction, make_folder
from object_lambda.cache_unit import HEADER_BYTES, UnitKey, decode, encode_header

TOUCH_AFTER_S: Final = 300.0
"""A unit that is read has its mtime renewed at most this often: age decides only which unit goes first."""

ASIDE_S: Final = 60.0
"""After a failed write (disk full, folder not writable) nothing is written for this long."""

TEMPORARY_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Cache(Protocol):
    """Where stored bytes are kept between requests. Neither call raises; both may come from any thread."""

    def get(self, of: Identity, span: Span) -> bytes | None:
        """The bytes of `span`, or None when they are not here."""
        ...

    def put(self, of: Identity, span: Span, data: bytes) -> None:
        """Keep `data`, the bytes of `span`, if there is room."""
        ...


class NoCache:
    """Keeps nothing."""

    def get(self, of: Identity, span: Span) -> bytes | None:  # noqa: ARG002 - the protocol's names
        """None."""
        return None

    def put(self, of: Identity, span: Span, data: bytes) -> None:
        """Forgets."""


class DiskCache:
    """A cache in a folder.

    Args:
        folder: Where units lie; made when it is missing, readable by its owner alone.
        budget_bytes: Most bytes on disk that units take. A unit longer than a sixteenth of it is not kept.
        clock: Seconds since 1970 (`time.time`), comparable with the folder's mtimes.
        report: Takes one line when the cache cannot write, or holds a damaged unit; once for each kind until it works again.
    """

    def __init__(self, folder: str, *, budget_bytes: int, clock: Callable[[], float], report: Callable[[str], None]) -> None:
        self.folder = folder
        self._eviction = Eviction(folder, budget_bytes)
        self._clock = clock
        self._report = report
        self._reported: set[str] = set()
        self._aside_until_s = float("-inf")
        self._numbers = itertools.count()
        self._stem = os.urandom(8).hex()

    def get(self, of: Identity, span: Span) -> bytes | None:
        """The verified bytes of `span`, or None. Costs an open and a read; sometimes an mtime."""
        key = UnitKey.of(of, span)
        path = self._path(key)
        try:
            # O_NOFOLLOW, O_NONBLOCK: a folder that others can write to must not make us read, or wait for, something else.
            unit = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._tell("read", f"the cache in {self.folder} cannot be read: {error.strerror}")
            return None
        try:
            # One byte more than there should be tells a file that is too long.
            payload = decode(key, os.read(unit, HEADER_BYTES + span.length + 1))
            if payload is not None:
                self._touch(unit)
        except OSError:
            payload = None
        finally:
            os.close(unit)
        if payload is None:
            self._tell("damaged", f"the cache in {self.folder} holds a damaged unit, which is dropped: {key.file}")
            with suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - as below
        return payload

    def put(self, of: Identity, span: Span, data: bytes) -> None:
        """Keep `data`. Costs a file written and renamed, and now and then a sweep of the folder."""
        key = UnitKey.of(of, span)
        if not self._eviction.keeps(span.length) or self._clock() < self._aside_until_s:
            return
        try:
            self._write(key, data)
            if self._eviction.wrote(span.length):
                self._eviction.sweep(self._clock())
        except OSError as error:
            self._step_aside(error)
        else:
            self._reported.discard("write")

    def _path(self, key: UnitKey) -> str:
        return f"{self.folder}/{key.folder}/{key.file}"

    def _write(self, key: UnitKey, data: bytes) -> None:
        path = self._path(key)
        temporary = f"{self.folder}/{key.folder}/{os.getpid():x}-{self._stem}-{next(self._numbers):x}{TEMPORARY_SUFFIX}"
        try:
            unit = os.open(temporary, TEMPORARY_FLAGS, 0o600)
        except FileNotFoundError:
            make_folder(self.folder)
            make_folder(f"{self.folder}/{key.folder}")
            unit = os.open(temporary, TEMPORARY_FLAGS, 0o600)
        try:
            with os.fdopen(unit, "wb") as out:
                out.write(encode_header(key, data))
                out.write(data)
            os.replace(temporary, path)  # noqa: PTH105 - pathlib costs 4 ms of every cold start
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108 - as above
            raise

    def _touch(self, unit: int) -> None:
        """Renew the unit's age; where that is not allowed, units go in the order they were written."""
        now_s = self._clock()
        if os.fstat(unit).st_mtime < now_s - TOUCH_AFTER_S:
            with suppress(OSError):
                os.utime(unit, (now_s, now_s))

    def _step_aside(self, error: OSError) -> None:
        self._aside_until_s = self._clock() + ASIDE_S
        self._tell("write", f"the cache in {self.folder} cannot be written and steps aside: {error.strerror}")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            # Others fill the same disk: give back a part, so that both can go on.
            with suppress(OSError):
                self._eviction.sweep(self._clock(), at_least_bytes=self._eviction.step_bytes)

    def _tell(self, kind: str, line: str) -> None:
        if kind not in self._reported:
            self._reported.add(kind)
            self._report(line)

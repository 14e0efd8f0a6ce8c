"""Fetches sources with many requests in flight, and hands their bytes on in order.

Memory is bounded by the bytes in flight: a million small objects and one of 20 GiB go through alike, the large one in pieces.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Final, NamedTuple

from archiver.sources import Chosen, Fetched, Reader
from archiver.writers import Sums
from indexer.limits import MIB
from indexer.model import Attributes

PIECE_BYTES: Final = 4 * MIB
"""A longer source is fetched in pieces of this: long enough that the first byte's delay does not count."""

LEAST_HELD_BYTES: Final = 2048
"""What a fetched source counts for at least; its objects take that beside its bytes."""


class Piece(NamedTuple):
    """Bytes of a source.

    Attributes:
        chosen: Which source.
        data: All its bytes, or the next ones.
        start: Where in the source they lie.
        attributes: Content-Type and the like.
        mtime_s: Last-Modified.
        sums: Of all its bytes; None when these are not the last.
        whole: Whether this is all of it.
    """

    chosen: Chosen
    data: bytes
    start: int
    attributes: Attributes
    mtime_s: int
    sums: Sums | None
    whole: bool


def fetch(sources: Iterable[Chosen], reader: Reader, executor: Executor, *, most_bytes: int) -> Iterator[Piece]:
    """Fetch sources.

    Args:
        sources: Which, in the order wanted.
        reader: Reads them.
        executor: Runs the requests; it should have `reader.requests` threads.
        most_bytes: Bytes in flight or waiting to be handed on at most, one request's excepted.

    Yields:
        The pieces of each source in order, one source after another; at least one for each.

    Raises:
        SourceChanged, AccessRefused, StoreFailed: As `Reader.read`; what is in flight is given up.
    """
    under_way: deque[tuple[int, _Task, Future[Fetched | Piece]]] = deque()
    held = 0
    sums = _Running()
    try:
        for task in _tasks(sources):
            cost = max(task.stop - task.start, LEAST_HELD_BYTES)
            while under_way and (held + cost > most_bytes or len(under_way) >= 2 * reader.requests):
                done_cost, done, future = under_way.popleft()
                yield sums.piece(done, future.result())
                held -= done_cost
            work = _whole if task.whole else _part
            under_way.append((cost, task, executor.submit(work, reader, task)))
            held += cost
        while under_way:
            _, done, future = under_way.popleft()
            yield sums.piece(done, future.result())
    finally:
        for _, _, future in under_way:
            future.cancel()


class _Task(NamedTuple):
    """One request."""

    chosen: Chosen
    start: int
    stop: int

    @property
    def whole(self) -> bool:
        """Whether it is for the whole source."""
        return self.stop - self.start == self.chosen.size


def _tasks(sources: Iterable[Chosen]) -> Iterator[_Task]:
    for chosen in sources:
        for start in range(0, chosen.size or 1, PIECE_BYTES):
            yield _Task(chosen, start, min(start + PIECE_BYTES, chosen.size))


def _whole(reader: Reader, task: _Task) -> Piece:
    """Fetch a source and count its checksums, on a thread of its own."""
    data, attributes, mtime_s = reader.read(task.chosen, 0, task.stop)
    sums = Sums(zlib.crc32(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
    return Piece(task.chosen, data, 0, attributes, mtime_s, sums, whole=True)


def _part(reader: Reader, task: _Task) -> Fetched:
    return reader.read(task.chosen, task.start, task.stop)


class _Running:
    """Checksums of the source whose pieces are being handed on."""

    def __init__(self) -> None:
        self._crc32 = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def piece(self, task: _Task, done: Fetched | Piece) -> Piece:
        """The piece to hand on."""
        if isinstance(done, Piece):
            return done
        if task.start == 0:
            self._crc32, self._md5 = 0, hashlib.md5(usedforsecurity=False)
        self._crc32 = zlib.crc32(done.data, self._crc32)
        self._md5.update(done.data)
        last = task.stop == task.chosen.size
        sums = Sums(self._crc32, self._md5.hexdigest()) if last else None
        return Piece(task.chosen, done.data, task.start, done.attributes, done.mtime_s, sums, whole=False)

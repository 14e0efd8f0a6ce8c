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

from archiver.sources import Chosen, Reader
from archiver.writers import Data, Sums
from indexer.limits import KIB, MIB
from indexer.model import Attributes

PIECE_BYTES: Final = 4 * MIB
"""A longer source is fetched in pieces of this: long enough that the first byte's delay does not count."""

TASK_SOURCES: Final = 8
TASK_BYTES: Final = 256 * KIB
"""Small sources are handed to a thread by so many, or so many bytes, at once."""

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
    data: Data
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
        most_bytes: Bytes in flight or waiting to be handed on at most, one task's excepted.

    Yields:
        The pieces of each source in order, one source after another; at least one for each.

    Raises:
        SourceChanged, AccessRefused, StoreFailed: As `Reader.read`; what is in flight is given up.
    """
    under_way: deque[tuple[int, Future[list[Piece]]]] = deque()
    held_bytes = 0
    sums = _Running()
    try:
        for task in _tasks(sources):
            while under_way and (held_bytes + task.held_bytes > most_bytes or len(under_way) >= 2 * reader.requests):
                done_bytes, future = under_way.popleft()
                for piece in future.result():
                    yield sums.told(piece)
                held_bytes -= done_bytes
            under_way.append((task.held_bytes, executor.submit(task.run, reader)))
            held_bytes += task.held_bytes
        while under_way:
            _, future = under_way.popleft()
            for piece in future.result():
                yield sums.told(piece)
    finally:
        for _, future in under_way:
            future.cancel()


class _Several(NamedTuple):
    """Small sources in a row, fetched one after another: handing a task to a thread costs as much as a request."""

    chosen: list[Chosen]
    held_bytes: int

    def run(self, reader: Reader) -> list[Piece]:
        """Fetch them whole, and count their checksums."""
        pieces = []
        for chosen in self.chosen:
            data, attributes, mtime_s = reader.read(chosen, 0, chosen.size)
            sums = Sums(zlib.crc32(data), hashlib.md5(data, usedforsecurity=False).hexdigest())
            pieces.append(Piece(chosen, data, 0, attributes, mtime_s, sums, whole=True))
        return pieces


class _Part(NamedTuple):
    """A piece of a large source."""

    chosen: Chosen
    start: int
    stop: int

    @property
    def held_bytes(self) -> int:
        """As `_Several.held_bytes`."""
        return self.stop - self.start

    def run(self, reader: Reader) -> list[Piece]:
        """Fetch it; checksums are counted where the pieces come in order."""
        data, attributes, mtime_s = reader.read(self.chosen, self.start, self.stop)
        return [Piece(self.chosen, data, self.start, attributes, mtime_s, None, whole=False)]


def _tasks(sources: Iterable[Chosen]) -> Iterator[_Several | _Part]:
    waiting: list[Chosen] = []
    held_bytes = 0
    for chosen in sources:
        cost = max(chosen.size, LEAST_HELD_BYTES)
        if waiting and (len(waiting) == TASK_SOURCES or held_bytes + cost > TASK_BYTES):
            yield _Several(waiting, held_bytes)
            waiting, held_bytes = [], 0
        if chosen.size <= PIECE_BYTES:
            waiting.append(chosen)
            held_bytes += cost
            continue
        for start in range(0, chosen.size, PIECE_BYTES):
            yield _Part(chosen, start, min(start + PIECE_BYTES, chosen.size))
    if waiting:
        yield _Several(waiting, held_bytes)


class _Running:
    """Checksums of the large source whose pieces are being handed on."""

    def __init__(self) -> None:
        self._crc32 = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def told(self, piece: Piece) -> Piece:
        """The piece with the checksums of its source, if it is the last."""
        if piece.whole:
            return piece
        if piece.start == 0:
            self._crc32, self._md5 = 0, hashlib.md5(usedforsecurity=False)
        self._crc32 = zlib.crc32(piece.data, self._crc32)
        self._md5.update(piece.data)
        if piece.start + len(piece.data) < piece.chosen.size:
            return piece
        return piece._replace(sums=Sums(self._crc32, self._md5.hexdigest()))

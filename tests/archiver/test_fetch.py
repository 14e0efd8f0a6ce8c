"""Sources come in order, in bounded memory, however slow and large they are."""

import hashlib
import threading
import zlib
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest

from archiver.fetch import LEAST_HELD_BYTES, PIECE_BYTES, TASK_SOURCES, fetch
from archiver.sources import Chosen, Fetched
from indexer.errors import SourceChanged
from indexer.limits import MIB
from indexer.model import DEFAULT_ATTRIBUTES


class Numbers:
    """A `Reader` of made-up sources that counts what is in flight."""

    def __init__(self, requests: int = 8) -> None:
        self.requests = requests
        self.reads: list[tuple[str, int, int]] = []
        self.held = self.most_held = 0
        self.fails: str | None = None
        self._lock = threading.Lock()

    def etag(self, chosen: Chosen) -> None: ...

    def read(self, chosen: Chosen, start: int, stop: int) -> Fetched:
        with self._lock:
            self.reads.append((chosen.url, start, stop))
            self.held += max(stop - start, LEAST_HELD_BYTES)
            self.most_held = max(self.most_held, self.held)
        if chosen.url == self.fails:
            raise SourceChanged("a source was replaced", source=chosen.url)
        return Fetched(body(chosen)[start:stop], DEFAULT_ATTRIBUTES, 7)

    def taken(self, length: int) -> None:
        with self._lock:
            self.held -= max(length, LEAST_HELD_BYTES)


def body(chosen: Chosen) -> bytes:
    return (chosen.url.encode() * (chosen.size // len(chosen.url) + 1))[: chosen.size]


def chosen(*sizes: int) -> list[Chosen]:
    return [Chosen(b"%06d" % number, f"s3://b/{number:06d}", size, "v", 0) for number, size in enumerate(sizes)]


@pytest.fixture
def executor() -> Iterator[Executor]:
    """As many threads as requests."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


def test_bytes_and_checksums_come_in_order(executor: Executor) -> None:
    sources = chosen(0, 1, 1000, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES, 5)
    got: dict[bytes, bytes] = {}
    for piece in fetch(sources, Numbers(), executor, most_bytes=64 * MIB):
        assert piece.start == len(got.get(piece.chosen.name, b""))
        assert list(got) == [one.name for one in sources[: len(got)]]
        got[piece.chosen.name] = got.get(piece.chosen.name, b"") + piece.data
        last = len(got[piece.chosen.name]) == piece.chosen.size
        assert (piece.sums is not None, piece.whole) == (last, piece.chosen.size <= PIECE_BYTES)
        if piece.sums is not None:
            whole = body(piece.chosen)
            assert piece.sums == (zlib.crc32(whole), hashlib.md5(whole).hexdigest())
    assert got == {one.name: body(one) for one in sources}


def test_bytes_in_flight_stay_below_the_bound(executor: Executor) -> None:
    reader = Numbers()
    for piece in fetch(chosen(*[300_000] * 100, 40 * MIB, *[10] * 2000), reader, executor, most_bytes=9 * MIB):
        reader.taken(len(piece.data))
    assert reader.most_held <= 9 * MIB + PIECE_BYTES  # what is being handed on
    assert reader.held == 0


def test_a_million_sources_are_not_listed_ahead(executor: Executor) -> None:
    def endless() -> Iterator[Chosen]:
        number = 0
        while True:
            yield from chosen(*[10] * 10)
            number += 1
            assert number < 200

    pieces = fetch(endless(), Numbers(), executor, most_bytes=64 * MIB)
    for _ in range(20):
        next(pieces)
    pieces.close()  # type: ignore[attr-defined]


def test_the_first_failure_ends_it_and_what_is_not_begun_is_never_sent() -> None:
    reader = Numbers(requests=4)
    reader.fails = "s3://b/000003"
    with ThreadPoolExecutor(1) as one, pytest.raises(SourceChanged):
        for _ in fetch(chosen(*[10] * 1000), reader, one, most_bytes=64 * MIB):
            pass
    assert len(reader.reads) <= (2 * reader.requests + 1) * TASK_SOURCES

"""The caching source: right bytes, each fetched once, whoever asks and whatever fails."""

import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.asks import Head, Tail
from indexer.errors import ObjectReplaced, StoreFailed
from indexer.model import Identity, Span
from indexer.source import Source
from indexer.source.memory import MemorySource
from object_lambda.cache import DiskCache, NoCache
from object_lambda.fetch import CachedSource, Flight
from object_lambda.fetch_lock import FIRST_PAUSE_S, WAIT_S, FetchLock

URL = "s3://bucket/logs.tar.zst"
DATA = random.Random(1).randbytes(3000)


class MemoryCache:
    """A cache that keeps everything, and tells how often it was asked."""

    def __init__(self) -> None:
        self.units: dict[tuple[Identity, Span], bytes] = {}
        self.looks = 0

    def get(self, of: Identity, span: Span) -> bytes | None:
        self.looks += 1
        return self.units.get((of, span))

    def put(self, of: Identity, span: Span, data: bytes) -> None:
        self.units[of, span] = data


class CountingSource:
    """Remembers each call; can be told to wait, or to fail."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.inner = MemorySource(objects)
        self.reads: list[tuple[Span, ...]] = []
        self.others = 0
        self.go_on = threading.Event()
        self.go_on.set()
        self.failures: list[BaseException] = []

    def head(self, url: str) -> Head:
        self.others += 1
        return self.inner.head(url)

    def tail(self, url: str, length: int) -> Tail:
        self.others += 1
        return self.inner.tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        self.reads.append(spans)
        assert self.go_on.wait(60)
        if self.failures:
            raise self.failures.pop(0)
        return self.inner.read(of, spans)


@pytest.fixture
def store() -> CountingSource:
    return CountingSource({URL: DATA})


@pytest.fixture
def of(store: CountingSource) -> Identity:
    return store.inner.identity(URL)


def cached(store: Source, cache: MemoryCache | DiskCache | NoCache, unit_bytes: int = 1000) -> CachedSource:
    return CachedSource(store, cache, unit_bytes=unit_bytes)


def test_what_was_read_is_not_fetched_again(store: CountingSource, of: Identity) -> None:
    source = cached(store, MemoryCache())
    spans = (Span(0, 10), Span(500, 900), Span(7, 7), Span(0, 10))
    wanted = [DATA[0:10], DATA[500:900], b"", DATA[0:10]]
    assert source.read(of, spans) == wanted
    assert source.read(of, spans) == wanted
    assert store.reads == [(Span(0, 10), Span(500, 900))]


def test_all_that_is_missing_is_fetched_with_one_call(store: CountingSource, of: Identity) -> None:
    source = cached(store, MemoryCache())
    source.read(of, (Span(500, 900),))
    assert source.read(of, (Span(0, 10), Span(500, 900), Span(950, 960))) == [DATA[0:10], DATA[500:900], DATA[950:960]]
    assert store.reads[1:] == [(Span(0, 10), Span(950, 960))]


def test_a_long_span_is_kept_in_units(store: CountingSource, of: Identity) -> None:
    cache = MemoryCache()
    source = cached(store, cache)
    assert source.read(of, (Span(100, 2500),)) == [DATA[100:2500]]
    assert [span for _, span in cache.units] == [Span(100, 1100), Span(1100, 2100), Span(2100, 2500)]
    assert source.read(of, (Span(1100, 2100),)) == [DATA[1100:2100]]
    assert len(store.reads) == 1


def test_head_and_tail_are_always_fresh(store: CountingSource) -> None:
    source = cached(store, MemoryCache())
    for _ in range(2):
        assert source.head(URL) == store.inner.head(URL)
        assert source.tail(URL, 100) == store.inner.tail(URL, 100)
    assert store.others == 4


def test_a_replaced_object_is_noticed_and_its_versions_are_kept_apart(of: Identity) -> None:
    objects = {URL: DATA}
    store = CountingSource(objects)
    source = cached(store, MemoryCache())
    source.read(of, (Span(0, 10),))
    objects[URL] = DATA[::-1]
    assert source.read(of, (Span(0, 10),)) == [DATA[:10]]
    with pytest.raises(ObjectReplaced):
        source.read(of, (Span(0, 11),))
    assert source.read(source.head(URL).identity, (Span(0, 10),)) == [DATA[::-1][:10]]


def test_a_short_answer_is_an_error_and_not_kept(store: CountingSource, of: Identity) -> None:
    class Short(CountingSource):
        def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            return [data[:-1] for data in super().read(of, spans)]

    cache = MemoryCache()
    with pytest.raises(StoreFailed, match="another length"):
        cached(Short({URL: DATA}), cache).read(of, (Span(0, 10),))
    assert cache.units == {}


spans_within = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: Span(min(ends), max(ends)))


@given(asks=st.lists(st.lists(spans_within, max_size=4).map(tuple), max_size=8), unit_bytes=st.integers(1, 50), keeps=st.booleans())
def test_every_ask_is_answered_as_the_store_would(asks: list[tuple[Span, ...]], unit_bytes: int, keeps: bool) -> None:
    store = CountingSource({URL: DATA[:40]})
    of = store.inner.identity(URL)
    source = cached(store, MemoryCache() if keeps else NoCache(), unit_bytes)
    known: set[Span] = set()
    for spans in asks:
        store.reads.clear()
        assert source.read(of, spans) == [DATA[start:stop] for start, stop in spans]
        units = {Span(at, min(at + unit_bytes, stop)) for start, stop in spans for at in range(start, stop, unit_bytes)}
        units -= known
        assert len(store.reads) == (1 if units else 0)
        assert {span for call in store.reads for span in call} == units
        if keeps:
            known |= units


# --- one fetch for many ---------------------------------------------------------------------------------------------


class WatchedSource(CachedSource):
    """Tells when a reader has found that units are missing and has joined, or begun, the flights that fetch them."""

    def __init__(self, source: Source, cache: MemoryCache | NoCache) -> None:
        super().__init__(source, cache, unit_bytes=1000)
        self.joined = threading.Semaphore(0)

    def _join(self, of: Identity, units: Sequence[Span]) -> tuple[dict[Span, Flight], list[tuple[Span, Flight]]]:
        joined = super()._join(of, units)
        self.joined.release()
        return joined

    def wait_for_readers(self, count: int) -> None:
        for _ in range(count):
            assert self.joined.acquire(timeout=60)


@pytest.mark.parametrize("cache", [MemoryCache(), NoCache()], ids=["cache", "no cache"])
def test_a_hundred_cold_readers_cost_one_fetch(store: CountingSource, of: Identity, cache: MemoryCache | NoCache) -> None:
    source = WatchedSource(store, cache)
    store.go_on.clear()
    with ThreadPoolExecutor(100) as threads:
        readers = [threads.submit(source.read, of, (Span(0, 1500),)) for _ in range(100)]
        source.wait_for_readers(100)
        store.go_on.set()
        assert {reader.result()[0] for reader in readers} == {DATA[:1500]}
    assert store.reads == [(Span(0, 1000), Span(1000, 1500))]


def test_readers_that_overlap_fetch_only_what_nobody_is_fetching(store: CountingSource, of: Identity) -> None:
    source = WatchedSource(store, MemoryCache())
    store.go_on.clear()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(source.read, of, (Span(0, 10), Span(20, 30)))
        source.wait_for_readers(1)
        second = threads.submit(source.read, of, (Span(20, 30), Span(40, 50)))
        source.wait_for_readers(1)
        store.go_on.set()
        assert (first.result(), second.result()) == ([DATA[0:10], DATA[20:30]], [DATA[20:30], DATA[40:50]])
    assert store.reads == [(Span(0, 10), Span(20, 30)), (Span(40, 50),)]


def test_a_reader_that_looked_before_the_unit_was_there_and_joins_after_does_not_fetch(store: CountingSource, of: Identity) -> None:
    cache = MemoryCache()
    source = cached(store, cache)

    class Late(MemoryCache):
        def get(self, of: Identity, span: Span) -> bytes | None:
            if self.looks == 0:
                source.read(of, (span,))  # somebody else's whole fetch happens right behind our look
                self.looks += 1
                return None
            return cache.get(of, span)

    source_late = cached(store, Late())
    assert source_late.read(of, (Span(0, 10),)) == [DATA[:10]]
    assert len(store.reads) == 1


def test_an_error_reaches_all_who_waited_and_the_next_tries_again(store: CountingSource, of: Identity) -> None:
    source = WatchedSource(store, MemoryCache())
    store.go_on.clear()
    store.failures = [StoreFailed("the line is dead")]
    with ThreadPoolExecutor(10) as threads:
        readers = [threads.submit(source.read, of, (Span(0, 10),)) for _ in range(10)]
        source.wait_for_readers(10)
        store.go_on.set()
        assert {str(reader.exception()) for reader in readers} == {"the line is dead"}
    assert source.read(of, (Span(0, 10),)) == [DATA[:10]]
    assert len(store.reads) == 2


def test_an_interrupted_fetch_is_taken_over_by_a_reader_that_waited(store: CountingSource, of: Identity) -> None:
    source = WatchedSource(store, MemoryCache())
    store.go_on.clear()
    store.failures = [KeyboardInterrupt()]
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(source.read, of, (Span(0, 10),))
        source.wait_for_readers(1)
        second = threads.submit(source.read, of, (Span(0, 10),))
        source.wait_for_readers(1)
        store.go_on.set()
        assert isinstance(first.exception(), KeyboardInterrupt)
        assert second.result() == [DATA[:10]]
    assert len(store.reads) == 2


# --- across processes -----------------------------------------------------------------------------------------------

READER = """
import sys
from indexer.model import Identity, Span
from indexer.source.memory import MemorySource
from object_lambda.cache import DiskCache
from object_lambda.fetch import CachedSource, Flight
from object_lambda.fetch_lock import FetchLock

class Held(MemorySource):
    def read(self, of, spans):
        print("fetch", flush=True)
        sys.stdin.readline()
        return super().read(of, spans)

def wait(seconds):
    print("wait", flush=True)
    sys.stdin.readline()

folder = sys.argv[1]
store = Held({"s3://bucket/key": b"0123456789"})
cache = DiskCache(folder, budget_bytes=1 << 20, clock=lambda: 0.0, report=print)
lock = FetchLock(folder, clock=lambda: 0.0)
source = CachedSource(store, cache, unit_bytes=100, lock=lock, pause=wait)
sys.stdin.readline()
print(source.read(store.identity("s3://bucket/key"), (Span(2, 6),)), flush=True)
"""


class Reader:
    """A process that reads one span when told, and says what it does: `fetch`, `wait`, or the answer."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def go_on(self) -> str:
        """Let it take its next step; returns what it says."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def readers(tmp_path: Path) -> Iterator[list[Reader]]:
    made = [Reader(tmp_path / "cache") for _ in range(2)]
    yield made
    for reader in made:
        reader.kill()


def test_of_two_processes_one_fetches_and_the_other_waits(readers: list[Reader]) -> None:
    first, second = readers
    assert first.go_on() == "fetch"
    assert second.go_on() == "wait"
    assert second.go_on() == "wait"
    assert first.go_on() == "[b'2345']"
    assert second.go_on() == "[b'2345']"


def test_a_process_killed_while_it_fetches_holds_up_nobody(readers: list[Reader]) -> None:
    first, second = readers
    assert first.go_on() == "fetch"
    assert second.go_on() == "wait"
    first.kill()
    assert second.go_on() == "fetch"
    assert second.go_on() == "[b'2345']"


def test_waiting_for_another_process_has_an_end(readers: list[Reader], tmp_path: Path) -> None:
    assert readers[0].go_on() == "fetch"
    now_s = 0.0
    lock = FetchLock(str(tmp_path / "cache"), clock=lambda: now_s)
    pauses = []
    for pause_s in lock.attempts(Identity("s3://bucket/key", "781e5e245d69b566979b86e28d23f2c7", 10), Span(2, 6)):
        pauses.append(pause_s)
        now_s += pause_s
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert WAIT_S <= sum(pauses) < WAIT_S + 0.1


def test_other_spans_are_not_waited_for(readers: list[Reader], tmp_path: Path) -> None:
    assert readers[0].go_on() == "fetch"
    lock = FetchLock(str(tmp_path / "cache"), clock=lambda: 0.0)
    assert list(lock.attempts(Identity("s3://bucket/key", "781e5e245d69b566979b86e28d23f2c7", 10), Span(3, 6))) == []


def test_where_there_can_be_no_lock_nobody_waits(tmp_path: Path, store: CountingSource, of: Identity) -> None:
    (tmp_path / "file").write_bytes(b"")
    lock = FetchLock(str(tmp_path / "file" / "cache"), clock=lambda: 0.0)
    source = CachedSource(store, NoCache(), unit_bytes=100, lock=lock, pause=lambda _: pytest.fail("it waits"))
    assert source.read(of, (Span(0, 10),)) == [DATA[:10]]

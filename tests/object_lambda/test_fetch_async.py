"""The caching source on an event loop: as the other, and a cancelled reader takes nobody with it."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.asks import Head, Tail
from indexer.errors import StoreFailed
from indexer.model import Identity, Span
from indexer.source import AsyncSource
from indexer.source.memory import MemorySource
from object_lambda.cache import Cache, DiskCache, NoCache
from object_lambda.fetch_async import AsyncCachedSource
from object_lambda.fetch_lock import FetchLock

URL = "s3://bucket/logs.tar.zst"
DATA = random.Random(1).randbytes(3000)


class AsyncCountingSource:
    """Remembers each call; can be told to wait, or to fail."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.inner = MemorySource(objects)
        self.reads: list[tuple[Span, ...]] = []
        self.others = 0
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.failures: list[Exception] = []

    async def head(self, url: str) -> Head:
        self.others += 1
        return self.inner.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        self.others += 1
        return self.inner.tail(url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        self.reads.append(spans)
        await self.go_on.wait()
        if self.failures:
            raise self.failures.pop(0)
        return self.inner.read(of, spans)


class WatchedSource(AsyncCachedSource):
    """Tells when a reader has found units missing and has joined, or begun, the fetch of them."""

    def __init__(self, source: AsyncSource, cache: Cache, *, threads: Executor, lock: FetchLock) -> None:
        super().__init__(source, cache, unit_bytes=1000, threads=threads, lock=lock)
        self.joined = asyncio.Semaphore(0)

    def _join(self, of: Identity, units: Sequence[Span]) -> dict[Span, asyncio.Task[dict[Span, bytes]]]:
        self.joined.release()
        return super()._join(of, units)


class Scene:
    """A store, a cache on disk and the source between them."""

    def __init__(self, folder: Path, threads: ThreadPoolExecutor, cache: Cache | None = None) -> None:
        self.store = AsyncCountingSource({URL: DATA})
        self.of = self.store.inner.identity(URL)
        self.cache = cache or DiskCache(str(folder), budget_bytes=1 << 20, clock=lambda: 0.0, report=pytest.fail)
        self.lock = FetchLock(str(folder), clock=lambda: 0.0)
        self.source = WatchedSource(self.store, self.cache, threads=threads, lock=self.lock)

    def run(self, test: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run one test on a loop of its own; nothing may be left of it."""

        async def whole() -> None:
            await test()
            await self.source.finish()
            assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(whole())

    async def read(self, *spans: Span) -> list[bytes]:
        return await self.source.read(self.of, spans)

    async def waiting_readers(self, count: int, *spans: Span) -> list[asyncio.Task[list[bytes]]]:
        """So many tasks that read the same, all waiting for the store, which is held up."""
        self.store.go_on.clear()
        tasks = [asyncio.create_task(self.source.read(self.of, spans)) for _ in range(count)]
        for _ in range(count):
            await self.source.joined.acquire()
        return tasks


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


@pytest.fixture
def scene(tmp_path: Path, threads: ThreadPoolExecutor) -> Scene:
    return Scene(tmp_path / "cache", threads)


def test_what_was_read_is_not_fetched_again(scene: Scene) -> None:
    async def test() -> None:
        for _ in range(2):
            assert await scene.read(Span(100, 2500), Span(7, 7), Span(0, 10)) == [DATA[100:2500], b"", DATA[:10]]
        assert scene.store.reads == [(Span(100, 1100), Span(1100, 2100), Span(2100, 2500), Span(0, 10))]

    scene.run(test)


def test_head_and_tail_are_always_fresh(scene: Scene) -> None:
    async def test() -> None:
        for _ in range(2):
            assert await scene.source.head(URL) == scene.store.inner.head(URL)
            assert await scene.source.tail(URL, 100) == scene.store.inner.tail(URL, 100)
        assert scene.store.others == 4

    scene.run(test)


spans_within = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: Span(min(ends), max(ends)))
asks = st.lists(st.lists(st.lists(spans_within, max_size=3).map(tuple), min_size=1, max_size=4), max_size=4)


@given(rounds=asks)
def test_tasks_side_by_side_read_the_store_s_bytes_and_no_unit_twice(
    tmp_path_factory: pytest.TempPathFactory, threads: ThreadPoolExecutor, rounds: list[list[tuple[Span, ...]]]
) -> None:
    scene = Scene(tmp_path_factory.mktemp("cache"), threads)

    async def test() -> None:
        for at_once in rounds:
            answers = await asyncio.gather(*(scene.read(*spans) for spans in at_once))
            assert answers == [[DATA[start:stop] for start, stop in spans] for spans in at_once]
        fetched = [span for call in scene.store.reads for span in call]
        assert len(fetched) == len(set(fetched))
        assert set(fetched) == {span for at_once in rounds for spans in at_once for span in spans if span.length}

    scene.run(test)


@pytest.mark.parametrize("kept", [True, False], ids=["cache", "no cache"])
def test_a_hundred_cold_readers_cost_one_fetch(tmp_path: Path, threads: ThreadPoolExecutor, kept: bool) -> None:
    scene = Scene(tmp_path, threads, None if kept else NoCache())

    async def test() -> None:
        readers = await scene.waiting_readers(100, Span(0, 1500))
        scene.store.go_on.set()
        assert await asyncio.gather(*readers) == [[DATA[:1500]]] * 100
        assert scene.store.reads == [(Span(0, 1000), Span(1000, 1500))]

    scene.run(test)


def test_a_cancelled_reader_leaves_the_fetch_to_the_others(scene: Scene) -> None:
    async def test() -> None:
        readers = await scene.waiting_readers(5, Span(0, 10))
        for cancelled in readers[:3]:
            cancelled.cancel()
        await asyncio.gather(*readers[:3], return_exceptions=True)
        scene.store.go_on.set()
        assert await asyncio.gather(*readers[3:]) == [[DATA[:10]]] * 2
        assert len(scene.store.reads) == 1

    scene.run(test)


def test_what_everybody_gave_up_waiting_for_is_cached_all_the_same(scene: Scene) -> None:
    async def test() -> None:
        readers = await scene.waiting_readers(2, Span(0, 10))
        for cancelled in readers:
            cancelled.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        scene.store.go_on.set()
        await scene.source.finish()
        assert await scene.read(Span(0, 10)) == [DATA[:10]]
        assert len(scene.store.reads) == 1

    scene.run(test)


def test_an_error_reaches_all_who_waited_and_the_next_tries_again(scene: Scene) -> None:
    async def test() -> None:
        scene.store.failures = [StoreFailed("the line is dead")]
        readers = await scene.waiting_readers(10, Span(0, 10))
        scene.store.go_on.set()
        errors = await asyncio.gather(*readers, return_exceptions=True)
        assert {str(error) for error in errors} == {"the line is dead"}
        assert await scene.read(Span(0, 10)) == [DATA[:10]]
        assert len(scene.store.reads) == 2

    scene.run(test)


def test_a_fetch_cancelled_before_it_began_stands_in_nobody_s_way(scene: Scene) -> None:
    async def test() -> None:
        (flight,) = set(scene.source._join(scene.of, [Span(0, 10)]).values())
        flight.cancel()
        await asyncio.gather(flight, return_exceptions=True)
        assert await scene.read(Span(0, 10)) == [DATA[:10]]

    scene.run(test)


def test_another_process_is_waited_for_without_holding_up_the_loop(scene: Scene) -> None:
    pauses: list[float] = []

    class Taken(FetchLock):
        def attempts(self, of: Identity, first: Span) -> Iterator[float]:
            yield from (0.1, 0.2)
            scene.cache.put(of, first, DATA[first.start : first.stop])  # the other process is done

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async def test() -> None:
        scene.source._lock = Taken(scene.lock._folder, clock=lambda: 0.0)
        scene.source._pause = pause
        assert await scene.read(Span(0, 10)) == [DATA[:10]]
        assert (pauses, scene.store.reads) == ([0.1, 0.2], [])

    scene.run(test)

"""Computations and bodies, run against sources that answer and sources that fail; called and on a loop."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import asks
from indexer.asks import Body, Need, Steps
from indexer.drivers import run, stream
from indexer.drivers_async import run_async, stream_async
from indexer.errors import BinderyError, MemberDamaged, ObjectMissing, ObjectReplaced, StoreFailed
from indexer.model import Identity, Span
from indexer.source.memory import AsyncMemorySource, MemorySource
from tests.faults import FINE, AsyncFaultySource, Fault, FaultySource, does, fails

T = TypeVar("T")

URL = "s3://bucket/key"
DATA = bytes(range(100))
OF = MemorySource({URL: DATA}).identity(URL)
FAILED = StoreFailed("the store failed")


class Driven(Protocol):
    """Either pair of drivers, over an object that is read with faults."""

    asks: list[Any]

    def run(self, steps: Steps[T]) -> T: ...

    def pieces(self, body: Body) -> Iterator[bytes]: ...


class Called:
    def __init__(self, faults: list[Fault]) -> None:
        self.source = FaultySource(MemorySource({URL: DATA}), faults)
        self.asks = self.source.asks

    def run(self, steps: Steps[T]) -> T:
        return run(steps, self.source)

    def pieces(self, body: Body) -> Iterator[bytes]:
        return stream(body, self.source)


class OnLoop:
    def __init__(self, faults: list[Fault]) -> None:
        self.source = AsyncFaultySource(AsyncMemorySource({URL: DATA}), faults)
        self.asks = self.source.asks

    def run(self, steps: Steps[T]) -> T:
        return asyncio.run(run_async(steps, self.source))

    def pieces(self, body: Body) -> Iterator[bytes]:
        with asyncio.Runner() as runner:
            pieces = stream_async(body, self.source)
            while (piece := runner.run(anext(pieces, None))) is not None:
                yield piece


Drive = Callable[[list[Fault]], Driven]
both = pytest.mark.parametrize("drive", [Called, OnLoop])


def in_pieces(piece_bytes: int, *, ahead: bool = False) -> Body:
    """The object in pieces, each asked for as it is needed."""
    for at in range(0, len(DATA), piece_bytes):
        after = (Span(at + piece_bytes, min(at + 2 * piece_bytes, len(DATA))),) if ahead and at + piece_bytes < len(DATA) else ()
        (piece,) = yield Need(OF, (Span(at, min(at + piece_bytes, len(DATA))),), after)
        yield piece


@both
def test_a_computation_asks_in_order_and_returns(drive: Drive) -> None:
    def steps() -> Steps[tuple[bytes, list[bytes], int]]:
        end = yield from asks.tail(URL, 3)
        parts = yield from asks.spans(end.identity, Span(0, 2), Span(5, 5))
        one = yield from asks.span(end.identity, 7, 9)
        head = yield from asks.head(URL)
        return end.data + one, parts, head.identity.size

    driven = drive([])
    assert driven.run(steps()) == (DATA[-3:] + DATA[7:9], [DATA[:2], b""], 100)
    assert [(ask.kind, ask.spans) for ask in driven.asks] == [
        ("tail", ()),
        ("read", (Span(0, 2), Span(5, 5))),
        ("read", (Span(7, 9),)),
        ("head", ()),
    ]


@both
def test_a_computation_that_asks_nothing_costs_nothing(drive: Drive) -> None:
    def steps() -> Steps[str]:
        yield from ()
        return "known"

    driven = drive([])
    assert driven.run(steps()) == "known"
    assert driven.asks == []


@both
def test_an_error_is_thrown_in_where_it_was_asked_and_may_be_answered_by_trying_again(drive: Drive) -> None:
    def steps() -> Steps[bytes]:
        try:
            return (yield from asks.span(OF, 0, 4))
        except StoreFailed:
            return (yield from asks.span(OF, 4, 8))

    driven = drive([fails(FAILED)])
    assert driven.run(steps()) == DATA[4:8]
    assert len(driven.asks) == 2


@both
def test_an_error_may_be_told_in_other_words_and_keeps_its_cause(drive: Drive) -> None:
    def steps() -> Steps[bytes]:
        try:
            return (yield from asks.span(OF, 0, 4))
        except StoreFailed as error:
            raise ObjectMissing("no index", index=URL) from error

    with pytest.raises(ObjectMissing) as raised:
        drive([fails(FAILED)]).run(steps())
    assert raised.value.__cause__ is FAILED


@both
def test_an_error_nobody_catches_comes_out_and_the_computation_is_closed(drive: Drive) -> None:
    closed = []

    def steps() -> Steps[bytes]:
        try:
            return (yield from asks.span(OF, 0, 4))
        finally:
            closed.append(True)

    with pytest.raises(StoreFailed) as raised:
        drive([fails(FAILED)]).run(steps())
    assert raised.value is FAILED
    assert closed == [True]


@both
@pytest.mark.parametrize("ahead", [False, True])
def test_a_body_hands_out_its_pieces_in_order(drive: Drive, ahead: bool) -> None:
    driven = drive([])
    assert list(driven.pieces(in_pieces(30, ahead=ahead))) == [DATA[:30], DATA[30:60], DATA[60:90], DATA[90:]]
    assert len(driven.asks) == 4


@both
def test_an_empty_piece_is_not_handed_out(drive: Drive) -> None:
    def body() -> Body:
        yield b""
        yield b"a"
        yield b""

    assert list(drive([]).pieces(body())) == [b"a"]


@both
@given(piece_bytes=st.integers(1, 60), fine=st.integers(0, 8), ahead=st.booleans())
def test_what_came_before_an_error_is_a_true_prefix(drive: Drive, piece_bytes: int, fine: int, ahead: bool) -> None:
    driven = drive([FINE] * fine + [fails(FAILED)] * 200)
    got: list[bytes] = []
    wanted = -(-len(DATA) // piece_bytes)
    try:
        got.extend(driven.pieces(in_pieces(piece_bytes, ahead=ahead)))
    except StoreFailed:
        assert fine < wanted
    else:
        assert fine >= wanted
    assert b"".join(got) == DATA[: fine * piece_bytes]


@both
def test_a_body_may_go_on_after_an_error(drive: Drive) -> None:
    def body() -> Body:
        for at in range(3):
            try:
                (piece,) = yield Need(OF, (Span(at, at + 1),))
            except StoreFailed:
                piece = b"?"
            yield piece

    assert b"".join(drive([FINE, fails(FAILED)]).pieces(body())) == DATA[:1] + b"?" + DATA[2:3]


@both
def test_a_body_that_asks_for_another_version_gets_an_error_and_not_its_bytes(drive: Drive) -> None:
    def body() -> Body:
        (piece,) = yield Need(Identity(URL, "other", len(DATA)), (Span(0, 9),))
        yield piece

    with pytest.raises(ObjectReplaced):
        list(drive([]).pieces(body()))


@both
def test_an_error_of_the_body_itself_comes_after_its_pieces(drive: Drive) -> None:
    def body() -> Body:
        yield b"a"
        raise MemberDamaged("checksum")

    pieces = drive([]).pieces(body())
    assert next(pieces) == b"a"
    with pytest.raises(MemberDamaged):
        next(pieces)


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as thread:
        yield thread


def test_what_is_fetched_ahead_is_fetched_by_the_other_thread_and_used_once(thread: ThreadPoolExecutor) -> None:
    readers: list[str] = []
    note = does(lambda: readers.append(threading.current_thread().name))
    source = FaultySource(MemorySource({URL: DATA}), [note] * 4)
    assert b"".join(stream(in_pieces(30, ahead=True), source, ahead=thread)) == DATA
    assert sorted(ask.spans for ask in source.asks) == [(Span(at, min(at + 30, 100)),) for at in (0, 30, 60, 90)]
    assert readers.count(threading.current_thread().name) == 1


def test_an_error_ahead_is_thrown_in_where_those_bytes_are_asked_for(thread: ThreadPoolExecutor) -> None:
    class FailsFromThirty(MemorySource):
        def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            if spans[0].start >= 30:
                raise FAILED
            return super().read(of, spans)

    pieces = stream(in_pieces(30, ahead=True), FailsFromThirty({URL: DATA}), ahead=thread)
    assert next(pieces) == DATA[:30]
    with pytest.raises(StoreFailed):
        next(pieces)


def test_closing_early_closes_the_body_and_cancels_what_was_not_begun(thread: ThreadPoolExecutor) -> None:
    closed: list[bool] = []

    def body() -> Body:
        try:
            yield from in_pieces(10, ahead=True)
        finally:
            closed.append(True)

    go_on = threading.Event()
    thread.submit(go_on.wait, 60)  # the only thread is busy: nothing ahead can begin
    source = FaultySource(MemorySource({URL: DATA}))
    pieces = stream(body(), source, ahead=thread)
    assert next(pieces) == DATA[:10]
    pieces.close()
    go_on.set()
    thread.shutdown(wait=True)
    assert closed == [True]
    assert [ask.spans for ask in source.asks] == [(Span(0, 10),)]


class Stalled(AsyncMemorySource):
    """Never answers a read from `after` on, and tells which were cancelled."""

    def __init__(self, after: int) -> None:
        super().__init__({URL: DATA})
        self.after = after
        self.cancelled: list[Span] = []
        self.stalls = asyncio.Event()

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        if spans[0].start < self.after:
            return await super().read(of, spans)
        self.stalls.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.append(spans[0])
            raise
        raise AssertionError("nobody sets this event")


def test_closing_early_on_a_loop_leaves_nothing_under_way() -> None:
    source = Stalled(after=10)

    async def take_one() -> bytes:
        async with aclosing(stream_async(in_pieces(10, ahead=True), source)) as pieces:
            first = await anext(pieces)
            await source.stalls.wait()
        assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
        return first

    assert asyncio.run(take_one()) == DATA[:10]
    assert source.cancelled == [Span(10, 20)]


def test_a_cancelled_stream_takes_its_requests_along() -> None:
    source = Stalled(after=10)
    closed: list[bool] = []

    def body() -> Generator[Any, Any, None]:
        try:
            yield from in_pieces(10, ahead=True)
        finally:
            closed.append(True)

    async def read_all() -> None:
        async with aclosing(stream_async(body(), source)) as pieces:
            async for _ in pieces:
                pass

    async def cancel() -> None:
        task = asyncio.create_task(read_all())
        await source.stalls.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(cancel())
    assert closed == [True]
    assert set(source.cancelled) <= {Span(10, 20), Span(20, 30)}


def test_an_error_that_is_not_ours_is_a_fault_of_the_program_and_comes_out() -> None:
    class Broken(MemorySource):
        def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            raise ZeroDivisionError

    def steps() -> Steps[bytes]:
        try:
            return (yield from asks.span(OF, 0, 4))
        except BinderyError:
            return b"hidden"

    with pytest.raises(ZeroDivisionError):
        run(steps(), Broken({URL: DATA}))

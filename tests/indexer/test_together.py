"""Needs of several objects at once: one step, however the source is built."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from indexer import asks
from indexer.asks import Body, Need, Steps, Together
from indexer.drivers import run, stream
from indexer.drivers_async import run_async, stream_async
from indexer.errors import BinderyError, ObjectReplaced, StoreFailed
from indexer.model import Identity, Span
from indexer.source.memory import AsyncMemorySource, MemorySource
from indexer.source.route import open_source
from indexer.source.route_async import open_async_source
from indexer.source.trace import AsyncTracedSource, Trace, TracedRequest, TracedSource
from tests.faults import FaultySource, fails

A, B = "s3://bucket/a", "s3://bucket/b"
OBJECTS = {A: bytes(range(100)), B: bytes(range(100, 200))}
OF_A, OF_B = (MemorySource(OBJECTS).identity(url) for url in (A, B))
NEEDS = (Need(OF_A, (Span(0, 3), Span(5, 6))), Need(OF_B, (Span(0, 2),)))
ANSWERS = [[bytes((0, 1, 2)), bytes((5,))], [bytes((100, 101))]]
FAILED = StoreFailed("the store failed")


def steps() -> Steps[list[list[bytes]]]:
    return (yield from asks.together(*NEEDS))


def test_both_drivers_answer_needs_of_several_objects() -> None:
    assert run(steps(), MemorySource(OBJECTS)) == ANSWERS
    assert asyncio.run(run_async(steps(), AsyncMemorySource(OBJECTS))) == ANSWERS


def test_needs_of_several_objects_are_one_step_of_a_trace() -> None:
    expected = [
        TracedRequest("read", A, Span(0, 6), 1, 6),
        TracedRequest("read", B, Span(0, 2), 1, 2),
    ]
    trace = Trace()
    run(steps(), TracedSource(MemorySource(OBJECTS), trace))
    assert (trace.made, trace.depth) == (expected, 1)
    trace.clear()
    asyncio.run(run_async(steps(), AsyncTracedSource(AsyncMemorySource(OBJECTS), trace)))
    assert (trace.made, trace.depth) == (expected, 1)


def test_a_step_that_fails_is_traced_and_thrown_in_where_it_was_asked() -> None:
    trace = Trace()

    def carries_on() -> Steps[str]:
        try:
            yield from asks.together(*NEEDS)
        except BinderyError as error:
            return error.reason.value
        return ""

    assert run(carries_on(), TracedSource(FaultySource(MemorySource(OBJECTS), [fails(FAILED)]), trace)) == "store_failed"
    assert [(request.depth, request.failed and request.failed.value) for request in trace.made] == [(1, "store_failed")] * 2


def test_empty_needs_take_no_step() -> None:
    trace = Trace()
    source = TracedSource(MemorySource(OBJECTS), trace)
    assert source.read_together((Need(OF_A, (Span(4, 4),)), Need(OF_B, ()))) == [[b""], []]
    assert (trace.depth, trace.requests) == (0, 0)


def test_files_and_other_files_are_read_in_one_step_of_the_routed_source(tmp_path: Path) -> None:
    of = []
    source = open_source({})
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(name.encode())
        of.append(source.head(f"file://{tmp_path}/{name}").identity)

    def both() -> Steps[list[list[bytes]]]:
        return (yield from asks.together(*(Need(each, (Span(0, 3), Span(1, 2))) for each in of)))

    expected = [[b"one", b"n"], [b"two", b"w"]]
    assert run(both(), source) == expected
    assert asyncio.run(run_async(both(), open_async_source({}))) == expected


def pairs(*, ahead: bool) -> Body:
    """Ten bytes of each object in turn, forty of each in all."""
    for at in range(0, 40, 10):
        following = (Span(at + 10, at + 20),) if ahead and at < 30 else ()
        (first,), (second,) = yield Together(
            (Need(OF_A, (Span(at, at + 10),), following), Need(OF_B, (Span(at, at + 10),), following))
        )
        yield first + second


WHOLE = b"".join(OBJECTS[A][at : at + 10] + OBJECTS[B][at : at + 10] for at in range(0, 40, 10))


def test_what_is_named_ahead_is_fetched_once_for_each_object() -> None:
    source = FaultySource(MemorySource(OBJECTS))
    with ThreadPoolExecutor(1) as thread:
        assert b"".join(stream(pairs(ahead=True), source, ahead=thread)) == WHOLE
    assert len(source.asks) == 8
    assert b"".join(stream(pairs(ahead=True), MemorySource(OBJECTS))) == WHOLE

    async def all_of_it() -> bytes:
        trace = Trace()
        got = b"".join(
            [piece async for piece in stream_async(pairs(ahead=True), AsyncTracedSource(AsyncMemorySource(OBJECTS), trace))]
        )
        assert trace.requests == 8
        return got

    assert asyncio.run(all_of_it()) == WHOLE


class FailsOnce(MemorySource):
    def __init__(self) -> None:
        super().__init__(OBJECTS)
        self.failures = 0

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        if of == OF_B and spans[0].start == 10 and not self.failures:
            self.failures += 1
            raise FAILED
        return super().read(of, spans)


class AsyncFailsOnce(AsyncMemorySource):
    def __init__(self) -> None:
        super().__init__(OBJECTS)
        self._failing = FailsOnce()

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        return self._failing.read(of, spans)


def stubborn() -> Generator[Any, Any, None]:
    """`pairs`, with every failed step asked again."""
    body = pairs(ahead=True)
    reply: Any = None
    while True:
        try:
            asked = body.send(reply)
        except StopIteration:
            return
        while True:
            try:
                reply = yield asked
                break
            except BinderyError:
                continue


def test_a_failure_ahead_is_told_once_and_asked_again() -> None:
    with ThreadPoolExecutor(1) as thread:
        assert b"".join(stream(stubborn(), FailsOnce(), ahead=thread)) == WHOLE

    async def all_of_it() -> bytes:
        return b"".join([piece async for piece in stream_async(stubborn(), AsyncFailsOnce())])

    assert asyncio.run(all_of_it()) == WHOLE


def test_a_failed_step_on_a_loop_leaves_nothing_under_way() -> None:
    class Stalls(AsyncMemorySource):
        async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            if of == OF_A:
                await asyncio.Event().wait()
            raise FAILED

    async def fail() -> None:
        with pytest.raises(StoreFailed):
            await run_async(steps(), Stalls(OBJECTS))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(fail())


def test_a_replaced_object_fails_the_step_of_both() -> None:
    with pytest.raises(ObjectReplaced):
        run(steps(), MemorySource({**OBJECTS, B: b"new"}))

"""Computations that run side by side cost the steps of the longest, and fail as one."""

import pytest

from indexer.abreast import abreast
from indexer.asks import Need, Steps, head, span, spans, tail, together
from indexer.drivers import run
from indexer.errors import ObjectReplaced
from indexer.model import Identity, Span
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource

OBJECTS = {f"s3://bucket/{number}": bytes(range(number, number + 100)) for number in range(4)}
SOURCE = MemorySource(OBJECTS)
ONES = [SOURCE.identity(url) for url in OBJECTS]


def reads(of: Identity, times: int) -> Steps[bytes]:
    """Reads the first bytes, one after the other."""
    found = b""
    for at in range(times):
        found += yield from span(of, at, at + 1)
    return found


def traced(computation: Steps[list[bytes]]) -> tuple[list[bytes], Trace]:
    trace = Trace()
    return run(computation, TracedSource(SOURCE, trace)), trace


def test_computations_of_different_length_cost_the_steps_of_the_longest() -> None:
    found, trace = traced(abreast([reads(one, times) for one, times in zip(ONES, (2, 0, 5, 1), strict=True)]))
    assert found == [b"\0\1", b"", b"\2\3\4\5\6", b"\3"]
    assert (trace.depth, trace.requests) == (5, 8)


def test_several_objects_in_one_ask_stay_one_step() -> None:
    def both() -> Steps[bytes]:
        (first,), (second,) = yield from together(Need(ONES[0], (Span(0, 1),)), Need(ONES[1], (Span(0, 1),)))
        return first + second

    found, trace = traced(abreast([both(), reads(ONES[2], 1)]))
    assert found == [b"\0\1", b"\2"]
    assert (trace.depth, trace.requests) == (1, 3)


def test_what_is_no_read_is_asked_alone() -> None:
    def heads() -> Steps[bytes]:
        size = (yield from head(ONES[0].url)).identity.size
        (yield from tail(ONES[0].url, size))
        return b"%d" % size

    found, trace = traced(abreast([heads(), reads(ONES[1], 2), heads()]))
    assert found == [b"100", b"\1\2", b"100"]
    assert trace.depth == 6


def test_one_alone_and_none_at_all() -> None:
    assert traced(abreast([reads(ONES[0], 1)]))[0] == [b"\0"]
    assert traced(abreast([]))[0] == []


def test_a_failure_ends_them_all() -> None:
    ended = []

    def watching() -> Steps[bytes]:
        try:
            return (yield from spans(ONES[1], Span(0, 1)))[0]
        finally:
            ended.append(1)

    gone = Identity(ONES[0].url, "another", 100)
    with pytest.raises(ObjectReplaced):
        run(abreast([watching(), reads(gone, 1), watching()]), SOURCE)
    assert len(ended) == 2

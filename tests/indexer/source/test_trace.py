"""A trace tells every request, also of asks that failed, and adds them up."""

import asyncio
import json

import pytest

from indexer.asks import Head, Tail
from indexer.errors import ObjectMissing, ObjectReplaced, Reason, StoreFailed
from indexer.limits import MIB, REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.source.memory import AsyncMemorySource, MemorySource
from indexer.source.trace import AsyncTracedSource, Trace, TracedRequest, TracedSource
from tests.faults import FaultySource, fails

URL = "s3://bucket/key"
DATA = bytes(range(100))


class Loop:
    """The other face, called."""

    def __init__(self, objects: dict[str, bytes], trace: Trace) -> None:
        self.source = AsyncTracedSource(AsyncMemorySource(objects), trace)

    def head(self, url: str) -> Head:
        return asyncio.run(self.source.head(url))

    def tail(self, url: str, length: int) -> Tail:
        return asyncio.run(self.source.tail(url, length))

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        return asyncio.run(self.source.read(of, spans))


def traced(face: str, objects: dict[str, bytes], trace: Trace) -> TracedSource | Loop:
    return TracedSource(MemorySource(objects), trace) if face == "sync" else Loop(objects, trace)


both = pytest.mark.parametrize("face", ["sync", "async"])


@both
def test_each_ask_is_one_step_and_each_request_one_entry(face: str) -> None:
    trace = Trace()
    source = traced(face, {URL: DATA * 1000}, trace)
    of = source.tail(URL, 40).identity
    source.read(of, (Span(0, 5), Span(90_000, 90_001)))
    source.read(of, (Span(3, 3),))
    source.head(URL)
    assert trace.made == [
        TracedRequest("tail", URL, Span(99_960, 100_000), 1, 40),
        TracedRequest("read", URL, Span(0, 5), 2, 5),
        TracedRequest("read", URL, Span(90_000, 90_001), 2, 1),
        TracedRequest("head", URL, None, 3, 0),
    ]
    assert (trace.requests, trace.depth, trace.bytes) == (4, 3, 46)


@both
def test_what_failed_is_told_with_its_reason(face: str) -> None:
    trace = Trace()
    objects = {URL: DATA}
    source = traced(face, objects, trace)
    of = source.head(URL).identity
    objects[URL] = DATA[::-1]
    with pytest.raises(ObjectReplaced):
        source.read(of, (Span(0, 5),))
    del objects[URL]
    with pytest.raises(ObjectMissing):
        source.tail(URL, 4)
    with pytest.raises(ObjectMissing):
        source.head(URL)
    assert trace.made[1:] == [
        TracedRequest("read", URL, Span(0, 5), 2, 0, Reason.OBJECT_REPLACED),
        TracedRequest("tail", URL, None, 3, 0, Reason.OBJECT_MISSING),
        TracedRequest("head", URL, None, 4, 0, Reason.OBJECT_MISSING),
    ]
    assert trace.bytes == 0


def test_a_long_span_is_told_as_the_requests_it_takes() -> None:
    trace = Trace()
    source = TracedSource(MemorySource({URL: bytes(REQUEST_BYTES + MIB)}), trace)
    source.read(source.head(URL).identity, (Span(0, REQUEST_BYTES + MIB),))
    assert [request.span for request in trace.made[1:]] == [Span(0, REQUEST_BYTES), Span(REQUEST_BYTES, REQUEST_BYTES + MIB)]
    assert {request.depth for request in trace.made[1:]} == {2}


def test_the_json_is_one_line_with_totals_and_every_request() -> None:
    trace = Trace()
    source = TracedSource(FaultySource(MemorySource({URL: DATA}), [fails(StoreFailed("no"))]), trace)
    with pytest.raises(StoreFailed):
        source.head(URL)
    source.tail(URL, 10)
    line = trace.as_json(0.0123456789)
    assert "\n" not in line
    assert json.loads(line) == {
        "requests": 2,
        "depth": 2,
        "bytes": 10,
        "cpu_s": 0.012346,
        "made": [
            {"kind": "head", "object": URL, "range": None, "depth": 1, "bytes": 0, "failed": "store_failed"},
            {"kind": "tail", "object": URL, "range": [90, 100], "depth": 2, "bytes": 10},
        ],
    }


def test_a_cleared_trace_begins_anew() -> None:
    trace = Trace()
    source = TracedSource(MemorySource({URL: DATA}), trace)
    source.head(URL)
    trace.clear()
    source.head(URL)
    assert (trace.requests, trace.depth) == (1, 1)

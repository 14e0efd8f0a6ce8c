"""The cached source answers needs of several objects in one step."""

from __future__ import annotations

import threading

import pytest

from indexer import asks
from indexer.asks import Need, Steps
from indexer.drivers import run
from indexer.errors import ObjectReplaced
from indexer.model import Identity, Span
from indexer.source.memory import MemorySource
from object_lambda.fetch import CachedSource
from tests.faults import FaultySource

A, B = "s3://bucket/a", "s3://bucket/b"
OBJECTS = {A: bytes(range(100)), B: bytes(range(100, 200))}
OF_A, OF_B = (MemorySource(OBJECTS).identity(url) for url in (A, B))
NEEDS = (Need(OF_A, (Span(0, 3), Span(5, 6))), Need(OF_B, (Span(0, 2),)))
ANSWERS = [[bytes((0, 1, 2)), bytes((5,))], [bytes((100, 101))]]


def steps() -> Steps[list[list[bytes]]]:
    return (yield from asks.together(*NEEDS))


class HeldUnits:
    """A cache without a bound."""

    def __init__(self) -> None:
        self.units: dict[tuple[Identity, Span], bytes] = {}

    def get(self, of: Identity, unit: Span) -> bytes | None:
        return self.units.get((of, unit))

    def put(self, of: Identity, unit: Span, data: bytes) -> None:
        self.units[of, unit] = data


def cached(inner: FaultySource) -> CachedSource:
    return CachedSource(inner, HeldUnits(), unit_bytes=1000)


def test_a_cached_source_fetches_what_is_missing_of_two_objects_side_by_side() -> None:
    both_began = threading.Barrier(2)

    class Meets(MemorySource):
        def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
            both_began.wait(60)  # neither is answered before the other was asked
            return super().read(of, spans)

    source = CachedSource(Meets(OBJECTS), HeldUnits(), unit_bytes=1000)
    assert run(steps(), source) == ANSWERS
    assert run(steps(), source) == ANSWERS  # from the cache: the barrier would wait in vain


def test_a_cached_source_asks_for_what_alone_is_missing_and_remembers_both() -> None:
    inner = FaultySource(MemorySource(OBJECTS))
    source = cached(inner)
    source.read(OF_B, NEEDS[1].spans)
    assert run(steps(), source) == ANSWERS
    assert [(ask.url, ask.spans) for ask in inner.asks] == [(B, NEEDS[1].spans), (A, NEEDS[0].spans)]
    assert run(steps(), source) == ANSWERS
    assert len(inner.asks) == 2


def test_a_replaced_object_fails_the_step_of_both_and_leaves_the_other_cached() -> None:
    inner = FaultySource(MemorySource({**OBJECTS, B: b"new"}))
    source = cached(inner)
    with pytest.raises(ObjectReplaced):
        run(steps(), source)
    assert source.read(OF_A, NEEDS[0].spans) == ANSWERS[0]
    assert len(inner.asks) == 2

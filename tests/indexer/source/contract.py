"""What every source promises, as tests: a class for each source inherits `SourceContract` and says where objects are put.

Sources for an event loop pass the same class through `InLoop`.
"""

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import pytest

from indexer.asks import Head, Tail
from indexer.errors import ArchiveDamaged, ObjectMissing, ObjectReplaced
from indexer.limits import COALESCE_GAP_BYTES, MIB, REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.source import AsyncSource, Source
from indexer.source.trace import Trace, TracedSource

DATA = random.Random(20261120).randbytes(300_000)
LARGE = DATA * 40  # 12 MB: longer than one request may be


class Shelf(Protocol):
    """Where the objects of a test lie."""

    def put(self, name: str, data: bytes) -> str:
        """Puts an object there, in place of the one that was there, and returns its URL."""
        ...

    def remove(self, name: str) -> None:
        """Takes it away."""
        ...

    def url(self, name: str) -> str:
        """The URL of an object that may be there."""
        ...


class InLoop:
    """A source for an event loop, as one that is called."""

    def __init__(self, source: AsyncSource, runner: asyncio.Runner) -> None:
        self.source = source
        self.runner = runner

    def head(self, url: str) -> Head:
        return self.runner.run(self.source.head(url))

    def tail(self, url: str, length: int) -> Tail:
        return self.runner.run(self.source.tail(url, length))

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        return self.runner.run(self.source.read(of, spans))


class SourceContract:
    """The promises. Subclasses define the fixtures `shelf` and `source`."""

    def test_a_head_names_the_version(self, shelf: Shelf, source: Source) -> None:
        url = shelf.put("a", DATA)
        head = source.head(url)
        assert (head.identity.url, head.identity.size) == (url, len(DATA))
        assert head == source.head(url)
        assert head.mtime_s >= 0

    def test_an_etag_bears_no_quotes(self, shelf: Shelf, source: Source) -> None:
        assert '"' not in source.head(shelf.put("a", DATA)).identity.etag

    def test_another_content_is_another_version(self, shelf: Shelf, source: Source) -> None:
        before = source.head(shelf.put("a", b"one")).identity
        after = source.head(shelf.put("a", b"two")).identity
        assert (before.size, before.url) == (after.size, after.url)
        assert before.etag != after.etag

    @pytest.mark.parametrize("length", [1, 1000, len(DATA) - 1, len(DATA), len(DATA) + 1, 10**12])
    def test_a_tail_is_the_end_or_all_of_a_shorter_object(self, shelf: Shelf, source: Source, length: int) -> None:
        url = shelf.put("a", DATA)
        assert source.tail(url, length) == Tail(source.head(url).identity, DATA[-length:])

    def test_a_tail_of_nothing_still_names_the_version(self, shelf: Shelf, source: Source) -> None:
        url = shelf.put("a", DATA)
        assert source.tail(url, 0) == Tail(source.head(url).identity, b"")

    @pytest.mark.parametrize("length", [0, 1, 4096])
    def test_an_empty_object_has_an_empty_tail(self, shelf: Shelf, source: Source, length: int) -> None:
        url = shelf.put("empty", b"")
        head = source.head(url)
        assert head.identity.size == 0
        assert source.tail(url, length) == Tail(head.identity, b"")
        assert source.read(head.identity, (Span(0, 0),)) == [b""]

    def test_spans_come_back_in_the_order_asked_however_they_lie(self, shelf: Shelf, source: Source) -> None:
        of = source.head(shelf.put("a", DATA)).identity
        spans = (Span(7, 9), Span(0, 0), Span(0, 8), Span(7, 9), Span(299_999, 300_000), Span(300_000, 300_000), Span(5, 200_000))
        assert source.read(of, spans) == [DATA[start:stop] for start, stop in spans]
        assert source.read(of, ()) == []

    def test_many_spans_in_one_ask_are_each_answered(self, shelf: Shelf, source: Source) -> None:
        of = source.head(shelf.put("a", DATA)).identity
        chance = random.Random(7)
        starts = [chance.randrange(len(DATA)) for _ in range(500)]
        spans = tuple(Span(start, min(start + chance.choice((0, 1, 300, 5000)), len(DATA))) for start in starts)
        assert source.read(of, spans) == [DATA[start:stop] for start, stop in spans]

    def test_spans_far_apart_and_longer_than_a_request_are_whole(self, shelf: Shelf, source: Source) -> None:
        of = source.head(shelf.put("large", LARGE)).identity
        spans = (Span(len(LARGE) - 3, len(LARGE)), Span(1, REQUEST_BYTES + MIB), Span(0, 3))
        assert source.read(of, spans) == [LARGE[start:stop] for start, stop in spans]
        far = (Span(0, 2), Span(11_000_000, 11_000_002))
        assert source.read(of, far) == [LARGE[start:stop] for start, stop in far]

    def test_what_is_not_there_is_missing_and_named(self, shelf: Shelf, source: Source) -> None:
        url = shelf.url("absent")
        for ask in (
            lambda: source.head(url),
            lambda: source.tail(url, 10),
            lambda: source.read(Identity(url, "e", 9), (Span(0, 1),)),
        ):
            with pytest.raises(ObjectMissing) as raised:
                ask()
            assert raised.value.facts["object"] == url
            assert raised.value.hint

    def test_an_object_that_was_taken_away_is_missing(self, shelf: Shelf, source: Source) -> None:
        of = source.head(shelf.put("a", DATA)).identity
        shelf.remove("a")
        with pytest.raises(ObjectMissing):
            source.read(of, (Span(0, 1),))

    @pytest.mark.parametrize("other", [DATA[::-1], DATA[:10], DATA + b"x", b""], ids=["same length", "shorter", "longer", "empty"])
    @pytest.mark.parametrize("spans", [(Span(5, 20),), (Span(0, 1), Span(200_000, 200_001))], ids=["one request", "two requests"])
    def test_a_replaced_object_is_noticed_and_read_anew(
        self, shelf: Shelf, source: Source, other: bytes, spans: tuple[Span, ...]
    ) -> None:
        url = shelf.put("a", DATA)
        of = source.tail(url, 10).identity
        assert source.read(of, spans) == [DATA[start:stop] for start, stop in spans]
        shelf.put("a", other)
        with pytest.raises(ObjectReplaced) as raised:
            source.read(of, spans)
        assert raised.value.facts["object"] == url
        assert source.tail(url, len(DATA) + 9).data == other

    @pytest.mark.parametrize("span", [Span(0, 300_001), Span(300_000, 300_001), Span(-1, 4), Span(9, 8), Span(2**62, 2**62 + 1)])
    def test_a_pointer_outside_the_object_is_damage_and_costs_nothing(self, shelf: Shelf, source: Source, span: Span) -> None:
        of = source.head(shelf.put("a", DATA)).identity
        trace = Trace()
        with pytest.raises(ArchiveDamaged) as raised:
            TracedSource(source, trace).read(of, (Span(0, 1), span))
        assert raised.value.facts["offset"] == span.start
        assert trace.requests == 0

    @pytest.mark.parametrize("name", ["a b", "a#b?c", "a%2Fb%", "100%", "a+b=c&d", "é/日本/x", "~", "...", "a:b", 'q"<>|*', "a\\b"])
    def test_every_character_of_a_name_is_an_ordinary_one(self, shelf: Shelf, source: Source, name: str) -> None:
        shelf.put("decoy", b"decoy")
        url = shelf.put(name, name.encode())
        tail = source.tail(url, 100)
        assert (tail.identity.url, tail.data) == (url, name.encode())
        assert source.read(tail.identity, (Span(0, 1),)) == [name.encode()[:1]]

    def test_neighbours_share_a_request_and_one_ask_is_one_step(self, shelf: Shelf, source: Source) -> None:
        trace = Trace()
        traced = TracedSource(source, trace)
        of = traced.tail(shelf.put("a", DATA), 100).identity
        traced.read(of, (Span(0, 10), Span(10 + COALESCE_GAP_BYTES, 20 + COALESCE_GAP_BYTES), Span(200_000, 200_001), Span(5, 5)))
        assert [(request.kind, request.span, request.depth, request.received_bytes) for request in trace.made] == [
            ("tail", Span(299_900, 300_000), 1, 100),
            ("read", Span(0, 20 + COALESCE_GAP_BYTES), 2, 20 + COALESCE_GAP_BYTES),
            ("read", Span(200_000, 200_001), 2, 1),
        ]


class SyncSourceContract(SourceContract):
    """What a source that is called promises beyond: it serves many threads."""

    def test_many_threads_share_a_source(self, shelf: Shelf, source: Source) -> None:
        of = {name: source.head(shelf.put(name, DATA[at:])).identity for at, name in enumerate("abcd")}

        def read(turn: int) -> bool:
            at, name = turn % 4, "abcd"[turn % 4]
            return source.read(of[name], (Span(turn, turn + 50), Span(100_000, 100_010))) == [
                DATA[at + turn : at + turn + 50],
                DATA[at + 100_000 : at + 100_010],
            ]

        with ThreadPoolExecutor(8) as threads:
            assert all(threads.map(read, range(100)))

"""Packing and deleting while somebody reads: what exists all the time is seen, whatever happens between two questions.

The promise. Objects are bound (archive and index written, the catalog committed) and deleted where they lay loose only after that.
A key that exists throughout a listing, on whichever side, is told on exactly one page. A key that exists throughout a GET or a HEAD
is found. This holds for catalogs that a reader believes without asking (`freshness_s`), with other readers between his steps.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.asks import NeedHead
from indexer.drivers import answer
from indexer.errors import BinderyError
from object_lambda.listing import token_of
from object_lambda.live import LiveAsk, LiveObject, LivePlace, LivePlaces, OverlaySteps
from object_lambda.overlay import Overlay, Winner
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import S3Error
from tests.indexer.catalogfile.made import CATALOG, Shop
from tests.object_lambda.live_side import BUCKET, MemoryLive, body_of, etag, rows_of
from tests.object_lambda.made_archives import mount, service_over

T = TypeVar("T")


@dataclass
class World:
    """A bucket that is being packed."""

    loose: dict[bytes, bytes]
    shop: Shop = field(default_factory=Shop)
    archives: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.live = MemoryLive(self.loose)
        self.asked: object = None
        self.replied = False
        self.shop.commit()

    _bound: set[bytes] = field(default_factory=set)

    def bind(self, keys: set[bytes]) -> None:
        """An archive of those of `keys` that lie loose is made and committed; nothing is deleted yet."""
        contents = {key: self.loose[key] for key in keys if key in self.loose and key not in self._bound}
        if contents:
            url = f"s3://archives/logs/{next(self.archives):03}.tar"
            self.shop.put(url, contents)
            self.shop.bind(url)
            self.shop.commit()
            self._bound |= set(contents)

    def sweep(self, keys: set[bytes]) -> None:
        """Those of `keys` that are bound are deleted where they lay loose."""
        for key in keys & self._bound:
            self.loose.pop(key, None)

    def settle(self, steps: OverlaySteps[T], between: Callable[[], None]) -> T:
        """Run a computation; `between` may do anything before each answer and after it."""
        reply: Any = None
        error: Exception | None = None
        while True:
            try:
                ask = steps.send(reply) if error is None else steps.throw(error)
            except StopIteration as end:
                result: T = end.value
                return result
            reply = error = None
            self.asked, self.replied = ask, False
            between()
            try:
                reply = self._answer(ask)
            except (BinderyError, S3Error) as raised:
                error = raised
            self.asked, self.replied = ask, True
            between()

    def _answer(self, ask: Any) -> object:
        if isinstance(ask, LiveAsk):
            return self.live.open(ask) if isinstance(ask, LiveObject) else self.live.list(ask)
        return answer(ask, self.shop.source)


KEYS = [f"{folder}{name}".encode() for folder in ("", "a/", "b/") for name in "123"]
SUBSETS = st.sets(st.sampled_from(KEYS), max_size=4)
EVENTS = st.lists(st.tuples(st.integers(0, 3), SUBSETS, st.booleans()), max_size=6)
"""After how many answers what is packed, and whether it is swept too, at once; else with a later one."""


def reader(winner: Winner) -> Overlay:
    """A reader that believes a catalog for a minute, on a clock that stands still."""
    return Overlay(service_over(mount("bucket", CATALOG)), LivePlaces([LivePlace("bucket", b"", BUCKET, b"")]), winner)


def nothing() -> None:
    """Nobody packs."""


Events = list[tuple[int, set[bytes], bool]]


class Packing:
    """What happens between a reader's questions and their answers."""

    def __init__(self, world: World, events: Events) -> None:
        self._world = world
        self._events = list(events)
        self._bound: set[bytes] = set()
        self._wait = -1

    def __call__(self) -> None:
        if not self._events:
            return
        wait, keys, sweeps = self._events[0]
        self._wait = wait if self._wait < 0 else self._wait - 1
        if self._wait > 0:
            return
        self._wait = -1
        self._events.pop(0)
        self._world.bind(keys)
        self._bound |= keys
        if sweeps:
            self._world.sweep(self._bound)


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, most=st.integers(1, 4), delimiter=st.sampled_from([b"", b"/"]), winner=st.sampled_from(Winner))
def test_a_key_that_exists_throughout_a_listing_is_told_exactly_once(
    events: Events, most: int, delimiter: bytes, winner: Winner
) -> None:
    world = World({key: b"body of " + key for key in KEYS})
    overlay = reader(winner)
    between = Packing(world, events)
    told: list[bytes] = []
    token: str | None = None
    while True:
        page = world.settle(overlay.list(ListRequest("bucket", 2, b"", delimiter, most, token=token)), between)
        told += rows_of(page)
        for entry in page.entries:
            assert entry.etag == etag(b"body of " + entry.key)
        if page.last is None:
            break
        token = token_of(page.last)
    assert told == ([b"1", b"2", b"3", b"a/", b"b/"] if delimiter else KEYS)


@settings(max_examples=200, deadline=None)
@given(events=EVENTS, key=st.sampled_from(KEYS), winner=st.sampled_from(Winner))
def test_a_key_that_exists_throughout_is_found(events: Events, key: bytes, winner: Winner) -> None:
    world = World({key: b"body of " + key for key in KEYS})
    overlay = reader(winner)
    between = Packing(world, events)
    for _ in range(2):
        got = world.settle(overlay.get(ObjectRequest("bucket", key)), between)
        assert body_of(got, world.shop.source) == b"body of " + key
        world.settle(overlay.head(ObjectRequest("bucket", key)), between)


def test_a_listing_looks_past_a_catalog_that_it_would_still_believe() -> None:
    world = World({b"a": b"1", b"b": b"2"})
    overlay = reader(Winner.BOUND)
    request = ListRequest("bucket")
    assert rows_of(world.settle(overlay.list(request), nothing)) == [b"a", b"b"]
    world.bind({b"a", b"b"})
    world.sweep({b"a", b"b"})
    assert rows_of(world.settle(overlay.list(request), nothing)) == [b"a", b"b"]
    assert world.loose == {}


def test_of_two_readers_none_believes_what_the_other_asked_before_its_own_doubt() -> None:
    """One is told that the catalog still holds. Before he goes on all is packed and deleted, and the other lists."""
    world = World({b"a": b"1"})
    overlay = reader(Winner.BOUND)
    request = ListRequest("bucket")
    world.settle(overlay.list(request), nothing)
    others: list[list[bytes]] = []

    def meanwhile() -> None:
        if world.loose and isinstance(world.asked, NeedHead) and world.replied:
            world.bind({b"a"})
            world.sweep({b"a"})
            others.append(rows_of(world.settle(overlay.list(request), nothing)))

    assert rows_of(world.settle(overlay.list(request), meanwhile)) == [b"a"]
    assert others == [[b"a"]]

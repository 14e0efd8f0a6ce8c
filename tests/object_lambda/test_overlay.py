"""Bound and loose objects in one view, against a dict; what a call costs on the live side."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.errors import SettingInvalid, StoreFailed
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from object_lambda.answers import Entry, ListAnswer
from object_lambda.listing import token_of
from object_lambda.live import LiveAnswer, LiveList, LivePage, LivePlace, LivePlaces
from object_lambda.live_drivers import run_overlaid
from object_lambda.mount_table import parse_live
from object_lambda.overlay import Overlay, Winner
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import LiveRefusal, NoSuchKey
from tests.object_lambda.live_side import BUCKET, MemoryLive, body_of, etag, reference_page, rows_of
from tests.object_lambda.made_archives import MTIME_S, Made, mount, put_archive, service_over

WHOLE = LivePlace("bucket", b"", BUCKET, b"")


def overlaid(
    bound: dict[str, bytes], place: LivePlace = WHOLE, winner: Winner = Winner.BOUND, at: str = "bucket"
) -> tuple[Overlay, MemorySource]:
    objects: dict[str, bytes] = {}
    put_archive(objects, {name: Made(data, etag=etag(data)) for name, data in bound.items()})
    return Overlay(service_over(mount(at)), LivePlaces([place]), winner), MemorySource(objects)


KEYS = st.text("ab/", min_size=1, max_size=4).map(str.encode)
PREFIXES = st.text("ab/", max_size=3).map(str.encode)


@settings(max_examples=300, deadline=None)
@given(
    bound=st.sets(KEYS.filter(lambda key: not key.startswith(b"/")), max_size=8),
    loose=st.sets(KEYS, max_size=8),
    places=st.sampled_from([(b"", b""), (b"", b"x/"), (b"a/", b""), (b"a/", b"b/"), (b"a/b/", b"")]),
    prefix=PREFIXES,
    delimiter=st.sampled_from([b"", b"/", b"a", b"//", b"/a", b"a/b"]),
    after=st.none() | PREFIXES,
    most=st.integers(1, 5),
    store_page=st.integers(1, 6),
    winner=st.sampled_from(Winner),
)
@example(set(), {b"a/", b"b"}, (b"a/", b"b/"), b"", b"", None, 1, 1, Winner.BOUND)
def test_a_walk_over_both_sides_tells_each_key_once_in_byte_order(  # noqa: PLR0917 - as hypothesis calls it
    bound: set[bytes],
    loose: set[bytes],
    places: tuple[bytes, bytes],
    prefix: bytes,
    delimiter: bytes,
    after: bytes | None,
    most: int,
    store_page: int,
    winner: Winner,
) -> None:
    place = LivePlace("bucket", places[0], BUCKET, places[1])
    overlay, source = overlaid({key.decode(): b"bound " + key for key in bound}, place, winner)
    live = MemoryLive({place.source_prefix + key: b"loose " + key for key in loose}, store_page)
    visible = {key: b"bound " + key for key in bound}
    if place.source_prefix:
        live.objects[place.source_prefix] = b"marker"
        if place.prefix and (place.prefix not in bound or winner is Winner.LIVE):
            visible[place.prefix] = b"marker"
    for mapped in (place.prefix + key for key in loose):
        if mapped not in bound or winner is Winner.LIVE:
            visible[mapped] = b"loose " + mapped[len(place.prefix) :]
    request = ListRequest("bucket", 2, prefix, delimiter, most, after)
    expected_after = after
    while True:
        answer = run_overlaid(overlay.list(request), source, live)
        rows, more = reference_page(visible, prefix, delimiter, expected_after, most)
        assert (rows_of(answer), answer.truncated) == (rows, more)
        for entry in answer.entries:
            body = visible[entry.key]
            assert (entry.etag, entry.size) == (etag(body), len(body))
            read = run_overlaid(overlay.get(ObjectRequest("bucket", entry.key)), source, live)
            assert body_of(read, source) == body
        if answer.last is None:
            break
        request = replace(request, token=token_of(answer.last))
        expected_after = answer.last


LOOSE = {b"d/%03d" % number: b"loose" for number in range(0, 200, 2)}
BOUND = {f"d/{number:03}": b"bound" for number in range(1, 200, 2)}


@pytest.mark.parametrize("delimiter", [b"", b"/"])
def test_a_page_asks_the_live_side_once_for_no_more_than_it_may_tell(delimiter: bytes) -> None:
    overlay, source = overlaid(BOUND)
    live = MemoryLive(LOOSE)
    request = ListRequest("bucket", 2, b"d/", delimiter, 10)
    answer = run_overlaid(overlay.list(request), source, live)
    assert [entry.key for entry in answer.entries] == [b"d/%03d" % number for number in range(10)]
    assert live.asked == [LiveList(BUCKET, b"d/", delimiter, b"", 10)]
    answer = run_overlaid(overlay.list(replace(request, token=token_of(b"d/100"))), source, live)
    assert [entry.key for entry in answer.entries] == [b"d/%03d" % number for number in range(101, 111)]
    assert live.asked[1:] == [LiveList(BUCKET, b"d/", delimiter, b"d/100", 10)]


def test_a_page_costs_one_head_beyond_what_it_costs_without_a_live_side() -> None:
    overlay, source = overlaid(BOUND)
    costs = []
    for _ in range(3):
        traced = TracedSource(source, Trace())
        run_overlaid(overlay.list(ListRequest("bucket", 2, b"d/", b"", 10)), traced, MemoryLive(LOOSE))
        costs.append([request.kind for request in traced.trace.made])
    assert costs == [["tail", "head"], ["head"], ["head"]]


def test_what_a_common_prefix_holds_is_not_listed_on_the_live_side() -> None:
    overlay, source = overlaid({"a/1": b"", "c/1": b""})
    live = MemoryLive({b"a/2": b"", b"b/1": b"", b"b/2": b"", b"d": b""})
    answer = run_overlaid(overlay.list(ListRequest("bucket", 2, b"", b"/", 2)), source, live)
    assert (answer.prefixes, answer.last) == ([b"a/", b"b/"], b"b/")
    answer = run_overlaid(overlay.list(ListRequest("bucket", 2, b"", b"/", 2, token=token_of(b"b/"))), source, live)
    assert (answer.prefixes, [entry.key for entry in answer.entries], answer.last) == ([b"c/"], [b"d"], None)
    assert [ask.start_after for ask in live.asked if isinstance(ask, LiveList)] == [b"", "b/\U0010ffff".encode()]


def test_a_live_prefix_hidden_in_a_common_prefix_is_asked_for_one_key() -> None:
    overlay, source = overlaid({"z": b""}, LivePlace("bucket", b"a/b/", BUCKET, b"loose/"))
    live = MemoryLive({b"loose/%d" % number: b"" for number in range(9)})
    answer = run_overlaid(overlay.list(ListRequest("bucket", 2, b"", b"/")), source, live)
    assert (answer.prefixes, [entry.key for entry in answer.entries]) == ([b"a/"], [b"z"])
    assert live.asked == [LiveList(BUCKET, b"loose/", b"", b"", 1)]
    live.objects.clear()
    assert run_overlaid(overlay.list(ListRequest("bucket", 2, b"", b"/")), source, live).prefixes == []


def test_a_page_that_no_live_key_can_be_in_costs_no_live_request() -> None:
    overlay, source = overlaid({"b/1": b"", "z": b""}, LivePlace("bucket", b"a/", BUCKET, b""))
    live = MemoryLive({b"1": b""})
    for request in (ListRequest("bucket", prefix=b"b/"), ListRequest("bucket", after=b"b"), ListRequest("bucket", max_keys=0)):
        run_overlaid(overlay.list(request), source, live)
    run_overlaid(overlay.list(ListRequest("bucket", delimiter=b"/", after=b"a/")), source, live)
    assert live.asked == []


def test_several_live_prefixes_are_one_listing() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"b": b""})
    places = LivePlaces([LivePlace("bucket", b"c/", BUCKET, b"second/"), LivePlace("bucket", b"a/", BUCKET, b"first/")])
    overlay, source = Overlay(service_over(mount("bucket")), places), MemorySource(objects)
    live = MemoryLive({b"first/1": b"", b"first/2": b"", b"second/1": b"", b"other": b""})
    pages, token = [], None
    while True:
        answer = run_overlaid(overlay.list(ListRequest("bucket", max_keys=2, token=token)), source, live)
        pages.append(rows_of(answer))
        if answer.last is None:
            break
        token = token_of(answer.last)
    assert pages == [[b"a/1", b"a/2"], [b"b", b"c/1"]]
    assert rows_of(run_overlaid(overlay.list(ListRequest("bucket", delimiter=b"/")), source, live)) == [b"a/", b"b", b"c/"]


def test_a_loose_object_keeps_its_storage_class_in_listings() -> None:
    overlay, source = overlaid({"a": b"1"})
    answer: ListAnswer = run_overlaid(overlay.list(ListRequest("bucket")), source, MemoryLive({b"b": b"2"}))
    assert answer.entries == [
        Entry(b"a", 1, etag(b"1"), MTIME_S, "STANDARD"),
        Entry(b"b", 1, etag(b"2"), 1_600_000_000, "GLACIER_IR"),
    ]


def test_what_is_bound_costs_nothing_on_the_live_side_and_what_is_loose_one_request() -> None:
    overlay, source = overlaid({"a": b"bound", "both": b"bound"})
    live = MemoryLive({b"b": b"loose", b"both": b"loose"})
    for key, body, asked in ((b"a", b"bound", 0), (b"both", b"bound", 0), (b"b", b"loose", 1)):
        for read in (overlay.get, overlay.head):
            live.asked.clear()
            answer = run_overlaid(read(ObjectRequest("bucket", key)), source, live)
            assert len(live.asked) == asked
            if read == overlay.get:
                assert body_of(answer, source) == body


def test_where_the_live_side_wins_it_is_asked_first() -> None:
    overlay, source = overlaid({"a": b"bound", "both": b"bound"}, winner=Winner.LIVE)
    live = MemoryLive({b"both": b"loose"})
    assert isinstance(run_overlaid(overlay.get(ObjectRequest("bucket", b"both")), source, live), LiveAnswer)
    assert body_of(run_overlaid(overlay.get(ObjectRequest("bucket", b"a")), source, live), source) == b"bound"
    assert len(live.asked) == 2


def test_a_key_on_neither_side_is_no_such_key_and_costs_one_head_more() -> None:
    overlay, source = overlaid({"a": b"bound"})
    live = MemoryLive({})
    run_overlaid(overlay.get(ObjectRequest("bucket", b"a")), source, live)
    traced = TracedSource(source, Trace())
    for read in (overlay.get, overlay.head):
        with pytest.raises(NoSuchKey):
            run_overlaid(read(ObjectRequest("bucket", b"absent")), traced, live)
    assert len(live.asked) == 2
    assert traced.trace.requests == 2


@pytest.mark.parametrize("refusal", [LiveRefusal(403, "AccessDenied", "Access Denied"), LiveRefusal(503, "SlowDown", "Slow down")])
def test_refusals_of_the_live_side_come_through_as_they_are(refusal: LiveRefusal) -> None:
    overlay, source = overlaid({"a": b"bound"})
    live = MemoryLive({}, refusal=refusal)
    for steps in (
        overlay.get(ObjectRequest("bucket", b"b")),
        overlay.head(ObjectRequest("bucket", b"b")),
        overlay.list(ListRequest("bucket")),
    ):
        with pytest.raises(LiveRefusal) as caught:
            run_overlaid(steps, source, live)
        assert caught.value is refusal
    assert body_of(run_overlaid(overlay.get(ObjectRequest("bucket", b"a")), source, live), source) == b"bound"


def test_a_store_that_never_comes_to_an_end_is_given_up() -> None:
    class Stuck(MemoryLive):
        def list(self, ask: LiveList) -> LivePage:
            return super().list(replace(ask, after=b"", max_keys=1))

    overlay, source = overlaid({})
    with pytest.raises(StoreFailed, match="too slowly"):
        run_overlaid(overlay.list(ListRequest("bucket")), source, Stuck({b"a": b"", b"b": b""}))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("logs=s3://our-logs/", LivePlace("logs", b"", "our-logs", b"")),
        ("logs=s3://our-logs", LivePlace("logs", b"", "our-logs", b"")),
        ("logs/2026/=s3://our-logs/a/b", LivePlace("logs", b"2026/", "our-logs", b"a/b/")),
        ("logs/year=2026=s3://our-logs/x=s3://y/", LivePlace("logs", b"year=2026/", "our-logs", b"x=s3://y/")),
    ],
)
def test_a_live_prefix_is_written_like_a_mount(text: str, place: LivePlace) -> None:
    assert parse_live(text) == place


@pytest.mark.parametrize("text", ["", "logs", "logs=", "=s3://a/", "logs=/var/log", "logs=s3://", "/a=s3://bucket/"])
def test_what_is_no_live_prefix_is_refused(text: str) -> None:
    with pytest.raises(SettingInvalid, match="no live prefix"):
        parse_live(text)


@pytest.mark.parametrize("prefixes", [("", "a/"), ("a/", "a/"), ("a/", "a/b/")])
def test_no_live_prefix_lies_beneath_another(prefixes: tuple[str, str]) -> None:
    with pytest.raises(SettingInvalid, match="beneath another"):
        LivePlaces(LivePlace("bucket", prefix.encode(), BUCKET, b"") for prefix in prefixes)

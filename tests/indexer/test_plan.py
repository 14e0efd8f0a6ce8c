"""Whatever its frames are, a member's bytes are read in the fewest asks, and no byte that is wrong is the last one handed out."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import plan
from indexer.asks import Body, Need
from indexer.drivers import stream
from indexer.drivers_async import stream_async
from indexer.errors import MemberDamaged, MemberUnreadable, ObjectReplaced, RangeInvalid
from indexer.limits import REQUEST_BYTES, WHOLE_FRAME_BYTES, ZERO_PIECE_BYTES, ZIP_LOCAL_SLACK_BYTES
from indexer.model import Codec, Extent, Frame, Identity, Member, Span
from indexer.source.memory import AsyncMemorySource, MemorySource
from indexer.source.trace import Trace, TracedSource
from tests.indexer.test_codecs import ENCODERS

URL = "memory://archive"
CODECS = sorted(ENCODERS)


class Shelf:
    """An archive that is put together frame by frame."""

    def __init__(self) -> None:
        self.data = bytearray(b"what stands before the first frame")

    def put(self, raw: bytes, codec: Codec, *, lead: int | None = None, extra: int = 0, gap: int = 0) -> Frame:
        """Add a frame; with `lead`, behind a zip local header of `extra` more bytes than that guess says."""
        self.data += bytes(gap)
        start, stored = len(self.data), ENCODERS[codec](raw)
        if lead is not None:
            name_bytes = 3
            header = bytearray(b"PK\3\4" + bytes(22))
            header += name_bytes.to_bytes(2, "little") + (lead + extra - 30 - name_bytes).to_bytes(2, "little")
            self.data += header + bytes(lead + extra - 30)
        self.data += stored
        return Frame(start, len(stored), len(raw), codec, lead or 0)

    def source(self) -> MemorySource:
        return MemorySource({URL: bytes(self.data)})


class Case(NamedTuple):
    source: MemorySource
    member: Member
    raw: bytes

    @property
    def of(self) -> Identity:
        return self.source.identity(URL)


def whole(shelf: Shelf, *parts: tuple[Frame | None, int, bytes], crc32: int | None = None) -> Case:
    """A member of these parts: frame, offset in it, and what its bytes there are."""
    raw = b"".join(part for _, _, part in parts)
    lying = tuple(Extent(frame, offset, len(part)) for frame, offset, part in parts)
    checksum = zlib.crc32(raw) if crc32 is None else crc32
    return Case(shelf.source(), Member(b"m", len(raw), 0, lying, checksum), raw)


TEXT = bytes(range(256)) * 3


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shelf = Shelf()
    raws = [draw(st.binary(max_size=60) | st.sampled_from([TEXT, b"x" * 5000])) for _ in range(draw(st.integers(1, 4)))]
    frames = []
    for raw in raws:
        lead = draw(st.none() | st.integers(60, 90))
        extra = draw(st.sampled_from([0, -27, 4, 64, 65, 900])) if lead else 0
        frames.append(shelf.put(raw, draw(st.sampled_from(CODECS)), lead=lead, extra=extra, gap=draw(st.integers(0, 40))))
    shelf.data += bytes(draw(st.sampled_from([0, 10, 2000])))
    parts: list[tuple[Frame | None, int, bytes]] = []
    for _ in range(draw(st.integers(0, 5))):
        if draw(st.booleans()):
            at = draw(st.integers(0, len(frames) - 1))
            start = draw(st.integers(0, len(raws[at])))
            parts.append((frames[at], start, raws[at][start : draw(st.integers(start, len(raws[at])))]))
        else:
            parts.append((None, 0, bytes(draw(st.integers(0, 30)))))
    return whole(shelf, *parts)


def bounds(case: Case) -> st.SearchStrategy[tuple[int, int]]:
    place = st.integers(0, len(case.raw))
    return st.tuples(place, place).map(lambda two: (min(two), max(two)))


def joined(case: Case, start: int, stop: int, **named: Any) -> bytes:
    pieces = list(stream(plan.read(case.of, case.member, start, stop, **named), case.source))
    assert all(pieces)
    return b"".join(pieces)


@settings(max_examples=200)
@given(data=st.data(), case=cases())
def test_any_range_is_that_slice_of_the_member(data: st.DataObject, case: Case) -> None:
    assert joined(case, 0, len(case.raw)) == case.raw
    start, stop = data.draw(bounds(case))
    assert joined(case, start, stop) == case.raw[start:stop]


@given(data=st.data(), case=cases())
def test_frames_small_enough_to_be_called_large_are_streamed_to_the_same_bytes(data: st.DataObject, case: Case) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "WHOLE_FRAME_BYTES", data.draw(st.sampled_from([0, 20, 300])))
        patch.setattr(plan, "REQUEST_BYTES", data.draw(st.sampled_from([300, 1000])))
        start, stop = data.draw(bounds(case))
        assert joined(case, start, stop) == case.raw[start:stop]
        assert joined(case, 0, len(case.raw)) == case.raw


@given(data=st.data(), case=cases())
def test_drivers_in_a_thread_ahead_or_on_a_loop_give_the_same_bytes(data: st.DataObject, case: Case) -> None:
    from concurrent.futures import ThreadPoolExecutor

    start, stop = data.draw(bounds(case))

    async def on_a_loop() -> bytes:
        source = AsyncMemorySource(case.source.objects)
        return b"".join([piece async for piece in stream_async(plan.read(case.of, case.member, start, stop), source)])

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(2) as ahead:
        patch.setattr(plan, "REQUEST_BYTES", 300)
        patch.setattr(plan, "WHOLE_FRAME_BYTES", 100)
        expected = case.raw[start:stop]
        assert b"".join(stream(plan.read(case.of, case.member, start, stop), case.source, ahead=ahead)) == expected
        assert asyncio.run(on_a_loop()) == expected


class Forgetting(dict[Any, bytes]):
    """A cache that gives each thing back once, as one under pressure may."""

    def get(self, key: Any, default: Any = None) -> Any:
        return self.pop(key, default)


@given(data=st.data(), case=cases(), kept=st.sampled_from([dict, Forgetting]))
def test_a_frame_cache_changes_no_byte(data: st.DataObject, case: Case, kept: Callable[[], Any]) -> None:
    frames = kept()
    for start, stop in data.draw(st.lists(bounds(case), min_size=1, max_size=5)):
        assert joined(case, start, stop, frames=frames) == case.raw[start:stop]


def asks(body: Body, case: Case) -> Iterator[Need]:
    """The asks of a body, answered."""
    told: Any = next(body, None)
    while told is not None:
        reply = None
        if isinstance(told, Need):
            yield told
            reply = case.source.read(told.of, told.spans)
        try:
            told = body.send(reply)
        except StopIteration:
            return


def asked(case: Case, start: int = 0, stop: int | None = None, **named: Any) -> list[Need]:
    return list(asks(plan.read(case.of, case.member, start, len(case.raw) if stop is None else stop, **named), case))


def test_a_small_member_costs_one_ask_of_one_span_which_is_its_frame() -> None:
    shelf = Shelf()
    frame = shelf.put(TEXT, Codec.ZSTD)
    (ask,) = asked(whole(shelf, (frame, 5, TEXT[5:90])))
    assert ask.spans == (Span(frame.start, frame.start + frame.stored_bytes),)
    assert ask.ahead == ()


@pytest.mark.parametrize("extra", [-27, 0, 1, ZIP_LOCAL_SLACK_BYTES])
def test_a_zip_member_costs_one_ask_though_its_local_header_is_only_guessed(extra: int) -> None:
    shelf = Shelf()
    frame = shelf.put(TEXT, Codec.DEFLATE, lead=60, extra=extra)
    shelf.data += bytes(200)
    case = whole(shelf, (frame, 0, TEXT))
    (ask,) = asked(case)
    assert [span.length for span in ask.spans] == [60 + frame.stored_bytes + ZIP_LOCAL_SLACK_BYTES]


def test_a_local_header_far_longer_than_guessed_costs_one_ask_more_for_what_was_missing() -> None:
    shelf = Shelf()
    frame = shelf.put(TEXT, Codec.DEFLATE, lead=60, extra=ZIP_LOCAL_SLACK_BYTES + 7)
    first, second = asked(whole(shelf, (frame, 0, TEXT)))
    assert second.spans == (Span(first.spans[0].stop, first.spans[0].stop + 7),)


@pytest.mark.parametrize("extra", [-27, 0, 9])
@pytest.mark.parametrize("codec", [Codec.STORED, Codec.DEFLATE])
def test_the_first_bytes_of_a_large_zip_member_cost_one_ask(codec: Codec, extra: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "WHOLE_FRAME_BYTES", 1)
    monkeypatch.setattr(plan, "REQUEST_BYTES", 1000)
    shelf = Shelf()
    raw = b"".join(zlib.crc32(bytes([at])).to_bytes(4, "little") for at in range(250)) * 5
    frame = shelf.put(raw, codec, lead=60, extra=extra)
    shelf.data += bytes(200)
    case = whole(shelf, (frame, 0, raw))
    for start in (1, 700) if codec is Codec.STORED else (1,):
        body = plan.read(case.of, case.member, start, len(raw))
        ask: Any = next(body)
        assert sum(span.length for span in ask.spans) <= 1000 + 30
        piece = body.send(case.source.read(ask.of, ask.spans))
        assert isinstance(piece, bytes)
        assert raw[start:].startswith(piece)
    assert joined(case, 0, len(raw)) == raw


def test_zeros_and_empty_members_cost_nothing() -> None:
    shelf = Shelf()
    assert asked(whole(shelf)) == []
    case = whole(shelf, (None, 0, bytes(3 * ZERO_PIECE_BYTES + 1)))
    assert asked(case) == []
    pieces = list(stream(plan.read(case.of, case.member, 0, len(case.raw)), case.source))
    assert max(map(len, pieces)) == ZERO_PIECE_BYTES
    assert b"".join(pieces) == case.raw


def test_a_range_asks_for_the_frames_it_touches_and_no_other() -> None:
    shelf = Shelf()
    parts = [(shelf.put(bytes([at]) * 100, Codec.ZSTD), 0, bytes([at]) * 100) for at in range(10)]
    case = whole(shelf, *parts)
    for start, stop, touched in ((250, 251, [2]), (199, 301, [1, 2, 3]), (0, 1000, list(range(10)))):
        (ask,) = asked(case, start, stop)
        assert ask.spans == tuple(Span(parts[at][0].start, parts[at][0].start + parts[at][0].stored_bytes) for at in touched)
    assert asked(case, 500, 500) == []


def test_frames_are_grouped_to_requests_and_the_next_group_is_named_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "REQUEST_BYTES", 1000)
    shelf = Shelf()
    parts = [(shelf.put(bytes([at]) * 300, Codec.STORED), 0, bytes([at]) * 300) for at in range(10)]
    needs = asked(whole(shelf, *parts))
    assert [len(need.spans) for need in needs] == [3, 3, 3, 1]
    assert [need.ahead for need in needs] == [*(need.spans for need in needs[1:]), ()]


def test_members_of_a_frame_cost_one_ask_together_when_frames_are_kept() -> None:
    shelf = Shelf()
    frame = shelf.put(TEXT, Codec.ZSTD)
    frames: dict[Any, bytes] = {}
    cost = [len(asked(whole(shelf, (frame, at, TEXT[at : at + 10])), frames=frames)) for at in (700, 0, 90, 500, 700)]
    assert cost == [1, 0, 0, 0, 0]


def test_a_frame_wanted_again_is_decoded_whole_and_costs_nothing_after() -> None:
    shelf = Shelf()
    frame = shelf.put(TEXT, Codec.ZSTD)
    frames: dict[Any, bytes] = {}
    cost = [len(asked(whole(shelf, (frame, at, TEXT[at : at + 10])), frames=frames)) for at in (0, 100, 200, 500)]
    assert cost == [1, 1, 0, 0]
    assert list(frames.values()) == [TEXT]


def test_frames_of_another_version_of_the_archive_are_never_taken() -> None:
    frames: dict[Any, bytes] = {}
    for letter in (b"a", b"b"):
        shelf = Shelf()
        case = whole(shelf, (shelf.put(letter * 50, Codec.STORED), 0, letter * 50))
        assert joined(case, 0, 50, frames=frames) == letter * 50


def test_a_large_frame_is_streamed_and_never_kept() -> None:
    raw = b"0123456789abcdef" * (WHOLE_FRAME_BYTES // 16 + 1)
    shelf = Shelf()
    case = whole(shelf, (shelf.put(raw, Codec.ZSTD), 0, raw))
    frames: dict[Any, bytes] = {}
    pieces = list(stream(plan.read(case.of, case.member, 0, len(raw), frames=frames), case.source))
    assert b"".join(pieces) == raw
    assert max(map(len, pieces)) <= 1 << 20
    assert frames == {}


def test_a_range_of_a_large_stored_frame_fetches_those_bytes_alone() -> None:
    raw = bytes(2 * REQUEST_BYTES)
    shelf = Shelf()
    frame = shelf.put(raw, Codec.STORED)
    case = whole(shelf, (frame, 0, raw))
    (ask,) = asked(case, REQUEST_BYTES - 5, REQUEST_BYTES + 5)
    assert ask.spans == (Span(frame.start + REQUEST_BYTES - 5, frame.start + REQUEST_BYTES + 5),)


def test_very_many_tiny_frames_of_one_member_cost_one_ask() -> None:
    shelf = Shelf()
    parts: list[tuple[Frame | None, int, bytes]] = [(shelf.put(b"x", Codec.STORED, gap=1), 0, b"x") for _ in range(20_000)]
    (ask,) = asked(whole(shelf, *parts))
    assert len(ask.spans) == 20_000


@given(case=cases(), data=st.data())
def test_no_damage_reaches_the_last_byte_unnoticed(case: Case, data: st.DataObject) -> None:
    archive = bytearray(case.source.objects[URL])
    at = data.draw(st.integers(0, len(archive) - 1))
    archive[at] ^= data.draw(st.sampled_from([1, 0x80]))
    source = MemorySource({URL: bytes(archive)})
    body = plan.read(source.identity(URL), case.member, 0, len(case.raw))
    told = bytearray()
    try:
        for piece in stream(body, source):
            told += piece
    except (MemberDamaged, MemberUnreadable) as error:
        facts = error.facts
    else:
        assert bytes(told) == case.raw
        return
    assert (facts["archive"], facts["member"]) == (URL, "m")
    assert len(told) < len(case.raw)


def test_a_wrong_checksum_is_noticed_before_the_last_piece_is_handed_out() -> None:
    shelf = Shelf()
    parts = [(shelf.put(bytes([at]) * 10, Codec.STORED), 0, bytes([at]) * 10) for at in range(3)]
    case = whole(shelf, *parts, crc32=1)
    got: list[bytes] = []
    with pytest.raises(MemberDamaged, match=r"00000001.*memory://archive.*'m'"):
        got.extend(stream(plan.read(case.of, case.member, 0, 30), case.source))
    assert joined(case, 0, 29) == case.raw[:29]


def test_pieces_before_the_damaged_one_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    parts = [(shelf.put(bytes([at]) * 10, Codec.STORED), 0, bytes([at]) * 10) for at in range(3)]
    case = whole(shelf, *parts, crc32=1)
    pieces = stream(plan.read(case.of, case.member, 0, 30), case.source)
    assert next(pieces) + next(pieces) == case.raw[:20]
    with pytest.raises(MemberDamaged):
        next(pieces)


def test_an_archive_replaced_meanwhile_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "REQUEST_BYTES", 10)
    shelf = Shelf()
    parts = [(shelf.put(bytes([at]) * 10, Codec.STORED), 0, bytes([at]) * 10) for at in range(3)]
    case = whole(shelf, *parts)
    objects = dict(case.source.objects)
    trace = Trace()
    source = TracedSource(MemorySource(objects), trace)
    pieces = stream(plan.read(case.of, case.member, 0, 30), source)
    first = next(pieces)
    objects[URL] = objects[URL].replace(b"\2", b"\3")
    got = [first]
    with pytest.raises(ObjectReplaced):
        got.extend(pieces)
    assert b"".join(got) == case.raw[: 10 * len(got)]
    assert trace.made[-1].failed is ObjectReplaced.reason


def test_a_member_cannot_be_read_beyond_its_ends() -> None:
    shelf = Shelf()
    case = whole(shelf, (shelf.put(b"abc", Codec.STORED), 0, b"abc"))
    for start, stop in ((-1, 2), (0, 4), (3, 2), (4, 4)):
        with pytest.raises(RangeInvalid):
            joined(case, start, stop)


def test_an_unreadable_member_is_told_with_its_reason_and_costs_nothing() -> None:
    case = whole(Shelf())
    with pytest.raises(MemberUnreadable, match="encrypted"):
        asked(case._replace(member=case.member._replace(unreadable="encrypted")))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"start": 1 << 40}, "outside"),
        ({"stored_bytes": 1 << 40}, "outside"),
        ({"raw_bytes": 2}, "outside"),
        ({"stored_bytes": 1}, "end after|do not decode"),
        ({"lead_bytes": 30}, "no zip local header"),
        ({"codec": Codec.LZO}, "lzo"),
    ],
)
def test_a_place_that_cannot_be_is_told_as_damage_of_that_member(change: dict[str, Any], what: str) -> None:
    shelf = Shelf()
    frame = shelf.put(b"abc" * 9, Codec.STORED)
    case = whole(shelf, (frame._replace(**change), 0, b"abc" * 9))
    with pytest.raises((MemberDamaged, MemberUnreadable), match=what) as raised:
        asked(case)
    assert raised.value.facts["member"] == "m"


def test_extents_that_do_not_add_up_are_told() -> None:
    shelf = Shelf()
    case = whole(shelf, (shelf.put(b"abc", Codec.STORED), 0, b"abc"))
    with pytest.raises(MemberDamaged, match="add up"):
        list(stream(plan.read(case.of, case.member._replace(size=5), 0, 5), case.source))

"""What an index answers equals what a sorted list of its members would."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.asks import NeedTail
from indexer.drivers import answer, run
from indexer.errors import IndexMissing, LimitExceeded
from indexer.indexfile import columns, details, writer
from indexer.indexfile.columns import Column
from indexer.indexfile.details import EtagKind
from indexer.indexfile.directory import separator
from indexer.indexfile.reader import Index, open_index
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.limits import MTIME_S_LEAST, MTIME_S_MOST, NAME_BYTES, PAGE_EXTENTS, PAGE_STORED_BYTES
from indexer.model import Codec, Extent, Frame, Member
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from tests.indexer.indexfile.made import FACTS, NAMES, URL, archives, opened, plain_members, shaped, written

SHAPES = st.fixed_dictionaries(
    {
        "page_members": st.integers(1, 5),
        "directory_pages": st.integers(1, 3),
        "tail_bytes": st.sampled_from([64, 100, 700, 2000, 131_072]),
    }
)


def neighbours(name: bytes) -> list[bytes]:
    """Names that lie close to one."""
    return [
        name,
        name + b"\0",
        name[:-1],
        name[:-1] + bytes([max(name[-1] - 1, 0)]),
        name[:-1] + bytes([min(name[-1] + 1, 255)]),
        name * 2,
    ]


def assert_finds_what_a_list_holds(index: Index, source: MemorySource, of: Sequence[Member]) -> None:
    model = {member.name: member for member in of}
    for name in {b"", b"\0", b"\xff" * 9, *(other for member in of for other in neighbours(member.name))}:
        assert run(index.find(name), source) == model.get(name)


def assert_windows_of_a_list(index: Index, source: MemorySource, of: Sequence[Member], starts: Sequence[bytes]) -> None:
    names = [member.name for member in of]
    for start in starts:
        expected = of[bisect_left(names, start) :]
        for want in (1, 2, 3, len(of) // 2, len(of), len(of) + 1):
            got = run(index.window(start, want), source)
            assert got == expected[: len(got)]
            assert len(got) >= min(want, len(expected))


@settings(max_examples=150)
@given(of=archives(), shape=SHAPES, kind=st.sampled_from(["tar.zst", "zip"]))
def test_every_name_is_found_and_none_beside_it(of: list[Member], shape: dict[str, int], kind: str) -> None:
    with shaped(**shape):
        index, source = opened(written(of, ArchiveFacts("etag", 9, kind)))
        assert_finds_what_a_list_holds(index, source, of)
        assert_finds_what_a_list_holds(*opened(source.objects[URL]), of)


@settings(max_examples=100)
@given(of=archives(), shape=SHAPES, others=st.lists(NAMES, max_size=5))
def test_a_window_from_any_name_is_the_rest_of_the_list(of: list[Member], shape: dict[str, int], others: list[bytes]) -> None:
    with shaped(**shape):
        data = written(of)
        starts = [b"", b"\xff", *others, *(other for member in of for other in neighbours(member.name))]
        assert_windows_of_a_list(*opened(data), of, starts)


@pytest.mark.parametrize("tail_bytes", [64, 3000, 131_072])
def test_windows_over_many_directories_never_go_back(tail_bytes: int) -> None:
    of = plain_members(3000, step=2)
    with shaped(page_members=11, directory_pages=7, tail_bytes=tail_bytes):
        index, source = opened(written(of))
        for start in range(0, 6000, 41):
            for want in (1, 12, 23, 1000):
                got = run(index.window(b"log/%08d" % start, want), source)
                assert got == of[(start + 1) // 2 :][: len(got)]
                assert len(got) >= min(want, 3000 - (start + 1) // 2)


def test_a_listing_that_needs_one_page_more_goes_on_where_it_was() -> None:
    of = plain_members(400, step=10)
    with shaped(page_members=10, directory_pages=100, tail_bytes=64):
        index, source = opened(written(of))
        between_pages = b"log/%08d" % 995  # behind the last name of its page: none of the page's members counts
        assert [member.name for member in run(index.window(between_pages, 11), source)] == [member.name for member in of[100:120]]


def test_a_listing_across_directories_costs_two_steps_at_most_wherever_it_begins() -> None:
    of = plain_members(2000, step=2)
    with shaped(page_members=20, directory_pages=10):
        index, source = opened(written(of))
    trace = Trace()
    with shaped(tail_bytes=index.identity.size - index._directories.spans[0].start):  # all directories and no page
        index = run(open_index(URL), source)
    deepest = 0
    for start in range(0, 4000, 3):
        index._pages.clear()
        trace.clear()
        got = run(index.window(b"log/%08d" % start, 100), TracedSource(source, trace))
        assert got == of[(start + 1) // 2 :][: len(got)]
        assert len(got) >= min(100, 2000 - (start + 1) // 2)
        deepest = max(deepest, trace.depth)
    assert deepest == 2


@given(of=archives(), shape=SHAPES)
def test_what_is_known_is_never_asked_for_again(of: list[Member], shape: dict[str, int]) -> None:
    with shaped(**shape):
        _, source = opened(written(of))
        trace = Trace()
        traced = TracedSource(source, trace)
        index = run(open_index(URL), traced)
        assert trace.depth <= 2
        trace.clear()
        run(index.window(b"", len(of) + 1), traced)
        read = [span for request in trace.made if (span := request.span) is not None]
        assert sum(span.length for span in read) <= index.identity.size
        trace.clear()
        run(index.window(b"", len(of) + 1), traced)
        for member in of:
            run(index.find(member.name), traced)
        assert trace.requests == 0


@given(of=archives(), shape=SHAPES)
def test_a_page_cache_that_forgets_costs_requests_and_nothing_else(of: list[Member], shape: dict[str, int]) -> None:
    class Forgetful(dict):  # type: ignore[type-arg]
        def __setitem__(self, key: object, value: object) -> None:
            pass

    with shaped(**shape):
        source = MemorySource({URL: written(of)})
        index = run(open_index(URL, pages=Forgetful()), source)
        assert_finds_what_a_list_holds(index, source, of)
        assert run(index.window(b"", len(of)), source) == of or not of


@given(of=archives(), shape=SHAPES)
def test_the_same_members_give_the_same_bytes(of: list[Member], shape: dict[str, int]) -> None:
    with shaped(**shape):
        first = written(of)
        index, source = opened(first)
        again = run(index.window(b"", max(len(of), 1)), source)
        assert written(again) == written(list(reversed(of))[::-1]) == first


@given(of=archives())
def test_the_index_tells_its_archive(of: list[Member]) -> None:
    index, _ = opened(written(of))
    assert (index.archive_etag, index.archive_size, index.kind) == (FACTS.etag, FACTS.size, FACTS.kind)
    assert (index.members, index.bytes) == (len(of), sum(member.size for member in of))
    assert index.unreadable == sum(member.unreadable is not None for member in of)
    assert index.facts["seek_table"] is True
    assert index.archive("s3://b/k").size == FACTS.size


def test_one_page_kept_by_many_indexes_is_never_taken_for_another() -> None:
    one, two = plain_members(30), plain_members(30, step=2)
    source = MemorySource({"memory://1": written(one), "memory://2": written(two)})
    pages: dict[tuple[str, int], object] = {}
    for url, of in (("memory://1", one), ("memory://2", two)) * 2:
        index = run(open_index(url, pages=pages), source)  # type: ignore[arg-type]
        assert run(index.window(b"", 30), source) == of
    assert len(pages) == 2


def test_an_index_that_is_not_there_is_told_as_such() -> None:
    with pytest.raises(IndexMissing, match="bindery index"):
        run(open_index(URL), MemorySource({}))


def test_opening_asks_for_the_tail_and_nothing_else() -> None:
    source = MemorySource({URL: written(plain_members(5000))})
    opening = open_index(URL)
    ask = next(opening)
    assert ask == NeedTail(URL, 128 * 1024)
    with pytest.raises(StopIteration):
        opening.send(answer(ask, source))


@pytest.mark.parametrize("at", [1, 383, 384, 385, 900])
def test_members_out_of_order_are_refused_wherever_they_are(at: int) -> None:
    of = plain_members(1000)
    of[at - 1], of[at] = of[at], of[at - 1]
    with pytest.raises(ValueError, match="in order"):
        written(of)
    with pytest.raises(ValueError, match="in order"):
        written([*of[: at - 1], of[at], of[at], *of[at + 1 :]])


def test_more_members_than_an_index_can_hold_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "DIRECTORY_CHILDREN", 3)
    with shaped(page_members=1, directory_pages=2):
        written(plain_members(6))
        with pytest.raises(LimitExceeded):
            written(plain_members(7))


def test_a_member_of_very_many_extents_has_a_page_of_its_own_and_is_read_right() -> None:
    lying = tuple(Extent(Frame(at * 3_000, 3_000 - at % 2, 1 << 20, Codec.ZSTD), 0, 1 << 20) for at in range(3 * PAGE_EXTENTS))
    huge = Member(b"b", len(lying) << 20, 0, lying)
    of = [Member(b"a", 0, 0, ()), huge, Member(b"c", 0, 0, ())]
    index, source = opened(written(of))
    assert run(index.window(b"", 3), source) == of
    assert index.facts["pages"] == 3


def test_long_names_take_small_pages() -> None:
    of = [
        Member(b"%04d" % at + bytes(97 + (at * at + step) % 26 for step in range(NAME_BYTES - 4)), 1, at, ()) for at in range(500)
    ]
    of = [member._replace(size=0) for member in of]
    index, source = opened(written(of))
    assert run(index.window(b"", 500), source) == of
    directory = run(index._directory(0), source)
    assert max(span.length for span in directory.spans) <= PAGE_STORED_BYTES * 5 // 4


def test_a_time_no_header_can_tell_becomes_the_nearest() -> None:
    of = [Member(b"a", 0, -(2**60), ()), Member(b"b", 0, 2**60, ()), Member(b"c", 0, 7, ())]
    index, source = opened(written(of))
    assert [member.mtime_s for member in run(index.window(b"", 3), source)] == [MTIME_S_LEAST, MTIME_S_MOST, 7]


@given(numbers=st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62), max_size=40))
@example(numbers=[5])
@example(numbers=list(range(0, 9000, 300)))
@example(numbers=[-(2**62), 2**62])
def test_numbers_come_back(numbers: list[int]) -> None:
    data = columns.encode_ints(numbers) if numbers else b""
    assert list(columns.decode_ints(data, len(numbers))) == numbers
    assert len(data) <= 1 + 10 + 10 + 8 * len(numbers)


@pytest.mark.parametrize("numbers", [[7] * 1000, list(range(1000)), list(range(1_700_000_000, 0, -1_000_000))])
def test_numbers_that_can_be_foreseen_take_no_room(numbers: list[int]) -> None:
    assert len(columns.encode_ints(numbers)) <= 10


def test_numbers_too_far_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="too far apart"):
        columns.encode_ints([0, 2**64, 0, 5])


@given(names=st.sets(NAMES, min_size=2))
def test_a_separator_parts_its_neighbours_and_is_as_short_as_can_be(names: set[bytes]) -> None:
    for before, first in pairwise(sorted(names)):
        key = separator(before, first)
        assert before < key <= first
        assert key[:-1] <= before


@given(value=st.integers(-(2**70), 2**70))
def test_signed_numbers_fold_and_unfold(value: int) -> None:
    assert columns.unzigzag(columns.zigzag(value)) == value
    assert columns.zigzag(value) >= 0


@pytest.mark.parametrize(
    ("etag", "kind", "data_bytes"),
    [
        (None, EtagKind.ABSENT, 0),
        ("0" * 32, EtagKind.MD5, 16),
        ("0" * 32 + "-12", EtagKind.MULTIPART, 16 + 2),
        ("0" * 32 + "-012", EtagKind.TEXT, 37),
        ("0" * 32 + "-", EtagKind.TEXT, 34),
        ("0" * 32 + "-²", EtagKind.TEXT, 36),
        ("A" * 32, EtagKind.TEXT, 33),
        ("", EtagKind.TEXT, 1),
    ],
)
def test_an_etag_takes_the_least_room_that_gives_it_back(etag: str | None, kind: EtagKind, data_bytes: int) -> None:
    told = details.encode_etags([etag])
    assert sum(len(data) for column, data in told.items() if column != Column.ETAG_KIND) == data_bytes
    assert details._etag_kind(etag) is kind
    member = Member(b"a", 0, 0, (), None, etag)
    index, source = opened(written([member]))
    assert run(index.find(b"a"), source) == member


def test_the_writer_holds_back_one_page_of_members_at_most() -> None:
    out: list[int] = []
    taken = 0

    def counted() -> object:
        nonlocal taken
        for member in plain_members(20_000):
            taken += 1
            yield member

    def put(data: bytes) -> None:
        out.append(taken)

    write_index(counted(), FACTS, put)  # type: ignore[arg-type]
    assert out[0] == 0
    assert all(after - before <= 1025 for before, after in pairwise(out))

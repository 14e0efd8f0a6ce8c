"""Tars in gzip, from the bytes that a tool writes to the members that an index gives back."""

from __future__ import annotations

import asyncio
import gzip
import io
import random
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

import indexer.formats.tar_gz
import indexer.scan
from indexer import checkpoints, gzipstream, tarmembers
from indexer.build import BuildSummary, build_index
from indexer.drivers import run, stream
from indexer.drivers_async import run_async, stream_async
from indexer.errors import (
    ArchiveDamaged,
    BinderyError,
    IndexDamaged,
    LimitExceeded,
    MemberUnreadable,
    ObjectReplaced,
)
from indexer.formats.tar_gz import scan
from indexer.indexfile import reader
from indexer.indexfile.reader import Index, open_index
from indexer.model import Codec, Extent, Frame, Member, Span
from indexer.plan import read
from indexer.source.memory import AsyncMemorySource, MemorySource
from indexer.source.trace import AsyncTracedSource, Trace, TracedSource
from tests.indexer.formats.archives import damaged, scanned
from tests.indexer.formats.test_tar_zst import tar_of

ARCHIVE, INDEX = "s3://bucket/logs.tar.gz", "s3://bucket/logs.tar.gz.bindery"


@pytest.fixture(scope="module", autouse=True)
def short_frames() -> Iterator[None]:
    """Checkpoints as close together as the library makes them, so that small archives have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "CHECKPOINT_STEP_BYTES", 33_000)
        patch.setattr(gzipstream, "CHECKPOINT_STORED_BYTES", 60_000)
        patch.setattr(gzipstream, "CHECKPOINT_RAW_BYTES", 200_000)
        patch.setattr(gzipstream, "GZIP_STRETCH_STORED_BYTES", 150_000)
        patch.setattr(gzipstream, "GZIP_STRETCH_RAW_BYTES", 500_000)
        yield


@cache
def files() -> dict[str, bytes]:
    some = random.Random(1)
    made = {}
    for _number in range(4000):
        lines = [b"%06d GET /item/%d\n" % (some.randrange(10**6), some.randrange(99)) for _ in range(some.randrange(8))]
        made[f"logs/{some.getrandbits(64):016x}.log"] = b"".join(lines)
    made["large.log"] = b"".join(b"%06d line %d\n" % (some.randrange(10**6), number) for number in range(60_000))
    made["zeros.bin"] = bytes(5_000_000)
    made["random.bin"] = some.randbytes(300_000)
    return made


@cache
def archive(level: int = 6) -> bytes:
    return gzip.compress(tar_of(files()), level, mtime=0)


class Built:
    """An archive with its index, in memory."""

    def __init__(self, data: bytes, scratch: Path) -> None:
        self.objects = {ARCHIVE: data}
        out = bytearray()
        self.summary: BuildSummary = build_index(ARCHIVE, MemorySource(self.objects), out.extend, scratch=scratch)
        self.objects[INDEX] = bytes(out)
        self.trace = Trace()
        self.source = TracedSource(MemorySource(self.objects), self.trace)

    def open(self) -> Index:
        return run(open_index(INDEX), self.source)

    def get(self, index: Index, name: str, start: int = 0, stop: int | None = None, **named: dict[tuple[str, int], bytes]) -> bytes:
        member = run(index.find(name.encode()), self.source)
        assert member is not None
        body = read(
            index.archive(ARCHIVE),
            member,
            start,
            member.size if stop is None else stop,
            index=index.identity,
            frames=named.get("frames"),
        )
        return b"".join(stream(body, self.source))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return Built(archive(), tmp_path_factory.mktemp("scratch"))


def entered(built: Built) -> str:
    """A small member in the middle of the stream, whose frame has a context."""
    index = built.open()
    for name in files():
        member = run(index.find(name.encode()), built.source)
        assert member is not None
        if member.extents and (frame := member.extents[0].frame) is not None and frame.context.length and member.size < 1000:
            return name
    raise AssertionError("no member lies behind a checkpoint")


@pytest.mark.parametrize("level", [1, 6, 9])
def test_every_member_reads_back_through_the_index(level: int, tmp_path: Path) -> None:
    built = Built(archive(level), tmp_path)
    index = built.open()
    assert index.kind == "tar.gz"
    assert index.members == len(files())
    frames: dict[tuple[str, int], bytes] = {}
    for name, expected in files().items():
        assert built.get(index, name, frames=frames) == expected
    assert int(index.facts["checkpoints"]) > 8


def test_both_drivers_read_any_range_as_tarfile_does(built: Built) -> None:
    index = built.open()
    some = random.Random(2)
    with tarfile.open(fileobj=io.BytesIO(archive())) as reference:
        cases = [("large.log", True), ("random.bin", True), *((name, False) for name in some.sample(sorted(files()), 40))]
        for name, long in cases:
            file = reference.extractfile(name)
            assert file is not None
            whole = file.read()
            for _ in range(6 if long else 1):
                start = some.randrange(len(whole) + 1)
                stop = some.randint(start, len(whole))
                assert built.get(index, name, start, stop) == whole[start:stop]
                assert asyncio.run(on_a_loop(built, name, start, stop)) == whole[start:stop]


async def on_a_loop(built: Built, name: str, start: int, stop: int) -> bytes:
    source = AsyncTracedSource(AsyncMemorySource(built.objects), Trace())
    index = await run_async(open_index(INDEX), source)
    member = await run_async(index.find(name.encode()), source)
    assert member is not None
    body = read(index.archive(ARCHIVE), member, start, stop, index=index.identity)
    return b"".join([piece async for piece in stream_async(body, source)])


@pytest.fixture
def short_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first read of an index holds its root only, as it does with a thousand times as many members."""
    monkeypatch.setattr(reader, "TAIL_BYTES", 1500)


def test_a_cold_get_costs_two_steps_where_the_first_read_holds_the_index(built: Built) -> None:
    name = entered(built)
    built.trace.clear()
    assert built.get(built.open(), name) == files()[name]
    assert [(request.url, request.depth) for request in built.trace.made] == [(INDEX, 1), (ARCHIVE, 2), (INDEX, 2)]


@pytest.mark.usefixtures("short_tail")
def test_a_cold_get_costs_three_steps_tail_page_and_frame_with_its_context(built: Built) -> None:
    name = entered(built)
    built.trace.clear()
    assert built.get(built.open(), name) == files()[name]
    assert [(request.kind, request.url, request.depth) for request in built.trace.made] == [
        ("tail", INDEX, 1),
        ("read", INDEX, 2),
        ("read", ARCHIVE, 3),
        ("read", INDEX, 3),
    ]
    frame, context = built.trace.made[2:]
    assert frame.received_bytes <= 60_000 + 1
    assert context.received_bytes < 33_000


@pytest.mark.usefixtures("short_tail")
def test_a_cold_get_costs_three_steps_on_a_loop_too(built: Built) -> None:
    name = entered(built)
    trace = Trace()

    async def get() -> bytes:
        source = AsyncTracedSource(AsyncMemorySource(built.objects), trace)
        index = await run_async(open_index(INDEX), source)
        member = await run_async(index.find(name.encode()), source)
        assert member is not None
        body = read(index.archive(ARCHIVE), member, 0, member.size, index=index.identity)
        return b"".join([piece async for piece in stream_async(body, source)])

    assert asyncio.run(get()) == files()[name]
    assert (trace.depth, trace.requests) == (3, 4)


def test_what_is_known_is_not_fetched_again(built: Built) -> None:
    name, index = entered(built), built.open()
    frames: dict[tuple[str, int], bytes] = {}
    built.get(index, name, frames=frames)
    built.trace.clear()
    assert built.get(index, name, frames=frames) == files()[name]
    assert built.trace.requests == 0
    for key in [key for key in frames if key[0] == index.archive(ARCHIVE).digest]:
        del frames[key]
    assert built.get(index, name, frames=frames) == files()[name]
    assert [request.url for request in built.trace.made] == [ARCHIVE]  # its context was still known


def test_a_context_that_the_cache_dropped_meanwhile_is_fetched_with_its_frame(built: Built) -> None:
    class Forgets(dict[tuple[str, int], bytes]):
        """Holds a context until it was counted on."""

        def get(self, key: tuple[str, int], default: bytes | None = None) -> bytes | None:  # type: ignore[override]
            found = super().get(key, default)
            if key[0] == index.digest:
                self.pop(key, None)
            return found

    name, index = entered(built), built.open()
    frames = Forgets()
    built.get(index, name, frames=frames)
    for key in [key for key in frames if key[0] != index.digest]:
        del frames[key]
    assert frames
    assert built.get(index, name, frames=frames) == files()[name]


def test_a_long_member_costs_a_step_for_each_request_with_the_contexts_of_all_its_frames(built: Built) -> None:
    index = built.open()
    run(index.find(b"large.log"), built.source)
    built.trace.clear()
    assert built.get(index, "large.log") == files()["large.log"]
    assert [(request.url, request.depth) for request in built.trace.made] == [(ARCHIVE, 1), (INDEX, 1)]


def test_the_same_archive_gives_the_same_index(built: Built, tmp_path: Path) -> None:
    assert Built(archive(), tmp_path).objects[INDEX] == built.objects[INDEX]
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_context_is_told_as_such_and_gives_no_byte(built: Built) -> None:
    name, index = entered(built), built.open()
    member = run(index.find(name.encode()), built.source)
    assert member is not None
    frame = member.extents[0].frame
    assert frame is not None
    for at in (frame.context.start, frame.context.start + 20, frame.context.stop - 1):
        hurt = bytearray(built.objects[INDEX])
        hurt[at] ^= 1
        source = MemorySource({ARCHIVE: archive(), INDEX: bytes(hurt)})
        with pytest.raises(IndexDamaged, match=f"context at {frame.context.start}"):
            list(stream(read(index.archive(ARCHIVE), member, 0, 1, index=source.identity(INDEX)), source))


@pytest.mark.parametrize("place", [Span(0, 10), Span(16, 16 + 70_000), Span(1 << 40, (1 << 40) + 9), Span(30, 20)])
def test_a_context_elsewhere_than_one_can_be_is_not_even_fetched(built: Built, place: Span) -> None:
    index = built.open()
    frame = Frame(0, 100, 100, Codec.DEFLATE_AT, context=place)
    member = Member(b"name", 5, 0, (Extent(frame, 0, 5),))
    built.trace.clear()
    with pytest.raises(IndexDamaged):
        list(stream(read(index.archive(ARCHIVE), member, 0, 5, index=index.identity), built.source))
    assert built.trace.requests == 0


def test_an_index_that_was_replaced_meanwhile_is_noticed(built: Built) -> None:
    name, index = entered(built), built.open()
    member = run(index.find(name.encode()), built.source)
    assert member is not None
    source = MemorySource({ARCHIVE: archive(), INDEX: built.objects[INDEX] + b"x"})
    with pytest.raises(ObjectReplaced):
        list(stream(read(index.archive(ARCHIVE), member, 0, 1, index=index.identity), source))


def test_without_the_index_a_member_behind_a_checkpoint_cannot_be_read(built: Built) -> None:
    name, index = entered(built), built.open()
    member = run(index.find(name.encode()), built.source)
    assert member is not None
    with pytest.raises(MemberUnreadable, match="window out of the index"):
        list(stream(read(index.archive(ARCHIVE), member, 0, 1), built.source))


def test_links_whose_targets_are_not_at_hand_read_the_archive_twice_and_keep_each_context_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files().items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, kind in (("hard", tarfile.LNKTYPE), ("soft", tarfile.SYMTYPE)):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, "random.bin"
            tar.addfile(link)
    data = gzip.compress(out.getvalue(), 6)
    once = scanned(scan, data)
    monkeypatch.setattr(tarmembers, "LINK_TARGETS", 5)
    twice = scanned(scan, data)
    assert len(twice.needs) == 2 * len(once.needs)
    assert twice.contexts == once.contexts
    members = twice.by_name()
    assert twice.read(members["hard"]) == twice.read(members["soft"]) == files()["random.bin"]


def test_a_stream_that_cannot_be_entered_holds_no_more_members_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.formats.tar_gz, "GZIP_MEMBERS_WAITING", 100)
    with pytest.raises(LimitExceeded, match="more than 100 members"):
        scanned(scan, archive())


def test_an_archive_is_read_once_from_end_to_end() -> None:
    found = scanned(scan, archive())
    assert [need.spans for need in found.needs] == [(Span(0, len(archive())),)]
    assert found.largest_batch <= indexer.scan.SCAN_BATCH_MEMBERS


def test_a_tar_cut_short_inside_a_sound_gzip_is_damage() -> None:
    with pytest.raises(ArchiveDamaged, match="tar ends"):
        scanned(scan, gzip.compress(tar_of(files())[:100_000]))
    with pytest.raises(ArchiveDamaged, match="tar header"):
        scanned(scan, gzip.compress(b"no tar at all" * 1000))


SMALL = tar_of({"a": b"alpha" * 300, "folder/b": b"", "c": bytes(90_000), "d": random.Random(9).randbytes(90_000), "e": b"end"})
SMALL_GZIP = gzip.compress(SMALL[:100_000], mtime=0) + gzip.compress(SMALL[100_000:], mtime=0)


@settings(max_examples=100, deadline=None)
@given(damaged(SMALL_GZIP))
def test_damage_is_told_or_harmless(data: bytes) -> None:
    try:
        found = scanned(scan, data)
    except (ArchiveDamaged, LimitExceeded):
        return
    assert found.contents() == scanned(scan, SMALL_GZIP).contents()


@pytest.mark.parametrize("name", ["large.log", "zeros.bin"])
def test_damage_to_the_stored_bytes_never_reaches_the_last_byte(built: Built, name: str) -> None:
    index = built.open()
    member = run(index.find(name.encode()), built.source)
    assert member is not None
    some = random.Random(3)
    for _ in range(20):
        frame = some.choice(member.extents).frame
        assert frame is not None
        hurt = bytearray(archive())
        hurt[frame.start + some.randrange(1, frame.stored_bytes - 1)] ^= 1 << some.randrange(8)
        source = MemorySource({ARCHIVE: bytes(hurt), INDEX: built.objects[INDEX]})
        body = read(source.identity(ARCHIVE), member, 0, member.size, index=index.identity)
        with pytest.raises(BinderyError):
            list(stream(body, source))

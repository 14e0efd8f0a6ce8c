"""The promises on the read path, counted exactly: the same at ten thousand members and at a million (DESIGN section 5)."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import pytest
import zstandard

from indexer import plan
from indexer.asks import Head, Tail
from indexer.drivers import run, stream
from indexer.indexfile import reader
from indexer.indexfile.directory import Children
from indexer.indexfile.layout import Trailer
from indexer.indexfile.reader import Index, open_index
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.limits import FRAME_STORED_BYTES, FRAME_STORED_BYTES_MOST, KIB, PAGE_STORED_BYTES, TAIL_BYTES
from indexer.model import Codec, Extent, Frame, Identity, Member, Span
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource

ARCHIVE = "memory://logs.tar.zst"
INDEX = "memory://logs.tar.zst.bindery"
ARCHIVE_BYTES = 1 << 40
SAMPLED = 499
"""Every so many members one is kept to be looked up; a prime, so that it falls anywhere in pages and frames."""

MANY = 1_000_000
TEN_THOUSAND = 10_000
FEW = 5_000
"""So many that the whole index fits the first read."""


def log_members(count: int, samples: list[Member], *, etags: bool) -> Iterator[Member]:
    """Members of a log archive in name order: 64 random bits in each key, frames of about 32 KiB that hold a few hundred each."""
    pick = random.Random(count)
    frame, offset, left, at = Frame(0, 0, 0, Codec.ZSTD), 0, 0, 0
    services = 20
    for service in range(services):
        hours = max(1, count // services // 400)
        for hour in range(hours):
            of_hour = count * (service * hours + hour + 1) // (services * hours) - at
            for bits in sorted(pick.getrandbits(64) for _ in range(of_hour)):
                size = min(int(pick.lognormvariate(6.5, 1.0)) + 1, 1 << 16)
                if left == 0:
                    left = pick.randint(150, 350)
                    stored = min(int(pick.gauss(FRAME_STORED_BYTES, 900)), FRAME_STORED_BYTES_MOST)
                    frame = Frame(frame.start + frame.stored_bytes, stored, 1 << 20, Codec.ZSTD)
                    offset = 0
                offset += 512
                name = b"logs/service-%02d/2024/%02d/%02d/%02d/part-%016x.json" % (
                    service, hour // 672 % 12 + 1, hour // 24 % 28 + 1, hour % 24, bits,
                )  # fmt: skip
                mtime_s = 1_704_067_200 + hour * 3600 + pick.randrange(3600)
                etag = f"{pick.getrandbits(128):032x}" if etags else None
                member = Member(name, size, mtime_s, (Extent(frame, offset, size),), pick.getrandbits(32), etag)
                if at % SAMPLED == 0:
                    member = member._replace(crc32=zlib.crc32(bytes(size)))
                    samples.append(member)
                yield member
                offset += -(-size // 512) * 512
                left -= 1
                at += 1


@dataclass
class LogSource:
    """An index in memory, and an archive whose frames are made when they are asked for: zeros, padded to their stored length."""

    index: MemorySource
    frames: dict[int, Frame]

    def head(self, url: str) -> Head:
        return self.index.head(url)

    def tail(self, url: str, length: int) -> Tail:
        return self.index.tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        if of.url != ARCHIVE:
            return self.index.read(of, spans)
        return [self.frame(*span) for span in spans]

    def frame(self, start: int, stop: int) -> bytes:
        frame = self.frames[start]
        assert stop == start + frame.stored_bytes
        coded = zstandard.compress(bytes(frame.raw_bytes))
        padding = frame.stored_bytes - len(coded) - 8
        return coded + b"\x50\x2a\x4d\x18" + padding.to_bytes(4, "little") + bytes(padding)


@dataclass
class Logs:
    """A log archive with its index, and what it costs to read."""

    count: int
    etags: bool = False
    samples: list[Member] = field(default_factory=list)

    @cached_property
    def data(self) -> bytes:
        data = bytearray()
        facts = ArchiveFacts("0123456789abcdef-99", ARCHIVE_BYTES, "tar.zst")
        write_index(log_members(self.count, self.samples, etags=self.etags), facts, data.extend)
        return bytes(data)

    @cached_property
    def source(self) -> LogSource:
        index = MemorySource({INDEX: self.data})
        lying = [member.extents[0].frame for member in self.samples]
        return LogSource(index, {frame.start: frame for frame in lying if frame is not None})

    def directories(self) -> list[Children]:
        index = run(open_index(INDEX), self.source)
        return [run(index._directory(place), self.source) for place in range(len(index._directories))]

    def page_bytes(self) -> list[int]:
        return [span.length for directory in self.directories() for span in directory.spans]


class Process:
    """A process that reads a log archive: what it knows, and what its calls cost."""

    def __init__(self, logs: Logs) -> None:
        self.logs = logs
        self.trace = Trace()
        self.source = TracedSource(logs.source, self.trace)
        self.frames: dict[Any, bytes] = {}
        self.opened: Index | None = None

    @property
    def index(self) -> Index:
        if self.opened is None:
            self.opened = run(open_index(INDEX), self.source)
        return self.opened

    def open(self) -> None:
        assert self.index.members == self.logs.count

    def head(self, name: bytes) -> Member | None:
        return run(self.index.find(name), self.source)

    def get(self, name: bytes) -> bytes:
        member = self.head(name)
        assert member is not None
        return b"".join(stream(plan.read(self.index.archive(ARCHIVE), member, 0, member.size, frames=self.frames), self.source))

    def list(self, start: bytes, want: int = 1000) -> list[Member]:
        return run(self.index.window(start, want), self.source)

    def forget_pages(self) -> None:
        self.index._pages.clear()

    def cost(self) -> tuple[int, int]:
        """Dependent steps and requests since the last time this was asked."""
        told = (self.trace.depth, self.trace.requests)
        self.trace.clear()
        return told


@pytest.fixture(scope="session")
def all_logs() -> dict[int, Logs]:
    return {count: Logs(count) for count in (FEW, TEN_THOUSAND, MANY)}


@pytest.fixture(params=[TEN_THOUSAND, MANY], ids=["10^4", "10^6"])
def logs(request: pytest.FixtureRequest, all_logs: dict[int, Logs]) -> Logs:
    found = all_logs[request.param]
    assert found.data
    return found


def test_get_costs_root_page_and_frame_then_page_and_frame_then_the_frame_then_nothing(logs: Logs) -> None:
    member = logs.samples[1]
    process = Process(logs)
    for state in ((3, 3), (2, 2), (1, 1), (0, 0)):
        if state == (2, 2):  # the root is known, no page, no frame
            process.forget_pages()
            process.frames.clear()
        if state == (1, 1):  # the page is known
            process.frames.clear()
        assert process.get(member.name) == bytes(member.size)
        assert process.cost() == state


def test_get_of_any_member_costs_at_most_three_steps_from_nothing(logs: Logs) -> None:
    for member in logs.samples[:: max(1, len(logs.samples) // 20)]:
        process = Process(logs)
        assert process.get(member.name) == bytes(member.size)
        depth, requests = process.cost()
        assert depth == requests <= 3


def test_head_costs_root_and_page_then_the_page_then_nothing(logs: Logs) -> None:
    member = logs.samples[1]
    process = Process(logs)
    for state in ((2, 2), (1, 1), (0, 0)):
        if state == (1, 1):
            process.forget_pages()
        assert process.head(member.name) == member
        assert process.cost() == state


def test_head_of_an_absent_name_costs_no_more(logs: Logs) -> None:
    process = Process(logs)
    for state in ((2, 2), (1, 1), (0, 0)):
        if state == (1, 1):
            process.forget_pages()
        assert process.head(logs.samples[1].name + b"\0") is None
        assert process.cost() == state


def test_a_listing_of_a_thousand_costs_root_and_pages_then_the_pages_then_nothing(logs: Logs) -> None:
    start = logs.samples[1].name
    process = Process(logs)
    for state in ((2, 2), (1, 1), (0, 0)):
        if state == (1, 1):
            process.forget_pages()
        assert len(process.list(start)) >= 1000
        assert process.cost() == state


def test_a_listing_from_anywhere_costs_at_most_two_steps_when_the_root_is_known(logs: Logs) -> None:
    process = Process(logs)
    process.open()
    process.cost()
    for at, member in enumerate(logs.samples[:: max(1, len(logs.samples) // 200)]):
        process.forget_pages()
        members = process.list(member.name + b"\0" * (at % 2))
        assert len(members) >= min(1000, logs.count - logs.samples.index(member) * SAMPLED - 1)
        depth, requests = process.cost()
        assert depth <= 2
        assert requests <= 2


def test_listing_on_and_on_reads_every_page_once(logs: Logs) -> None:
    process = Process(logs)
    start, seen, calls = b"", 0, 0
    while seen < min(logs.count, 20_000):
        members = process.list(start)
        start = members[-1].name + b"\0"
        seen += len(members)
        calls += 1
    read = sorted(request.span for request in process.trace.made if request.span is not None and request.kind == "read")
    assert all(before.stop <= after.start for before, after in pairwise(read))
    assert process.trace.requests <= 1 + calls


def test_a_delimiter_listing_costs_pages_per_prefix_not_per_key_skipped(logs: Logs) -> None:
    """As a door does it: what comes behind a prefix is sought at the least name that does not begin with it."""
    process = Process(logs)
    process.open()
    process.cost()
    prefixes: list[bytes] = []
    start = b"logs/"
    while found := process.list(start, 1):
        prefixes.append(found[0].name[: len(b"logs/service-00/")])
        start = prefixes[-1][:-1] + b"0"  # "0" is the byte behind "/"
    assert prefixes == [b"logs/service-%02d/" % service for service in range(20)]
    seeks = len(prefixes) + 1
    # A seek that falls between the last name of a page and the key of the next takes both.
    assert process.trace.depth == process.trace.requests <= 2 * seeks
    assert process.trace.bytes <= 2 * seeks * PAGE_STORED_BYTES * 5 // 4


def test_the_first_read_is_one_request_of_128_kib_at_most(logs: Logs) -> None:
    process = Process(logs)
    process.open()
    assert process.trace.bytes <= TAIL_BYTES == 128 * KIB
    assert process.cost() == (1, 1)


def test_directories_beyond_the_first_read_cost_one_step_more_once(
    all_logs: dict[int, Logs], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = all_logs[MANY]
    trailer = Trailer.decode(logs.data, file_bytes=len(logs.data), index=INDEX)
    monkeypatch.setattr(reader, "TAIL_BYTES", trailer.root_bytes + Trailer.BYTES)
    process = Process(logs)
    for state in ((4, 4), (2, 2)):
        process.get(logs.samples[1].name)
        assert process.cost() == state
        process.forget_pages()
        process.frames.clear()


def test_a_root_beyond_the_first_read_costs_one_step_more_once(all_logs: dict[int, Logs], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "TAIL_BYTES", Trailer.BYTES)
    process = Process(all_logs[TEN_THOUSAND])
    process.open()
    assert process.cost() == (2, 2)


def test_all_directories_lie_in_the_first_read_and_would_at_ten_million_members(all_logs: dict[int, Logs]) -> None:
    logs = all_logs[MANY]
    process = Process(logs)
    process.open()
    process.cost()
    index = process.index
    assert len(index._directories) >= 2
    for place in range(len(index._directories)):
        run(index._directory(place), process.source)
    assert process.cost() == (0, 0)
    behind_pages = len(logs.data) - 16 - sum(logs.page_bytes())
    assert 10 * behind_pages <= TAIL_BYTES


def test_an_index_within_the_first_read_costs_two_steps_for_a_get_and_one_for_the_rest(all_logs: dict[int, Logs]) -> None:
    logs = all_logs[FEW]
    assert len(logs.data) <= TAIL_BYTES
    for member in logs.samples:
        process = Process(logs)
        assert process.get(member.name) == bytes(member.size)
        assert process.cost() == (2, 2)
        process = Process(logs)
        assert process.head(member.name) == member
        assert process.cost() == (1, 1)
        process = Process(logs)
        process.list(b"")
        assert process.cost() == (1, 1)


def test_an_index_takes_twenty_bytes_a_member_at_most(logs: Logs) -> None:
    assert len(logs.data) <= 20 * logs.count


def test_md5_etags_take_their_sixteen_bytes_and_no_more() -> None:
    logs = Logs(50_000, etags=True)
    assert len(logs.data) <= (20 + 16) * logs.count


@pytest.mark.parametrize("etags", [False, True])
def test_a_page_and_a_frame_stay_under_64_kib_at_p99(etags: bool, all_logs: dict[int, Logs]) -> None:
    logs = Logs(100_000, etags=True) if etags else all_logs[MANY]
    assert logs.data
    pages = sorted(logs.page_bytes())
    assert pages[-1] <= PAGE_STORED_BYTES * 5 // 4 == 25 * KIB
    assert pages[len(pages) * 99 // 100] + FRAME_STORED_BYTES_MOST <= 64 * KIB


def test_a_cold_get_moves_page_and_frame_and_nothing_else(all_logs: dict[int, Logs]) -> None:
    logs = all_logs[MANY]
    process = Process(logs)
    process.open()
    moved = []
    for member in logs.samples[::20]:
        process.forget_pages()
        process.frames.clear()
        process.cost()
        process.get(member.name)
        moved.append(process.trace.bytes)
    assert sorted(moved)[len(moved) * 99 // 100] <= 64 * KIB

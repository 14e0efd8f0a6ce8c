"""What a call costs through a catalog: as in a single archive, a page and a frame, however many archives there are.

Ten thousand archives of a thousand logs and ten of a million are copies of one: the same names under another prefix each.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import pytest

from indexer.asks import Head, Tail
from indexer.catalogfile.describe import describe
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run
from indexer.errors import ObjectReplaced
from indexer.indexfile.directory import Children, separator, side_by_side
from indexer.limits import CATALOG_TAIL_BYTES
from indexer.model import Identity, Member, Span
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from indexer.urls import index_url
from object_lambda.listing import token_of
from object_lambda.mounts import Mount
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import NoSuchKey
from tests.indexer.catalogfile.made import bound
from tests.indexer.test_cost import ARCHIVE, INDEX, Logs
from tests.object_lambda.made_archives import Clock, service_over

CATALOG = "s3://archives/logs.bindery-catalog"
MOUNT = Mount("bucket", b"", CATALOG, index_url(CATALOG))


@dataclass
class Copies:
    """Archives that are one another's copies under prefixes of their own, and a catalog of them; a `Source`."""

    logs: Logs
    count: int
    catalog: MemorySource = field(init=False)

    def __post_init__(self) -> None:
        entry = run(describe(self.url(0), index_url(self.url(0)), b""), self)
        entries = tuple(
            replace(
                entry,
                archive=replace(entry.archive, url=self.url(number)),
                index=replace(entry.index, url=index_url(self.url(number))),
                prefix=self.prefix(number),
                sequence=number + 1,
            )
            for number in range(self.count)
        )
        state = CatalogState(entries, self.count, "commit")
        self.catalog = MemorySource({CATALOG: write_catalog(state, CATALOG)})

    @staticmethod
    def url(number: int) -> str:
        return f"s3://archives/{number:05}.tar.zst"

    @staticmethod
    def prefix(number: int) -> bytes:
        return b"%05d/" % number

    def key(self, number: int, member: Member) -> bytes:
        return self.prefix(number) + member.name

    def head(self, url: str) -> Head:
        return self.catalog.head(url) if url == CATALOG else Head(self._identity(url), 0)

    def tail(self, url: str, length: int) -> Tail:
        if url == CATALOG:
            return self.catalog.tail(url, length)
        return Tail(self._identity(url), self.logs.source.tail(self._copied(url), length).data)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        if of.url == CATALOG:
            return self.catalog.read(of, spans)
        if of != self._identity(of.url):
            raise ObjectReplaced("another")
        return self.logs.source.read(replace(of, url=self._copied(of.url)), spans)

    @staticmethod
    def _copied(url: str) -> str:
        return INDEX if url.endswith(".bindery") else ARCHIVE

    def _identity(self, url: str) -> Identity:
        if self._copied(url) == ARCHIVE:
            return Identity(url, "0123456789abcdef-99", 1 << 40)
        return replace(self._index, url=url)

    @cached_property
    def _index(self) -> Identity:
        return self.logs.source.head(INDEX).identity


@pytest.fixture(scope="module")
def many() -> Copies:
    return Copies(Logs(1_000, etags=True), 10_000)


@pytest.fixture(scope="module")
def large() -> Copies:
    return Copies(Logs(1_000_000), 10)


@pytest.fixture(params=["10,000 of 1,000", "10 of 1,000,000"])
def copies(request: pytest.FixtureRequest) -> Copies:
    chosen: Copies = request.getfixturevalue("many" if request.param == "10,000 of 1,000" else "large")
    return chosen


class Shop:
    """A service with nothing known, and the trace of what it costs."""

    def __init__(self, copies: Copies) -> None:
        self.clock, self.trace = Clock(), Trace()
        self.source = TracedSource(copies, self.trace)
        self.service = service_over(MOUNT, clock=self.clock)

    def get(self, key: bytes) -> list[list[str]]:
        return self._steps(lambda: run(self.service.get(ObjectRequest("bucket", key)), self.source))

    def head(self, key: bytes) -> list[list[str]]:
        return self._steps(lambda: run(self.service.head(ObjectRequest("bucket", key)), self.source))

    def page(self, request: ListRequest, keys: int = 1_000) -> list[list[str]]:
        def call() -> None:
            assert len(run(self.service.list(request), self.source).entries) == keys

        return self._steps(call)

    def _steps(self, call: Callable[[], object]) -> list[list[str]]:
        """What each dependent step of a call asked for."""
        self.trace.clear()
        call()
        steps: list[list[str]] = [[] for _ in range(self.trace.depth)]
        for request in self.trace.made:
            kind = "catalog" if request.url == CATALOG else "index" if request.url.endswith(".bindery") else "archive"
            steps[request.depth - 1].append(f"{request.kind} {kind}")
        return steps


CATALOG_READ, PAGE, FRAME = ["tail catalog"], ["read index"], ["read archive"]


def test_a_get_costs_catalog_page_and_frame_as_far_as_they_are_not_known(copies: Copies) -> None:
    first, *_, last = copies.logs.samples
    shop, far = Shop(copies), copies.count - 1
    assert shop.get(copies.key(1, first)) == [CATALOG_READ, PAGE, FRAME]
    assert shop.get(copies.key(far, last)) == [PAGE, FRAME]
    assert shop.get(copies.key(far, last)) == []
    assert shop.get(copies.key(1, first)) == []


def test_a_head_costs_catalog_and_page(copies: Copies) -> None:
    shop, first = Shop(copies), copies.logs.samples[0]
    assert shop.head(copies.key(3, first)) == [CATALOG_READ, PAGE]
    assert shop.head(copies.key(4, first)) == [PAGE]
    assert shop.head(copies.key(3, first)) == []


def test_a_page_of_a_thousand_keys_costs_one_step_beyond_the_catalog_wherever_it_begins(copies: Copies) -> None:
    shop, last = Shop(copies), copies.logs.samples[-1]
    steps = shop.page(ListRequest("bucket"))
    assert (steps[0], len(steps), set(steps[1])) == (CATALOG_READ, 2, {"read index"})
    assert shop.page(ListRequest("bucket")) == []
    # From the last sample of an archive the page goes on in the next one: both are asked at once.
    across = shop.page(ListRequest("bucket", after=copies.key(5, last)))
    assert (len(across), set(across[0])) == (1, {"read index"})
    assert len(across[0]) <= 3


def test_a_key_that_no_archive_has_costs_a_page_at_most(copies: Copies) -> None:
    shop = Shop(copies)
    shop.head(copies.key(0, copies.logs.samples[0]))
    for key, steps in ((copies.prefix(2) + b"logs/service-07/absent", [PAGE]), (b"99999/", []), (copies.prefix(2) + b"a", [])):
        shop.trace.clear()
        with pytest.raises(NoSuchKey):
            run(shop.service.head(ObjectRequest("bucket", key)), shop.source)
        assert shop.trace.requests == len(steps)


def test_a_catalog_is_looked_at_with_one_head_after_its_freshness(copies: Copies) -> None:
    shop, first = Shop(copies), copies.logs.samples[0]
    shop.get(copies.key(1, first))
    shop.clock.now_s = 59
    assert shop.get(copies.key(1, first)) == []
    shop.clock.now_s = 60
    assert shop.get(copies.key(1, first)) == [["head catalog"]]
    assert shop.get(copies.key(2, first)) == [PAGE, FRAME]


def test_prefixes_are_told_at_a_page_each(many: Copies) -> None:
    """A delimiter listing steps over what is rolled up: an archive each here."""
    shop = Shop(many)
    request = ListRequest("bucket", delimiter=b"/", max_keys=20)
    answer = run(shop.service.list(request), shop.source)
    assert answer.prefixes == [many.prefix(number) for number in range(20)]
    assert shop.trace.requests <= 1 + 21 * 2


def test_many_tiny_archives_are_asked_side_by_side() -> None:
    tiny = bound([{b"%05d" % (10 * number + at): b"" for at in range(10)} for number in range(300)])
    tiny.commit()
    trace = Trace()
    source = TracedSource(tiny.source, trace)
    url = "s3://archives/logs/catalog.bindery-catalog"
    service = service_over(Mount("bucket", b"", url, ""))
    answer = run(service.list(ListRequest("bucket")), source)
    assert [entry.key for entry in answer.entries] == [b"%05d" % number for number in range(1_000)]
    assert (trace.depth, trace.requests) == (2, 1 + 101)
    trace.clear()
    run(service.list(ListRequest("bucket", token=token_of(answer.entries[-1].key))), source)
    assert (trace.depth, trace.requests) == (1, 100)


def test_overlapping_archives_are_told_apart_without_asking_them() -> None:
    """Forty archives over one range: a key costs the page of the archive that has it, save where a filter errs (3 in 1,000)."""
    pick = random.Random(4)
    archives = [{b"%08x" % pick.getrandbits(32): b"%d" % number for _ in range(50)} for number in range(40)]
    shop = bound([{b"00000000": b"", b"ffffffff": b"", **archive} for archive in archives])
    shop.commit()
    keys = pick.sample([key for archive in archives for key in archive], 200)
    asked = 0
    for key in keys:
        trace = Trace()
        service = service_over(Mount("bucket", b"", "s3://archives/logs/catalog.bindery-catalog", ""))
        run(service.head(ObjectRequest("bucket", key)), TracedSource(shop.source, trace))
        assert trace.depth <= 3
        asked += trace.requests - 1
    assert 200 <= asked <= 200 + 200 * 40 * 0.003 * 2


def log_entry(number: int, of: int, *, members: int, pages: int, pick: random.Random) -> CatalogEntry:
    """An archive of logs as a catalog tells it, between those before and after it; the like of it need not be there."""

    def key(part: float) -> bytes:
        second = int((number + part) / of * 86_400 * 336)
        day, second = divmod(second, 86_400)
        return b"AWSLogs/123456789012/elb/2024/%02d/%02d/app-%05d-%016x.log.gz" % (
            day // 28 + 1, day % 28 + 1, second, pick.getrandbits(64),
        )  # fmt: skip

    names = sorted({key(page / pages) for page in range(pages)})
    keys = [b"", *map(separator, names, names[1:])]
    lengths = [20_480 + pick.randint(-600, 600) for _ in names]
    counts = [members // pages] * len(names)
    url = f"s3://archives/elb-{pick.getrandbits(96):024x}.tar.zst"
    archive = Identity(url, f"{pick.getrandbits(128):032x}-7", 1_000 * members + pick.randrange(100_000))
    index = Identity(index_url(url), f"{pick.getrandbits(128):032x}", sum(lengths) + 900)
    table = Children(keys, side_by_side(16, lengths), counts, [1] * len(names))
    last = max(key(0.9999), names[-1])
    return CatalogEntry(archive, index, "tar.zst", b"", names[0], last, sum(counts), 5 * archive.size, 0, number + 1, table)


@pytest.mark.parametrize(("archives", "members", "pages", "most_bytes"), [(10_000, 1_000, 2, 95), (10, 1_000_000, 1_800, 3_600)])
def test_a_catalog_fits_its_first_read(archives: int, members: int, pages: int, most_bytes: int) -> None:
    pick = random.Random(9)
    entries = [log_entry(number, archives, members=members, pages=pages, pick=pick) for number in range(archives)]
    data = write_catalog(CatalogState(tuple(entries), archives, "c" * 16, ("b" * 16,) * 64), CATALOG)
    assert len(data) <= most_bytes * archives + 2_000
    assert 2 * len(data) <= CATALOG_TAIL_BYTES

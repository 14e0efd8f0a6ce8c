"""Many archives in one view: claims about what S3 clients see through a catalog."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalogfile.entry import CatalogState
from indexer.drivers import run, stream
from indexer.errors import ANSWERS, BinderyError, CatalogStale, ObjectMissing
from indexer.source import Source
from indexer.source.trace import Trace, TracedSource
from object_lambda.answers import ListAnswer, ObjectAnswer
from object_lambda.listing import token_of
from object_lambda.mounts import Mount
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import NoSuchKey
from object_lambda.service import Service
from tests.indexer.catalogfile.made import CATALOG, Shop, bound, shaped
from tests.indexer.catalogfile.test_answers import SHAPES, model_of
from tests.indexer.indexfile import made as indexes
from tests.object_lambda.made_archives import ARCHIVE, Clock, mount, put_archive, service_over
from tests.object_lambda.test_listing import model

FRESHNESS_S = 60
NAMES = st.text("ab/", min_size=1, max_size=4).filter(lambda name: not name.startswith("/")).map(str.encode)
ARCHIVES = st.lists(st.dictionaries(NAMES, st.binary(max_size=3), min_size=1, max_size=8), min_size=1, max_size=6)
PREFIXES = st.lists(st.sampled_from([b"", b"a/", b"b", b"b/a/"]), min_size=6, max_size=6)
TEXTS = st.text("ab/", max_size=3).map(str.encode)


class Client:
    """Someone who reads a mounted catalog."""

    def __init__(self, shop: Shop, *others: Mount, place: str = "bucket") -> None:
        self.clock, self.trace = Clock(), Trace()
        self.source: Source = TracedSource(shop.source, self.trace)
        self.service: Service = service_over(mount(place, CATALOG), *others, clock=self.clock, freshness_s=FRESHNESS_S)

    def head(self, key: bytes) -> ObjectAnswer:
        return run(self.service.head(ObjectRequest("bucket", key)), self.source)

    def get(self, key: bytes) -> bytes:
        answer = run(self.service.get(ObjectRequest("bucket", key)), self.source)
        return answer.start + (b"".join(stream(answer.rest, self.source)) if answer.rest is not None else b"")

    def page(self, request: ListRequest) -> ListAnswer:
        return run(self.service.list(request), self.source)

    def keys(self, *, max_keys: int = 1_000) -> list[bytes]:
        found, token = [], None
        while True:
            page = self.page(ListRequest("bucket", max_keys=max_keys, token=token))
            found += [entry.key for entry in page.entries]
            if page.last is None:
                return found
            token = token_of(page.last)


def first_of(number: int) -> str:
    return f"s3://archives/logs/{number:03}.tar"


@settings(max_examples=200)
@given(
    archives=ARCHIVES,
    prefixes=PREFIXES,
    shape=SHAPES,
    page_members=st.integers(1, 3),
    prefix=TEXTS,
    delimiter=TEXTS,
    max_keys=st.integers(0, 6),
    after=st.none() | TEXTS,
    mounted=st.sampled_from(["bucket", "bucket/a", "bucket/b/a"]),
)
def test_many_archives_are_seen_as_one_bucket_and_the_newest_of_a_key_is_served(
    *,
    archives: list[dict[bytes, bytes]],
    prefixes: list[bytes],
    shape: Mapping[str, int],
    page_members: int,
    prefix: bytes,
    delimiter: bytes,
    max_keys: int,
    after: bytes | None,
    mounted: str,
) -> None:
    with ExitStack() as stack:
        stack.enter_context(indexes.shaped(page_members=page_members))
        stack.enter_context(shaped(**shape))
        shop = bound(archives, prefixes)
        shop.commit()
        other = mount("bucket/b", ARCHIVE)
        put_archive(shop.objects, {"a": b"other", "b": b"other"})
        client = Client(shop, other, place=mounted)
        place = mounted.partition("/")[2].encode()
        place += b"/" if place else b""
        seen = {place + name: data for name, data in model_of(archives, prefixes).items()}
        hidden = {key for key in seen if key.startswith(b"b/")} if b"b/".startswith(place) else set()  # by the mount at b/
        keys = {key: data for key, data in seen.items() if key not in hidden} | {b"b/a": b"other", b"b/b": b"other"}
        request = ListRequest("bucket", 2, prefix, delimiter, max_keys, after)
        answer = client.page(request)
        told = [entry.key for entry in answer.entries], answer.prefixes, answer.truncated
        assert told == model(list(keys), request)
        for key in {*keys, *hidden, b"b/aa"}:
            if key in keys:
                assert client.get(key) == keys[key]
            else:
                with pytest.raises(NoSuchKey):
                    client.get(key)


def test_head_get_and_list_agree_on_what_has_no_etag_of_its_own() -> None:
    shop = Shop()
    shop.put(first_of(0), {b"a": b"1", b"c": b"1"}, etags=False)
    shop.put(first_of(1), {b"b": b"22", b"c": b"22"}, etags=False)
    shop.bind(first_of(0))
    shop.bind(first_of(1), b"x/")
    shop.commit()
    client = Client(shop)
    for entry in client.page(ListRequest("bucket")).entries:
        head = client.head(entry.key).head
        assert (entry.size, entry.etag, entry.mtime_s) == (head.size, head.etag, head.mtime_s)
        assert head.etag.endswith("-1")
        assert len(client.get(entry.key)) == entry.size
    alone = Client(shop)
    alone.service = service_over(mount("bucket", first_of(0)))
    assert alone.head(b"a").head.etag == client.head(b"a").head.etag


def test_a_token_goes_on_where_it_was_after_archives_were_bound_and_removed() -> None:
    shop = bound([{b"%02d" % number: b"" for number in range(0, 20, 2)}, {b"%02d" % number: b"" for number in range(20, 40, 2)}])
    shop.commit()
    first = Client(shop).page(ListRequest("bucket", max_keys=5))
    assert first.last == b"08"
    shop.put(first_of(9), {b"%02d" % number: b"" for number in range(1, 40, 2)})
    shop.bind(first_of(9))
    remaining = tuple(entry for entry in shop.state.entries if entry.archive.url != first_of(0))
    shop.state = CatalogState(remaining, shop.state.sequence, "removed")
    shop.commit()
    page = Client(shop).page(ListRequest("bucket", token=token_of(first.last)))
    expected = sorted({*range(9, 40, 2), *range(20, 40, 2)})
    assert [entry.key for entry in page.entries] == [b"%02d" % number for number in expected]


def test_a_commit_is_seen_after_the_freshness_with_one_head_and_all_of_it_at_once() -> None:
    shop = bound([{b"a": b"1"}])
    shop.commit()
    client = Client(shop)
    assert client.keys() == [b"a"]
    for number in (7, 8):
        shop.put(first_of(number), {b"%d" % number: b"new"})
        shop.bind(first_of(number))
    shop.commit()
    client.clock.now_s = FRESHNESS_S - 1
    assert client.keys() == [b"a"]
    client.clock.now_s = FRESHNESS_S
    client.trace.clear()
    assert client.keys() == [b"7", b"8", b"a"]
    assert [(request.kind, request.depth) for request in client.trace.made[:2]] == [("head", 1), ("tail", 2)]
    assert client.get(b"7") == b"new"


def test_an_archive_that_was_replaced_is_our_fault_until_it_is_bound_again() -> None:
    shop = bound([{b"a": b"one", b"c": b"one"}, {b"x": b"other"}])
    shop.commit()
    client = Client(shop)
    assert client.get(b"a") == b"one"
    shop.put(first_of(0), {b"a": b"two", b"b": b"two", b"c": b"two"})
    with pytest.raises(CatalogStale) as refused:
        client.get(b"c")
    assert ANSWERS[refused.value.reason].http_status == 503
    assert client.get(b"x") == b"other"
    shop.bind(first_of(0))
    shop.commit()
    client.trace.clear()
    # No freshness has passed: what the store says is reason enough to look at the catalog again.
    assert client.get(b"c") == b"two"
    assert [request.kind for request in client.trace.made if request.url == CATALOG] == ["head", "tail"]
    assert client.get(b"b") == b"two"


def test_an_archive_that_is_gone_is_a_503_for_its_keys_and_for_no_others() -> None:
    shop = bound([{b"a": b"1"}, {b"m": b"2"}, {b"x": b"3"}])
    shop.commit()
    del shop.objects[first_of(1)]
    client = Client(shop)
    assert (client.get(b"a"), client.get(b"x")) == (b"1", b"3")
    assert client.head(b"m").status == 200
    with pytest.raises(ObjectMissing) as refused:
        client.get(b"m")
    assert ANSWERS[refused.value.reason].http_status == 503
    del shop.objects[first_of(1) + ".bindery"]
    client = Client(shop)
    with pytest.raises(ObjectMissing):
        client.head(b"m")
    with pytest.raises(NoSuchKey):
        client.head(b"n")
    assert [entry.key for entry in client.page(ListRequest("bucket", prefix=b"x")).entries] == [b"x"]
    with pytest.raises(ObjectMissing):
        client.keys()


@pytest.mark.parametrize("archive_pages", [0, 100], ids=["indexes opened themselves", "pages told"])
def test_what_was_packed_anew_is_found_at_once_where_the_old_archive_was_removed(archive_pages: int) -> None:
    with shaped(archive_pages=archive_pages):
        repack_under_a_reader()


def repack_under_a_reader() -> None:
    shop = bound([{b"a": b"1", b"b": b"2"}, {b"x": b"3"}])
    shop.commit()
    client = Client(shop)
    assert client.get(b"a") == b"1"
    shop.put(first_of(5), {b"a": b"1", b"b": b"2", b"x": b"3"})
    shop.bind(first_of(5))
    left = tuple(entry for entry in shop.state.entries if entry.archive.url == first_of(5))
    shop.state = replace(shop.state, entries=left, commit="repacked")
    shop.commit()
    for number in (0, 1):
        del shop.objects[first_of(number)], shop.objects[first_of(number) + ".bindery"]
    assert client.get(b"b") == b"2"
    assert client.get(b"x") == b"3"
    assert client.keys() == [b"a", b"b", b"x"]


@pytest.mark.parametrize("what", ["missing", "damaged"])
def test_a_catalog_that_cannot_be_read_is_our_fault_and_never_an_absent_key(what: str) -> None:
    shop = bound([{b"a": b"1"}])
    shop.commit()
    if what == "missing":
        del shop.objects[CATALOG]
    else:
        shop.objects[CATALOG] = shop.objects[CATALOG][:-70] + bytes(70)
    client = Client(shop)
    for call in (lambda: client.get(b"a"), lambda: client.head(b"b"), client.keys):
        with pytest.raises(BinderyError) as refused:
            call()
        assert ANSWERS[refused.value.reason].http_status == (503 if what == "missing" else 500)


def test_overlapping_archives_are_listed_in_pages_of_any_size_each_key_once() -> None:
    archives: list[MutableMapping[bytes, bytes]] = [
        {b"%03d" % number: b"%d" % at for number in range(at, 100, at + 2)} for at in range(7)
    ]
    shop = bound(archives)
    shop.commit()
    whole = sorted({key for archive in archives for key in archive})
    for max_keys in (1, 7, 1_000):
        assert Client(shop).keys(max_keys=max_keys) == whole
    client = Client(shop)
    newest = {key: data for archive in archives for key, data in archive.items()}
    assert {key: client.get(key) for key in whole} == newest


def test_an_index_that_was_replaced_is_never_read_from() -> None:
    shop = bound([{b"a": b"1"}])
    shop.commit()
    client = Client(shop)
    shop.objects[first_of(0) + ".bindery"] += b"\0"
    with pytest.raises(CatalogStale):
        client.get(b"a")

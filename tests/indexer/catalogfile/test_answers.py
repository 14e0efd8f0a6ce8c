"""A catalog answers like one dict that every archive updates in turn, whatever its shape."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.catalogfile import window as windows
from indexer.catalogfile.reader import Catalog, open_catalog
from indexer.catalogfile.window import window
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run, stream
from indexer.plan import read
from indexer.source import Source
from tests.indexer.catalogfile.made import CATALOG, bound, shaped
from tests.indexer.indexfile import made as indexes

NAMES = st.sampled_from([name.encode() for name in ("a", "a/a", "a/b", "ab", "b", "b/a", "b/b", "ba", "c", "c/a/b", "é")])
ARCHIVES = st.lists(st.dictionaries(NAMES, st.binary(max_size=3), min_size=1, max_size=6), max_size=6)
PREFIXES = st.lists(st.sampled_from([b"", b"a/", b"b", b"c/a/"]), min_size=6, max_size=6)
SHAPES = st.fixed_dictionaries(
    {
        "shelf_archives": st.integers(1, 3),
        "tail_bytes": st.sampled_from([64, 300, 1000, 2**21]),
        "archive_pages": st.sampled_from([0, 1, 2**14]),
        "filtered": st.sampled_from([0, 2, 2**16]),
    }
)


def model_of(archives: list[dict[bytes, bytes]], prefixes: list[bytes]) -> dict[bytes, bytes]:
    """What is to be seen: of two archives with one key, the later's."""
    return {prefix + name: data for contents, prefix in zip(archives, prefixes, strict=False) for name, data in contents.items()}


def got(catalog: Catalog, key: bytes, source: Source) -> bytes | None:
    """The bytes under a key."""
    found = run(catalog.find(key), source)
    return None if found is None else b"".join(stream(read(found.archive, found.member, 0, found.member.size), source))


def listed(catalog: Catalog, start: bytes, want: int, source: Source) -> list[bytes]:
    """All keys from `start` on, window by window; each goes on behind the one before."""
    keys: list[bytes] = []
    at: bytes | None = start
    while at is not None:
        members, following = run(window(catalog, at, want), source)
        assert all(at <= member.name for member in members)
        assert following is None or (at < following and all(member.name < following for member in members))
        keys += [member.name for member in members]
        at = following
    return keys


@settings(max_examples=300)
@given(archives=ARCHIVES, prefixes=PREFIXES, shape=SHAPES, page_members=st.integers(1, 3), want=st.integers(1, 5), start=NAMES)
def test_a_catalog_is_a_dict_that_each_archive_updates(
    *,
    archives: list[dict[bytes, bytes]],
    prefixes: list[bytes],
    shape: dict[str, int],
    page_members: int,
    want: int,
    start: bytes,
) -> None:
    with indexes.shaped(page_members=page_members), shaped(**shape):
        shop = bound(archives, prefixes)
        catalog, source = shop.commit(), shop.source
        model = model_of(archives, prefixes)
        for key in {*model, b"a/a/a", b"d", b"\0"}:
            assert got(catalog, key, source) == model.get(key)
        assert listed(catalog, start, want, source) == sorted(key for key in model if key >= start)
        assert listed(catalog, b"", want, source) == sorted(model)


@settings(max_examples=100)
@given(archives=ARCHIVES, prefixes=PREFIXES, shape=SHAPES)
def test_what_is_written_is_read_again_and_written_alike(
    archives: list[dict[bytes, bytes]], prefixes: list[bytes], shape: dict[str, int]
) -> None:
    with shaped(**shape):
        shop = bound(archives, prefixes)
        catalog = shop.commit()
        state = run(catalog.state(), shop.source)
        assert write_catalog(state, CATALOG) == shop.objects[CATALOG]
        assert sorted(state.entries, key=lambda entry: entry.sequence) == list(shop.state.entries)
        assert (catalog.archives, catalog.members) == (len(archives), sum(map(len, archives)))


def test_a_catalog_of_nothing_has_nothing() -> None:
    shop = bound([])
    catalog = shop.commit()
    assert run(catalog.find(b"a"), shop.source) is None
    assert listed(catalog, b"", 10, shop.source) == []
    assert (catalog.archives, catalog.members, catalog.bytes) == (0, 0, 0)


def test_more_archives_than_shelves_are_kept_are_answered_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.catalogfile.reader.SHELVES_KEPT", 2)
    archives = [{b"%03d" % number: b"%d" % number} for number in range(40)]
    with shaped(shelf_archives=4, tail_bytes=64):
        shop = bound(archives)
        catalog = shop.commit()
        for number in (0, 39, 7, 22, 0):
            assert got(catalog, b"%03d" % number, shop.source) == b"%d" % number
        assert len(listed(catalog, b"", 3, shop.source)) == 40
        assert len(catalog._shelves) == 2


def test_shelves_are_decoded_once() -> None:
    with shaped(shelf_archives=1):
        shop = bound([{b"%03d" % number: b""} for number in range(100)])
        catalog, source = shop.commit(), shop.source
        assert len(listed(catalog, b"", 1000, source)) == 100
        known = dict(catalog._shelves)
        assert len(known) == 100
        assert listed(catalog, b"", 7, source) == [b"%03d" % number for number in range(100)]
        assert catalog._shelves == known


def test_a_window_over_many_tiny_archives_ends_where_the_pages_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW_PAGES", 8)
    shop = bound([{b"%03d" % number: b""} for number in range(40)])
    catalog = shop.commit()
    members, following = run(window(catalog, b"", 1000), shop.source)
    assert [member.name for member in members] == [b"%03d" % number for number in range(8)]
    assert following == b"008"
    assert len(listed(catalog, b"", 1000, shop.source)) == 40


def test_archives_that_all_hold_the_start_are_all_looked_at_and_the_window_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW_PAGES", 8)
    shop = bound([{b"000": b"", b"%03d" % (100 + number): b""} for number in range(40)])
    catalog = shop.commit()
    assert listed(catalog, b"001", 1, shop.source) == [b"%03d" % (100 + number) for number in range(40)]


def test_a_catalog_that_is_copied_with_its_archives_names_those_beside_it() -> None:
    shop = bound([{b"a": b"1"}])
    shop.commit()
    there = "file:///elsewhere/x.bindery-catalog"
    (entry,) = run(run(open_catalog(there), moved := type(shop.source)({there: shop.objects[CATALOG]})).entries(), moved)
    assert entry.archive.url == "file:///elsewhere/000.tar"
    assert entry.index.url == "file:///elsewhere/000.tar.bindery"

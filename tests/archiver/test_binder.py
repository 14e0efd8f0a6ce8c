"""Binding archives one after the other: filters where an older one lies beneath, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.binder import Binder
from indexer.catalogfile.describe import describe, filter_of
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.keyranges import KeyRange, KeyRanges
from indexer.drivers import run, stream
from indexer.model import Identity
from indexer.plan import read
from tests.indexer.catalogfile.made import Shop, shaped

LETTERS = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"aa", b"ca"])


@st.composite
def entries(draw: st.DrawFn) -> CatalogEntry:
    """An archive of few names, versions, indexes, prefixes and ranges."""
    first, last = sorted([draw(LETTERS), draw(LETTERS)])
    url = f"s3://bucket/{draw(st.integers(0, 5))}.zip"
    archive = Identity(url, draw(st.sampled_from(["1", "2"])), 9)
    index = Identity(url + ".bindery", draw(st.sampled_from(["1", "2"])), 9)
    return CatalogEntry(archive, index, "zip", draw(st.sampled_from([b"", b"b"])), first, last, 1, 9, 0)


def filtered(entry: CatalogEntry, shared: tuple[KeyRange, ...]) -> bytes:
    """A filter that tells what it was made for."""
    return repr(shared).encode()


@given(st.lists(entries(), max_size=12))
def test_a_binder_does_what_a_list_of_bindings_says(bindings: list[CatalogEntry]) -> None:
    state = CatalogState(sequence=7)
    model: dict[str, tuple[CatalogEntry, int, bytes | None]] = {}
    binder = Binder(state, filtered)
    sequence = 7
    for number, entry in enumerate(bindings):
        url = entry.archive.url
        old = model.pop(url, None)
        if old is not None and old[0] == entry:
            model[url] = old
        else:
            told = entry.archive, entry.prefix, entry.low, entry.high
            same = old is not None and (old[0].archive, old[0].prefix, old[0].low, old[0].high) == told
            sequence += not same
            mine = old[1] if old is not None and same else sequence
            shared = KeyRanges(other for other, its, _ in model.values() if its < mine).shared(entry)
            model[url] = entry, mine, filtered(entry, shared) if shared else None
        if number % 3 == 0:  # several in one commit, and several commits
            binder = Binder(state, filtered)
        binder.bind(entry)
        state = binder.state() or state
    assert {entry.archive.url: (entry, entry.sequence, entry.filter) for entry in state.entries} == model
    assert state.sequence == sequence


@given(st.lists(entries(), min_size=1, max_size=6, unique_by=lambda entry: entry.archive.url))
def test_binding_again_what_is_bound_changes_nothing(bindings: list[CatalogEntry]) -> None:
    binder = Binder(CatalogState(), filtered)
    for entry in bindings:
        binder.bind(entry)
    state = binder.state()
    assert state is not None
    again = Binder(state, filtered)
    for entry in bindings:
        again.bind(entry)
    assert again.state() is None


NAMES = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g"])
STEPS = st.lists(
    st.tuples(st.integers(0, 4), st.sampled_from([b"", b"", b"b"]), st.dictionaries(NAMES, st.binary(max_size=2), max_size=4)),
    max_size=10,
)


@settings(max_examples=300)
@given(steps=STEPS, most=st.sampled_from([0, 2, 2**16]))
def test_no_filter_hides_a_key_whatever_was_bound_and_removed_since(
    steps: list[tuple[int, bytes, dict[bytes, bytes]]], most: int
) -> None:
    """Each step binds an archive, in place of one of its name, or removes it when there is nothing in it."""
    shop = Shop()
    state = CatalogState(commit="c")
    model: dict[str, tuple[int, dict[bytes, bytes]]] = {}
    with shaped(filtered=most):
        for number, (name, prefix, contents) in enumerate(steps):
            url = f"s3://archives/logs/{name}.tar"
            if not contents:
                model.pop(url, None)
                state = replace(state, entries=tuple(entry for entry in state.entries if entry.archive.url != url))
                continue
            shop.put(url, contents)
            entry = run(describe(url, url + ".bindery", prefix), shop.source)
            binder = Binder(state, lambda one, shared: run(filter_of(one, shared), shop.source))
            binder.bind(entry)
            if (bound := binder.state()) is not None:
                state = bound
                model[url] = number, {prefix + key: data for key, data in contents.items()}
        shop.state = state
        catalog, source = shop.commit(), shop.source
    newest = {key: data for _, contents in sorted(model.values(), key=lambda one: one[0]) for key, data in contents.items()}
    for key in {*newest, *(prefix + name for prefix in (b"", b"b") for name in (b"a", b"b", b"c", b"d", b"e", b"f", b"g"))}:
        found = run(catalog.find(key), source)
        assert (None if found is None else b"".join(stream(read(found.archive, found.member, 0, found.member.size), source))) == (
            newest.get(key)
        )

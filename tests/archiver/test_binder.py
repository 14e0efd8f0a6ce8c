"""Binding archives one after the other: filters where an older one lies beneath, and nowhere else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from archiver.binder import Binder
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.keyranges import KeyRange, KeyRanges
from indexer.model import Identity

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

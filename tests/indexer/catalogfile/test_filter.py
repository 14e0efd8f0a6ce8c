"""A filter never hides a key, and lets 3 in 1,000 others pass."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.filter import Probe, filter_bytes, make_filter
from indexer.catalogfile.keyranges import KeyRanges
from indexer.drivers import run
from indexer.model import Identity
from tests.indexer.catalogfile.made import bound, shaped


@given(st.sets(st.binary(max_size=20), min_size=1, max_size=200))
def test_every_key_of_the_archive_passes(keys: set[bytes]) -> None:
    bits = make_filter(keys, len(keys))
    assert len(bits) == filter_bytes(len(keys)) == -(-12 * len(keys) // 8)
    assert all(Probe(key).passes(bits) for key in keys)


KEYS = st.binary(max_size=2)
RANGES = st.lists(st.tuples(KEYS, KEYS).map(sorted), max_size=6)


def ranging(low: bytes, high: bytes) -> CatalogEntry:
    """An archive of this range."""
    here = Identity("s3://bucket/a", "1", 1)
    return CatalogEntry(here, here, "zip", b"", low, high, 1, 1, 0)


@given(ranges=RANGES, mine=st.tuples(KEYS, KEYS).map(sorted), keys=st.lists(KEYS))
def test_what_a_range_shares_with_others_is_told_key_by_key(
    ranges: list[list[bytes]], mine: list[bytes], keys: list[bytes]
) -> None:
    known = KeyRanges(ranging(*one) for one in ranges[:3])
    for one in ranges[3:]:
        known.add(ranging(*one))
    shared = known.shared(ranging(*mine))
    assert all(before.high < after.low for before, after in pairwise(shared))
    for key in {*keys, *mine, *(end for one in ranges for end in one)}:
        both = mine[0] <= key <= mine[1] and any(low <= key <= high for low, high in ranges)
        assert any(low <= key <= high for low, high in shared) == both


@pytest.mark.parametrize("filtered", [1, 3, 2**16], ids=["too large", "in parts", "whole"])
def test_a_filter_is_made_of_the_keys_that_an_older_archive_may_have(filtered: int) -> None:
    with shaped(filtered=filtered):
        shop = bound([{b"c": b"", b"e": b""}, {b"a": b"", b"d": b"", b"dd": b"", b"m": b"", b"z": b""}])
        newer = shop.state.entries[1]
    expected = None if filtered == 1 else make_filter([b"d", b"dd"], 2)
    assert newer.filter == expected


def test_a_filter_of_no_keys_lets_none_pass() -> None:
    shop = bound([{b"c": b"", b"d": b""}, {b"a": b"", b"z": b""}])
    bits = shop.state.entries[1].filter
    assert bits is not None
    assert not any(Probe(b"%d" % number).passes(bits) for number in range(100))
    catalog = shop.commit()
    # Where no older archive lies beneath, the filter is not asked: it tells of no such keys.
    for key in (b"a", b"z", b"c"):
        assert run(catalog.find(key), shop.source) is not None


def test_few_other_keys_pass() -> None:
    pick = random.Random(1)
    keys = [b"log/%016x" % pick.getrandbits(64) for _ in range(20_000)]
    bits = make_filter(keys, len(keys))
    others = 50_000
    passed = sum(Probe(b"log/%016x" % pick.getrandbits(64)).passes(bits) for _ in range(others))
    assert 0.002 < passed / others < 0.004


def test_the_same_keys_in_any_order_make_the_same_filter() -> None:
    keys = [b"%d" % number for number in range(100)]
    assert make_filter(keys, 100) == make_filter(reversed(keys), 100)

"""A filter never hides a key, and lets 3 in 1,000 others pass."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from indexer.catalogfile.filter import Probe, filter_bytes, make_filter


@given(st.sets(st.binary(max_size=20), min_size=1, max_size=200))
def test_every_key_of_the_archive_passes(keys: set[bytes]) -> None:
    bits = make_filter(keys, len(keys))
    assert len(bits) == filter_bytes(len(keys)) == -(-12 * len(keys) // 8)
    assert all(Probe(key).passes(bits) for key in keys)


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

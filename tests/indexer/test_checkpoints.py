"""Checkpoints of deflate streams: found in any stretch, and with no more window than the stream behind them copies."""

from __future__ import annotations

import gzip
import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.checkpoints import TAIL_BYTES, Checkpoint, find, needed
from indexer.inflate import WINDOW_BYTES, decode_at
from indexer.limits import CHECKPOINT_STEP_BYTES


def log_lines(length: int, seed: int) -> bytes:
    some = random.Random(seed)
    lines = []
    while length > 0:
        lines.append(b"%09d GET /item/%d status=%d\n" % (some.randrange(10**9), some.randrange(300), some.choice((200, 404))))
        length -= len(lines[-1])
    return b"".join(lines)


RAW = log_lines(3_000_000, 1)
STREAMS = {
    "fast": gzip.compress(RAW, 1),
    "default": gzip.compress(RAW, 6),
    "best": gzip.compress(RAW, 9),
    "stored": gzip.compress(RAW, 0),
    "zeros": gzip.compress(bytes(40_000_000) + RAW, 6),
    "random": gzip.compress(random.Random(2).randbytes(2_000_000), 6),
}
every_stream = pytest.mark.parametrize("name", STREAMS)


@every_stream
def test_every_checkpoint_is_told_with_what_was_decoded_before_it(name: str) -> None:
    stored, raw = STREAMS[name], gzip.decompress(STREAMS[name])
    found = find(stored, None)
    assert len(found) >= 3
    for at in found:
        assert at.window == raw[at.raw - WINDOW_BYTES : at.raw]
        assert decode_at(at.window, at.bit, stored[at.stored :], 70_000) == raw[at.raw : at.raw + 70_000]
    steps = [after.raw - before.raw for before, after in pairwise(found)]
    assert min(steps) >= CHECKPOINT_STEP_BYTES


@every_stream
def test_a_stretch_that_begins_at_a_checkpoint_has_the_checkpoints_behind_it(name: str) -> None:
    stored, raw = STREAMS[name], gzip.decompress(STREAMS[name])
    for start in find(stored, None)[:4]:
        for window in (start.window, needed(start, stored[start.stored :])):
            again = find(stored[start.stored :], start._replace(window=window))
            assert again or len(raw) - start.raw < 2 * CHECKPOINT_STEP_BYTES + 4_300_000
            for at in again:
                place = start.raw + at.raw
                tail = stored[start.stored + at.stored :]
                assert decode_at(at.window, at.bit, tail, 50_000) == raw[place : place + 50_000]


@pytest.mark.parametrize("cut", [len(STREAMS["default"]) - 1, len(STREAMS["default"]) - 8, 700_000, 100, TAIL_BYTES, 1])
def test_a_stretch_may_end_anywhere(cut: int) -> None:
    whole = find(STREAMS["default"], None)
    found = find(STREAMS["default"][:cut], None)
    assert found == whole[: len(found)]
    assert all(at.stored < cut for at in found)


@every_stream
def test_a_reduced_window_decodes_the_same_to_the_end_of_the_stream(name: str) -> None:
    stored, raw = STREAMS[name], gzip.decompress(STREAMS[name])
    for at in find(stored, None)[-3:]:
        reduced = needed(at, stored[at.stored :])
        assert len(reduced) <= WINDOW_BYTES
        assert decode_at(reduced, at.bit, stored[at.stored :], len(raw) - at.raw) == raw[at.raw :]


def test_nothing_of_a_window_is_kept_where_nothing_is_copied() -> None:
    for name in ("stored", "random"):
        for at in find(STREAMS[name], None):
            assert needed(at, STREAMS[name][at.stored :]) == b""


def test_a_window_is_reduced_to_a_fraction_of_its_bytes() -> None:
    (at, *_) = find(STREAMS["default"], None)
    reduced = needed(at, STREAMS["default"][at.stored :])
    assert 0 < sum(byte != 0 for byte in reduced) < WINDOW_BYTES / 2


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_byte_that_is_copied_is_kept(data: st.DataObject) -> None:
    alphabet = data.draw(st.sampled_from([b"ab", b"abcdefgh", bytes(range(256))]))
    before = bytes(data.draw(st.lists(st.sampled_from(alphabet), min_size=1, max_size=400)))
    picks = data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 60)), max_size=12))
    behind = b"".join(before[start : start + length] for start, length in picks) or b"x"
    squeeze = zlib.compressobj(data.draw(st.integers(1, 9)), zlib.DEFLATED, -15, zdict=before)
    parts = [squeeze.compress(behind[at : at + 7]) + squeeze.flush(zlib.Z_SYNC_FLUSH) for at in range(0, len(behind), 7)]
    stored = b"".join((*parts, squeeze.flush()))
    at = Checkpoint(0, 0, len(before), before)
    assert decode_at(needed(at, stored), 0, stored, len(behind)) == behind


def test_a_stream_of_many_tiny_blocks_keeps_all_that_is_copied() -> None:
    """Ten stored bytes for each decoded one: the 32 KiB that can copy from the window lie far apart."""
    before, some = random.Random(3).randbytes(WINDOW_BYTES), random.Random(4)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=before)
    behind, parts = b"", []
    for _ in range(7000):
        start = some.randrange(len(behind), WINDOW_BYTES - 8)
        piece = before[start : start + 4]
        behind += piece
        parts.append(squeeze.compress(piece) + squeeze.flush(zlib.Z_FULL_FLUSH if some.random() < 0.01 else zlib.Z_SYNC_FLUSH))
    stored = b"".join((*parts, squeeze.flush()))
    reduced = needed(Checkpoint(0, 0, len(before), before), stored)
    assert decode_at(reduced, 0, stored, len(behind)) == behind

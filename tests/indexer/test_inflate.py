from __future__ import annotations

import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.errors import MemberDamaged
from indexer.inflate import DYNAMIC_BLOCK, FIXED_BLOCK, LEADS, WINDOW_BYTES, InflateAtDecoder, decode_at, led
from tests.indexer.deflate_blocks import Deflate


def lines(count: int, seed: int) -> bytes:
    some = random.Random(seed)
    return b"".join(b"%d GET /item/%d %d\n" % (some.randrange(10**6), some.randrange(300), at) for at in range(count))


def deflated(data: bytes, level: int, strategy: int, flush_every: int, flush: int) -> bytes:
    """A raw deflate stream of many blocks, begun at any bit."""
    squeeze = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    parts = []
    for at in range(0, len(data), flush_every):
        parts += [squeeze.compress(data[at : at + flush_every]), squeeze.flush(flush)]
    return b"".join((*parts, squeeze.flush()))


def test_empty_blocks_of_ten_and_ninety_three_bits_give_every_number_of_bits_modulo_eight() -> None:
    assert (len(FIXED_BLOCK), len(DYNAMIC_BLOCK)) == (10, 93)
    for skipped, lead in enumerate(LEADS):
        assert lead.bits < 1 << skipped or not skipped
        inflate = zlib.decompressobj(-15)
        assert inflate.decompress(lead.whole) == b""
        assert not inflate.eof


def test_the_reference_agrees_with_zlib() -> None:
    data = lines(3000, 1)
    for level in (0, 1, 6, 9):
        assert Deflate(zlib.compress(data, level)[2:-4]).out == data


@pytest.mark.parametrize("strategy", [zlib.Z_DEFAULT_STRATEGY, zlib.Z_FIXED, zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE])
def test_every_block_of_a_stream_is_a_place_to_begin_whatever_its_bit(strategy: int) -> None:
    data = lines(4000, strategy)
    stream = deflated(data, 6, strategy, 1900, zlib.Z_PARTIAL_FLUSH)
    reference = Deflate(stream)
    assert reference.out == data
    assert {at % 8 for at, _ in reference.blocks} == set(range(8)), "not every bit was tried"
    for (at, start), (_, stop) in pairwise([*reference.blocks, (0, len(data))]):
        window = data[max(start - WINDOW_BYTES, 0) : start]
        assert decode_at(window, at % 8, stream[at // 8 :], stop - start) == data[start:stop]
        assert decode_at(window, at % 8, stream[at // 8 :], len(data) - start) == data[start:]


@settings(max_examples=25, deadline=None)
@given(
    data=st.one_of(st.binary(max_size=3000), st.integers(0, 99).map(lambda seed: lines(150, seed)), st.just(bytes(9000))),
    level=st.integers(0, 9),
    flush_every=st.integers(50, 900),
    flush=st.sampled_from([zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_BLOCK]),
    piece_bytes=st.integers(1, 70),
)
def test_any_stream_is_entered_at_any_block_in_any_pieces(
    data: bytes, level: int, flush_every: int, flush: int, piece_bytes: int
) -> None:
    stream = deflated(data, level, zlib.Z_DEFAULT_STRATEGY, flush_every, flush)
    for at, start in Deflate(stream).blocks:
        decoder = InflateAtDecoder(data[:start], at % 8)
        stored = stream[at // 8 :]
        got = [piece for cut in range(0, len(stored), piece_bytes) for piece in decoder.feed(stored[cut : cut + piece_bytes])]
        assert b"".join(got) == data[start:]
        assert decoder.finished


def test_a_longer_window_than_deflate_can_use_does_no_harm() -> None:
    data = lines(9000, 3)
    stream = deflated(data, 6, zlib.Z_DEFAULT_STRATEGY, len(data) // 2, zlib.Z_PARTIAL_FLUSH)
    at, start = next(block for block in Deflate(stream).blocks if block[1] > 2 * WINDOW_BYTES)
    assert decode_at(data[:start], at % 8, stream[at // 8 :], 1000) == data[start : start + 1000]


def test_nothing_is_decoded_when_nothing_is_wanted() -> None:
    assert decode_at(b"", 3, b"", 0) == b""


def test_the_bits_before_the_checkpoint_do_not_matter() -> None:
    data = lines(2000, 4)
    stream = deflated(data, 6, zlib.Z_DEFAULT_STRATEGY, 3000, zlib.Z_PARTIAL_FLUSH)
    at, start = next(block for block in Deflate(stream).blocks if block[0] % 8 == 5)
    hurt = bytearray(stream[at // 8 :])
    hurt[0] ^= 0b11111
    assert decode_at(data[:start], 5, bytes(hurt), 100) == data[start : start + 100]


def test_a_wrong_window_a_wrong_bit_or_a_short_end_is_noticed_or_gives_that_many_bytes() -> None:
    data = lines(2000, 5)
    stream = deflated(data, 6, zlib.Z_DEFAULT_STRATEGY, 3000, zlib.Z_PARTIAL_FLUSH)
    at, start = Deflate(stream).blocks[4]
    stored, window = stream[at // 8 :], data[:start]
    with pytest.raises(MemberDamaged):
        decode_at(window, at % 8, stored[:40], 3000)
    with pytest.raises(MemberDamaged):
        decode_at(window, at % 8, b"", 1)
    with pytest.raises(MemberDamaged):
        decode_at(b"", at % 8, stored, 3000)  # it points back to where there is nothing


def test_a_whole_byte_needs_no_lead() -> None:
    assert led(b"\xff\x01", 0) == b"\xff\x01"

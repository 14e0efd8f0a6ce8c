"""Gzip files read as streams: whatever the cut, every frame decodes by itself to its part of the file."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import checkpoints, expansion, gzipstream
from indexer.codecs import decode
from indexer.errors import ArchiveDamaged, LimitExceeded
from indexer.gzipstream import Framed, GzipStream
from indexer.inflate import decode_at
from indexer.model import Codec, Identity
from tests.indexer.test_checkpoints import log_lines

RAW = log_lines(700_000, 5) + bytes(900_000) + random.Random(6).randbytes(200_000)


@pytest.fixture(scope="module", autouse=True)
def short_frames() -> Iterator[None]:
    """Checkpoints as close together as the library makes them, so that small files have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "CHECKPOINT_STEP_BYTES", 33_000)
        patch.setattr(gzipstream, "CHECKPOINT_STORED_BYTES", 40_000)
        patch.setattr(gzipstream, "CHECKPOINT_RAW_BYTES", 120_000)
        patch.setattr(gzipstream, "GZIP_STRETCH_STORED_BYTES", 100_000)
        patch.setattr(gzipstream, "GZIP_STRETCH_RAW_BYTES", 400_000)
        yield


def of(data: bytes) -> Identity:
    return Identity("s3://bucket/file.gz", "etag", len(data))


def read(data: bytes, cuts: list[int] | None = None) -> tuple[bytes, list[Framed], GzipStream]:
    """The decoded bytes and the frames of a file that arrives in pieces that end at `cuts`."""
    stream = GzipStream(of(data))
    raw, frames = bytearray(), list[Framed]()
    ends = sorted({*(cuts or []), len(data)})
    for start, stop in zip([0, *ends], ends, strict=False):
        for told in stream.feed(data[start:stop]):
            if isinstance(told, bytes):
                raw += told
            else:
                frames.append(told)
                assert sum(framed.frame.raw_bytes for framed in frames) <= len(raw), "a frame of bytes that were not told"
    stream.finish()
    return bytes(raw), frames, stream


def frame_bytes(data: bytes, framed: Framed, upto: int) -> bytes:
    frame = framed.frame
    stored = data[frame.start : frame.start + frame.stored_bytes]
    if frame.codec is Codec.DEFLATE_AT:
        return decode_at(framed.context, frame.bit, stored, upto)
    return decode(frame.codec, stored, upto)


def check(data: bytes, raw: bytes, frames: list[Framed]) -> None:
    starts = list(accumulate((framed.frame.raw_bytes for framed in frames), initial=0))
    assert starts[-1] == len(raw)
    for start, framed in zip(starts, frames, strict=False):
        length = framed.frame.raw_bytes
        assert frame_bytes(data, framed, length) == raw[start : start + length]
        assert frame_bytes(data, framed, length // 3) == raw[start : start + length // 3]


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_a_long_member_is_cut_into_frames_that_each_decode_alone(level: int) -> None:
    data = gzip.compress(RAW, level)
    raw, frames, stream = read(data)
    assert raw == RAW
    check(data, raw, frames)
    assert len(frames) >= 8
    assert frames[0].frame.codec is Codec.GZIP
    assert {framed.frame.codec for framed in frames[1:]} == {Codec.DEFLATE_AT}
    assert (stream.members, stream.checkpoints) == (1, len(frames) - 1)
    assert stream.largest_frame == max(framed.frame.raw_bytes for framed in frames)


def test_frames_are_as_long_as_they_may_be_and_blocks_allow() -> None:
    raw = log_lines(2_000_000, 8)
    data = gzip.compress(raw, 6)
    _, frames, _ = read(data)
    block_raw_bytes = 70_000
    for framed in frames[:-1]:
        assert framed.frame.stored_bytes <= 40_000
        assert framed.frame.raw_bytes > 120_000 - 33_000 - 2 * block_raw_bytes
    assert len(frames) < 2 * len(raw) / 120_000


def test_small_members_are_frames_as_they_are() -> None:
    parts = [log_lines(length, length) for length in (10, 5000, 90_000, 1)]
    members = [gzip.compress(part) for part in parts]
    data = b"".join(members)
    raw, frames, stream = read(data)
    assert raw == b"".join(parts)
    assert [framed.frame.stored_bytes for framed in frames] == [len(member) for member in members]
    assert {framed.frame.codec for framed in frames} == {Codec.GZIP}
    assert (stream.members, stream.checkpoints) == (4, 0)


def test_long_and_small_and_empty_members_may_follow_one_another() -> None:
    parts = [b"", log_lines(600_000, 1), b"small", b"", bytes(800_000), log_lines(300_000, 2), b"end"]
    data = b"".join(gzip.compress(part) for part in parts)
    raw, frames, stream = read(data)
    assert raw == b"".join(parts)
    check(data, raw, frames)
    assert stream.members == 5


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH])
def test_flushed_streams_are_entered_at_their_many_blocks(flush: int) -> None:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, 31)
    raw = log_lines(500_000, 3)
    parts = [squeeze.compress(raw[at : at + 997]) + squeeze.flush(flush) for at in range(0, len(raw), 997)]
    data = b"".join((*parts, squeeze.flush()))
    got, frames, _ = read(data)
    assert got == raw
    check(data, raw, frames)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, len(gzip.compress(RAW, 6))), max_size=30))
def test_frames_hold_whatever_the_cut_of_the_requests(cuts: list[int]) -> None:
    data = gzip.compress(RAW, 6)
    raw, frames, _ = read(data, cuts)
    assert raw == RAW
    check(data, raw, frames)


def test_a_byte_at_a_time_gives_the_same_bytes() -> None:
    data = gzip.compress(b"alpha" * 40) + bytes(7) + gzip.compress(b"beta", mtime=0)
    raw, frames, _ = read(data, list(range(len(data))))
    assert raw == b"alpha" * 40 + b"beta"
    check(data, raw, frames)


def test_the_time_of_the_first_header_is_told() -> None:
    first, second = gzip.compress(RAW, 6, mtime=1_700_000_000), gzip.compress(b"x", mtime=5)
    assert read(first + second)[2].mtime_s == 1_700_000_000
    assert read(gzip.compress(b"x", mtime=0) + first)[2].mtime_s == 0


def test_zeros_between_and_behind_members_are_padding() -> None:
    data = gzip.compress(b"one") + bytes(512) + gzip.compress(b"two") + bytes(100_000)
    assert read(data)[0] == b"onetwo"


@pytest.mark.parametrize("rubbish", [b"rubbish", b"\0\0rubbish", b"\x1f", b"\x1f\x8b\x08"])
def test_anything_else_behind_a_member_is_damage(rubbish: bytes) -> None:
    with pytest.raises(ArchiveDamaged) as caught:
        read(gzip.compress(b"one") + rubbish)
    assert caught.value.facts["offset"] in (len(gzip.compress(b"one")), len(gzip.compress(b"one")) + 2)


@pytest.mark.parametrize("cut", [0, 1, 5, 10, 400, 100_000, -1, -8, -9])
def test_a_file_that_was_cut_short_is_damaged(cut: int) -> None:
    with pytest.raises(ArchiveDamaged, match="cut short"):
        read(gzip.compress(RAW, 6)[:cut])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_bit_is_found_or_changes_no_byte(data: st.DataObject) -> None:
    whole = gzip.compress(RAW[:300_000], 6)
    hurt = bytearray(whole)
    hurt[data.draw(st.integers(0, len(hurt) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(ArchiveDamaged):
        assert read(bytes(hurt))[0] == RAW[:300_000]  # a bit of the header that says nothing of the bytes


def test_what_the_library_cannot_follow_is_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "GZIP_HEADER", b"no header at all")
    with pytest.raises(ArchiveDamaged, match="checkpoints") as caught:
        read(gzip.compress(RAW, 6))
    assert caught.value.facts["archive"] == "s3://bucket/file.gz"


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "EXPANSION_FREE_BYTES", 10_000_000)
    with pytest.raises(LimitExceeded, match="bomb"):
        read(gzip.compress(bytes(60_000_000), 9))


def test_nothing_of_a_bomb_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    data = gzip.compress(bytes(60_000_000), 9)
    stream = GzipStream(of(data))
    longest = max(len(told) for told in stream.feed(data) if isinstance(told, bytes))
    assert longest <= 1 << 20


def one_block(raw: bytes) -> bytes:
    """A gzip member whose first block is a second long, and in which no other begins before its end."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_FIXED)
    deflated = squeeze.compress(raw) + squeeze.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated + zlib.crc32(raw).to_bytes(4, "little") + len(raw).to_bytes(4, "little")


def test_a_member_without_blocks_to_enter_at_is_one_frame_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipstream, "GZIP_STRETCH_RAW_BYTES", 1_000_000)
    raw = log_lines(100_000, 4) + bytes(6_000_000)  # 16,383 matches of 258 zeros are one block of 4.2 MB
    data = one_block(raw)
    got, frames, stream = read(data)
    assert got == raw
    check(data, raw, frames)
    assert stream.largest_frame > 3_000_000


def test_a_file_after_a_long_block_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gzipstream, "GZIP_STRETCH_RAW_BYTES", 1_000_000)
    raw = bytes(6_000_000)
    data = one_block(raw) + gzip.compress(RAW, 6)
    got, frames, stream = read(data)
    assert got == raw + RAW
    check(data, got, frames)
    assert stream.members == 2


def wrapped(deflated: bytes, raw: bytes, *, name: bytes | None = None) -> bytes:
    """A gzip member of deflate blocks that are there already."""
    header = b"\x1f\x8b\x08" + (b"\0" if name is None else b"\x08") + bytes(6) + (b"" if name is None else name + b"\0")
    return header + deflated + zlib.crc32(raw).to_bytes(4, "little") + len(raw).to_bytes(4, "little")


def test_a_header_of_any_length_is_passed_over_in_bounded_memory() -> None:
    data = wrapped(zlib.compress(b"text")[2:-4], b"text", name=b"n" * 3_000_000)
    raw, frames, stream = read(data)
    assert raw == b"text"
    check(data, raw, frames)
    assert len(stream._member.held) < 200_000


def test_blocks_of_nothing_are_passed_over_in_bounded_memory() -> None:
    empty = bytes.fromhex("000000ffff")  # a stored block of no bytes
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -15)
    data = wrapped(empty * 200_000 + squeeze.compress(b"text") + squeeze.flush(), b"text")
    raw, frames, stream = read(data)
    assert raw == b"text"
    check(data, raw, frames)
    assert len(stream._member.held) < 200_000

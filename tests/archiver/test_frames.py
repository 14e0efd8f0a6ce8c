"""Frames are sized by what they cost to fetch, whatever the members are like."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from archiver.frames import LEVELS, Level, StoredFrame, compress_members, zstd_frame
from archiver.samples import samples
from indexer.limits import FRAME_RAW_BYTES, FRAME_STORED_BYTES_MOST, KIB, MIB

FAST = LEVELS["fast"]


def decoded(frames: list[StoredFrame]) -> bytes:
    return b"".join(zstandard.ZstdDecompressor().decompress(frame.data) for frame in frames)


def frame_starts(frames: list[StoredFrame]) -> set[int]:
    starts, at = set(), 0
    for frame in frames:
        starts.add(at)
        at += frame.raw_bytes
    return starts


def member_starts(members: list[bytes]) -> set[int]:
    starts, at = set(), 0
    for member in members:
        starts.add(at)
        at += len(member)
    return starts


@given(st.lists(st.tuples(st.sampled_from(["noise", "zeros", "text"]), st.integers(1, 90_000)), max_size=40), st.integers(0, 99))
def test_frames_hold_whole_members_in_order_and_stay_below_the_most(kinds: list[tuple[str, int]], seed: int) -> None:
    pick = random.Random(seed)
    make: dict[str, Callable[[int], bytes]] = {
        "noise": pick.randbytes,
        "zeros": bytes,
        "text": lambda size: (b"GET /index.html 200 %d\n" % seed * size)[:size],
    }
    members = [make[kind](size) for kind, size in kinds]
    frames = compress_members(zstd_frame, FAST, members)
    assert decoded(frames) == b"".join(members)
    assert frame_starts(frames) <= member_starts(members)
    at = 0
    for frame in frames:
        inside = [start for start in member_starts(members) if at <= start < at + frame.raw_bytes]
        assert len(frame.data) <= FRAME_STORED_BYTES_MOST or len(inside) == 1
        assert frame.raw_bytes <= FRAME_RAW_BYTES
        at += frame.raw_bytes


@pytest.mark.parametrize("level", LEVELS.values(), ids=list(LEVELS))
def test_frames_of_logs_are_as_long_as_the_level_says(level: Level) -> None:
    members = [sample.body for sample in samples(1500 if level.name == "fast" else 400)]
    lengths = sorted(len(frame.data) for frame in compress_members(zstd_frame, level, members))
    assert lengths[-1] <= FRAME_STORED_BYTES_MOST
    assert lengths[len(lengths) // 2] >= 0.8 * level.stored_bytes


def test_a_jump_from_zeros_to_noise_costs_a_second_try_and_no_long_frame() -> None:
    pick = random.Random(1)
    members = [bytes(4 * KIB)] * 500 + [pick.randbytes(4 * KIB) for _ in range(100)]
    frames = compress_members(zstd_frame, FAST, members)
    assert decoded(frames) == b"".join(members)
    assert max(len(frame.data) for frame in frames) <= FRAME_STORED_BYTES_MOST
    assert sum(len(frame.data) < 16 * KIB for frame in frames) <= 4


def test_a_member_beyond_the_raw_cap_has_frames_of_its_own() -> None:
    large = random.Random(2).randbytes(2 * MIB + 5)
    frames = compress_members(zstd_frame, FAST, [b"before", large, b"after"])
    assert [frame.raw_bytes for frame in frames] == [6, MIB, MIB, 5, 5]


def test_frames_tell_their_length_and_carry_a_checksum() -> None:
    (frame,) = compress_members(zstd_frame, FAST, [b"a member"])
    told = zstandard.get_frame_parameters(frame.data)
    assert (told.content_size, told.has_checksum) == (8, True)
    damaged = frame.data[:-1] + bytes([frame.data[-1] ^ 1])
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().decompress(damaged)


def test_threads_do_not_change_a_byte() -> None:
    members = [sample.body for sample in samples(300)]
    batches = [members[at : at + 60] for at in range(0, 300, 60)]
    alone = [compress_members(zstd_frame, FAST, batch) for batch in batches]
    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(lambda batch: compress_members(zstd_frame, FAST, batch), batches)) == alone

"""How members become frames: what a level means, and where one frame ends and the next begins.

A frame is sized by what it costs to fetch, its stored size, and only then by what it costs to inflate (docs/decisions/0010). The
cut is made inside one batch of members, by the same thread that compresses it, from nothing but the batch: so the same members
give the same bytes whatever the threads do.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import zstandard

from indexer.limits import FRAME_RAW_BYTES, FRAME_STORED_BYTES, FRAME_STORED_BYTES_MOST, KIB, MIB

BATCH_RAW_BYTES: Final = 4 * MIB
"""Raw bytes cut and compressed as one task: half a dozen frames of logs, so that their even division costs little, yet ten cores
work on as many batches in the memory that the default leaves them."""

FIRST_GUESS_RAW_BYTES: Final = 512 * KIB
"""Raw length tried for the first frame of a batch; logs shrink to a twentieth, which makes it about one frame."""

MOST_TRIES: Final = 6
"""How often a frame is compressed because its size missed the target. Logs need one; where the ratio jumps from zeros to noise
these find the place."""


@dataclass(frozen=True, slots=True)
class Level:
    """How hard to compress.

    Args:
        name: What it is called on the command line.
        parameters: zstd's knobs for frames of up to 1 MiB.
        stored_bytes: What a frame is expected to take at most; it takes a tenth less on average, because frames are made even.
        member_level: zstd's level for a member that is compressed alone (zip).
        deflate_level: zlib's level (zip with deflate).
    """

    name: str
    parameters: zstandard.ZstdCompressionParameters
    stored_bytes: int
    member_level: int
    deflate_level: int

    def __post_init__(self) -> None:
        if not 0 < self.stored_bytes < FRAME_STORED_BYTES_MOST:
            raise ValueError(f"frames of {self.stored_bytes} bytes are not below the most, {FRAME_STORED_BYTES_MOST}")


def _parameters(
    strategy: int, *, search_log: int, min_match: int, target_length: int, hash_log: int = 17, chain_log: int = 17
) -> zstandard.ZstdCompressionParameters:
    return zstandard.ZstdCompressionParameters(
        strategy=strategy,
        search_log=search_log,
        min_match=min_match,
        target_length=target_length,
        hash_log=hash_log,
        chain_log=chain_log,
        window_log=20,  # FRAME_RAW_BYTES: all of a frame is in reach
        write_content_size=1,
        write_checksum=1,
        write_dict_id=0,
    )


_LEVELS: Final = (
    Level(
        "fast",
        _parameters(zstandard.STRATEGY_DFAST, search_log=1, min_match=5, target_length=0),
        FRAME_STORED_BYTES + 2 * KIB,
        member_level=3,
        deflate_level=1,
    ),
    Level(
        "default",
        _parameters(zstandard.STRATEGY_LAZY2, search_log=5, min_match=6, target_length=32),
        FRAME_STORED_BYTES + 2 * KIB,
        member_level=9,
        deflate_level=6,
    ),
    # Frames a little longer: with a page of 20 KiB they still cost less than 64 KiB, and they save 1 % of the archive.
    Level(
        "dense",
        _parameters(zstandard.STRATEGY_BTOPT, search_log=9, min_match=5, target_length=999, hash_log=18, chain_log=19),
        FRAME_STORED_BYTES + 5 * KIB,
        member_level=19,
        deflate_level=9,
    ),
)

LEVELS: Final = {level.name: level for level in _LEVELS}
"""The levels by name, as measured on real log lines (docs/decisions/0010)."""

_MINE = threading.local()


Compress = Callable[[Level, bytes], bytes]
"""Makes one frame of raw bytes: the same for the same bytes, on any thread."""


def zstd_frame(level: Level, raw: bytes) -> bytes:
    """Compress `raw` into one zstd frame with its length in the header and a checksum behind it; other threads run meanwhile."""
    # One compressor a thread and level: its tables are megabytes, and it is not safe for two threads.
    mine: dict[str, zstandard.ZstdCompressor] = _MINE.__dict__
    compressor = mine.get(level.name)
    if compressor is None:
        compressor = mine[level.name] = zstandard.ZstdCompressor(compression_params=level.parameters)
    return compressor.compress(raw)


class StoredFrame(NamedTuple):
    """One compressed frame and the length it decodes to."""

    data: bytes
    raw_bytes: int


def compress_members(compress: Compress, level: Level, members: Sequence[bytes]) -> list[StoredFrame]:
    """Cut a batch of members into frames and compress them.

    A frame holds whole members and is filled until it is expected to be `level.stored_bytes` long or holds `FRAME_RAW_BYTES`;
    the frames of a batch are made about equal. A frame of several members that comes out longer than `FRAME_STORED_BYTES_MOST`
    is cut again. A member longer than `FRAME_RAW_BYTES` has frames of its own.

    Args:
        compress: Makes one frame.
        level: How hard.
        members: What each member takes in the archive, headers and padding included; none empty.

    Returns:
        The frames; their raw bytes are the members one after another.
    """
    frames: list[StoredFrame] = []
    at = 0
    left = sum(map(len, members))
    ratio = level.stored_bytes / FIRST_GUESS_RAW_BYTES
    while at < len(members):
        if len(members[at]) > FRAME_RAW_BYTES:
            frames.extend(compress_large(compress, level, members[at]))
            left -= len(members[at])
            at += 1
            continue
        frame, stop = _fill(compress, level, members, at, left=left, ratio=ratio)
        frames.append(frame)
        ratio = len(frame.data) / frame.raw_bytes
        left -= frame.raw_bytes
        at = stop
    return frames


def compress_large(compress: Compress, level: Level, raw: bytes) -> list[StoredFrame]:
    """Cut one long run of bytes into frames of `FRAME_RAW_BYTES` each."""
    view = memoryview(raw)
    pieces = [bytes(view[at : at + FRAME_RAW_BYTES]) for at in range(0, len(raw), FRAME_RAW_BYTES)]
    return [StoredFrame(compress(level, piece), len(piece)) for piece in pieces]


def _fill(
    compress: Compress, level: Level, members: Sequence[bytes], at: int, *, left: int, ratio: float
) -> tuple[StoredFrame, int]:
    """Make the frame that begins with `members[at]`; tells where the next one begins.

    Tries again with the ratio it met when the frame came out too long, or far too short although more would have fitted; once both
    happened, the data changes within the frame, and the place is found between them.
    """
    short, most = at, len(members)
    tries = 0
    while True:
        tries += 1
        stop = _reach(members, at, most, want=left / max(1, math.ceil(left * ratio / level.stored_bytes)))
        if short > at and (stop <= short or most < len(members)):
            stop = min((short + most + 1) // 2, _reach(members, at, most, want=math.inf))
        raw = b"".join(members[at:stop])
        data = compress(level, raw)
        ratio = len(data) / len(raw)
        if len(data) > FRAME_STORED_BYTES_MOST and stop - at > 1:
            most = stop - 1 if tries < MOST_TRIES else (at + stop) // 2  # every further try takes less, so this ends
            short = min(short, most)
        elif tries < MOST_TRIES and len(data) < level.stored_bytes // 2 and _reach(members, at, most, want=math.inf) > stop:
            short = stop
        else:
            return StoredFrame(data, len(raw)), stop


def _reach(members: Sequence[bytes], at: int, most: int, *, want: float) -> int:
    """Where a frame from `members[at]` ends that shall hold about `want` raw bytes: at least one member, never too many bytes."""
    stop, raw = at, 0
    while stop < most and (stop == at or (raw + len(members[stop]) / 2 < want and raw + len(members[stop]) <= FRAME_RAW_BYTES)):
        raw += len(members[stop])
        stop += 1
    return stop

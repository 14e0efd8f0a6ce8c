"""Where members lie, in columns: extents, and the frames they name, each told once in a page.

What can be foreseen is stored as zero: a frame begins where the one before ended; an extent begins where the one before ended
(rounded up to a tar block and behind a tar header in tars); a member's last extent is as long as what is left of its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import add, sub
from typing import Any, Final, NamedTuple

from indexer.indexfile.block import Block
from indexer.indexfile.columns import Column, ColumnDamaged, ColumnUnknown, decode_ints, encode_ints
from indexer.limits import OBJECT_BYTES
from indexer.model import NO_CONTEXT, Codec, Extent, Frame, Span
from indexer.rows import FrameRow

Lying = tuple[Any, ...] | list[Any]
FLAT: Final = 6
"""Length of the tuple that tells an only extent (`indexer.rows.Row`)."""


class Counts(NamedTuple):
    """The first column of a page: how long the others are, and what extents are foreseen to be.

    Attributes:
        members: Members in the page.
        frames: Distinct frames they lie in.
        extents: Extents of all of them.
        align: An extent is foreseen to begin at a multiple of this behind the end of the one before in the same frame ...
        lead: ... and this much further.
        first_start: Offset in the archive of the first frame.
    """

    members: int
    frames: int
    extents: int
    align: int
    lead: int
    first_start: int


def encode_extents(sizes: Sequence[int], all_lying: Sequence[Lying], align: int, lead: int) -> tuple[Counts, dict[int, bytes]]:
    """Write the extents of the members of a page, and the frames they name in the order of their first use.

    Args:
        sizes: The members' sizes.
        all_lying: Their extents, as `indexer.rows` has them.
        align: See `Counts`.
        lead: See `Counts`.

    Returns:
        What the page's counts column must tell, and the columns.
    """
    if all(type(lying) is tuple and len(lying) == FLAT for lying in all_lying):
        starts, stored, raws, codecs, leads, offsets = zip(*all_lying, strict=True)
        if len(set(starts)) == len(starts):
            return _encode_alone(sizes, (starts, stored, raws, codecs, leads), offsets, align, lead)
    return _encode_shared(sizes, all_lying, align, lead)


def _encode_alone(
    sizes: Sequence[int], frames: Sequence[Sequence[int]], offsets: Sequence[int], align: int, lead: int
) -> tuple[Counts, dict[int, bytes]]:
    """Every member has one extent in a frame that no other has, as in a zip: the same columns, several times faster."""
    count = len(sizes)
    columns: dict[int, bytes] = {
        Column.EXTENT_COUNT: encode_ints((1,)),
        Column.EXTENT_FRAME: encode_ints(range(1, count + 1)),
        Column.EXTENT_GAP: encode_ints([offset - lead for offset in offsets]),
    }
    columns |= _encode_frames((*frames, (0,), (0,), (0,)), [offset + size for offset, size in zip(offsets, sizes, strict=True)])
    return Counts(count, count, count, align, lead, frames[0][0]), columns


def _encode_shared(sizes: Sequence[int], all_lying: Sequence[Lying], align: int, lead: int) -> tuple[Counts, dict[int, bytes]]:
    """Members share frames, or have several extents, or none."""
    places: dict[FrameRow, int] = {}
    ends: list[int] = []  # how far into each frame its extents reach
    counts, ordinals, gaps, lengths = [], [], [], []
    last: FrameRow | None = None
    place, foreseen = 0, lead
    for size, lying in zip(sizes, all_lying, strict=True):
        extents = [((*lying[:5], 0, 0, 0), lying[5], size)] if len(lying) == FLAT and type(lying) is tuple else lying
        counts.append(len(extents))
        for position, (frame, offset, length) in enumerate(extents, 1):
            if position < len(extents):
                lengths.append(length)
            if frame is None:
                ordinals.append(0)
                continue
            if frame != last:
                last = frame
                found = places.get(frame)
                if found is None:
                    place = places[frame] = len(places)
                    ends.append(0)
                else:
                    place = found
                foreseen = lead
            ordinals.append(place + 1)
            gaps.append(offset - foreseen)
            stop = offset + length
            foreseen = -(-stop // align) * align + lead
            ends[place] = max(ends[place], stop)
    columns: dict[int, bytes] = {Column.EXTENT_COUNT: encode_ints(counts)}
    for column, values in ((Column.EXTENT_FRAME, ordinals), (Column.EXTENT_GAP, gaps), (Column.EXTENT_LENGTH, lengths)):
        if values:
            columns[column] = encode_ints(values)
    first_start = 0
    if places:
        first_start = next(iter(places))[0]
        columns |= _encode_frames(list(zip(*places, strict=True)), ends)
    return Counts(len(sizes), len(places), len(ordinals), align, lead, first_start), columns


def _encode_frames(frames: Sequence[Sequence[int]], ends: Sequence[int]) -> dict[int, bytes]:
    starts, stored, raws, codecs, leads, context_starts, context_stops, bits = frames
    behind = [starts[0], *map(add, map(add, starts, leads), stored)]
    columns: dict[int, bytes] = {
        Column.FRAME_GAP: encode_ints(list(map(sub, starts, behind))),
        Column.FRAME_STORED: encode_ints(stored),
        Column.FRAME_RAW_BEYOND: encode_ints(list(map(sub, raws, ends))),
        Column.FRAME_CODEC: encode_ints(codecs),
    }
    if any(leads):
        columns[Column.FRAME_LEAD] = encode_ints(leads)
    if any(bits):
        columns[Column.FRAME_BIT] = encode_ints(bits)
    if any(context_stops):
        columns[Column.FRAME_CONTEXT_START] = encode_ints(context_starts)
        columns[Column.FRAME_CONTEXT_BYTES] = encode_ints(list(map(sub, context_stops, context_starts)))
    return columns


def decode_extents(block: Block, sizes: Sequence[int], told: Counts) -> list[tuple[Extent, ...]]:
    """Read what `encode_extents` wrote.

    Args:
        block: The page's block.
        sizes: The members' sizes, all in bounds.
        told: The page's counts.

    Raises:
        ColumnDamaged: The columns contradict each other or the bounds.
    """
    counts = decode_ints(block[Column.EXTENT_COUNT], len(sizes))
    if min(counts) < 0 or sum(counts) != told.extents:
        raise ColumnDamaged("the extents do not add up")
    ordinals = decode_ints(block[Column.EXTENT_FRAME], told.extents)
    if told.extents and (min(ordinals) < 0 or max(ordinals) > told.frames):
        raise ColumnDamaged("an extent names no frame")
    gaps = iter(decode_ints(block[Column.EXTENT_GAP], told.extents - sum(1 for ordinal in ordinals if not ordinal)))
    lengths = iter(decode_ints(block[Column.EXTENT_LENGTH], told.extents - sum(1 for count in counts if count)))
    # First where each extent lies, then the frames (their raw lengths count from the extents' ends), then both together.
    lying: list[tuple[int, int, int]] = []
    ends = [0] * told.frames
    place, foreseen, at = -1, told.lead, 0
    for size, count in zip(sizes, counts, strict=True):
        left = size
        for position in range(count, 0, -1):
            length = next(lengths) if position > 1 else left
            left -= length
            if length < 0 or left < 0:
                raise ColumnDamaged("a member's extents exceed its size")
            ordinal = ordinals[at] - 1
            at += 1
            if ordinal < 0:
                lying.append((ordinal, 0, length))
                continue
            if ordinal != place:
                place, foreseen = ordinal, told.lead
            offset = foreseen + next(gaps)
            stop = offset + length
            if offset < 0 or stop > OBJECT_BYTES:
                raise ColumnDamaged("an extent lies outside of all bounds")
            foreseen = -(-stop // told.align) * told.align + told.lead
            ends[place] = max(ends[place], stop)
            lying.append((place, offset, length))
    frames: list[Frame | None] = [*_decode_frames(block, ends, told.first_start), None]
    extents = [Extent(frames[place], offset, length) for place, offset, length in lying]
    if max(counts) <= 1:
        each = iter(extents)
        return [(next(each),) if count else () for count in counts]
    bounds = list(accumulate(counts, initial=0))
    return [tuple(extents[start:stop]) for start, stop in pairwise(bounds)]


def _decode_frames(block: Block, ends: Sequence[int], first: int) -> list[Frame]:
    count = len(ends)
    if count == 0:
        return []
    gaps = decode_ints(block[Column.FRAME_GAP], count)
    stored = decode_ints(block[Column.FRAME_STORED], count)
    beyond = decode_ints(block[Column.FRAME_RAW_BEYOND], count)
    codecs = decode_ints(block[Column.FRAME_CODEC], count)
    none = [0] * count
    leads = decode_ints(block[Column.FRAME_LEAD], count) if Column.FRAME_LEAD in block else none
    bits = decode_ints(block[Column.FRAME_BIT], count) if Column.FRAME_BIT in block else none
    context_starts = decode_ints(block[Column.FRAME_CONTEXT_START], count) if Column.FRAME_CONTEXT_START in block else none
    context_bytes = decode_ints(block[Column.FRAME_CONTEXT_BYTES], count) if Column.FRAME_CONTEXT_BYTES in block else none
    known = {int(codec): codec for codec in Codec}
    frames = []
    foreseen = first
    for place in range(count):
        start, raw = foreseen + gaps[place], ends[place] + beyond[place]
        codec = known.get(codecs[place])
        if codec is None:
            raise ColumnUnknown(f"a frame codec {codecs[place]}")
        if min(start, stored[place], leads[place], context_starts[place], context_bytes[place]) < 0 or raw < ends[place]:
            raise ColumnDamaged("a frame lies outside of all bounds")
        if max(start + leads[place] + stored[place], raw, context_starts[place] + context_bytes[place]) > OBJECT_BYTES:
            raise ColumnDamaged("a frame lies outside of all bounds")
        if not 0 <= bits[place] <= 7:
            raise ColumnDamaged("a frame begins at no bit of its first byte")
        context = NO_CONTEXT
        if context_bytes[place]:
            context = Span(context_starts[place], context_starts[place] + context_bytes[place])
        frames.append(Frame(start, stored[place], raw, codec, leads[place], context, bits[place]))
        foreseen = start + leads[place] + stored[place]
    return frames

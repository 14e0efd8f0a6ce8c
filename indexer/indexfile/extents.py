"""Where members lie, in columns: extents, and the frames they name, each told once in a page.

What can be foreseen is stored as zero: a frame begins where the one before ended; an extent begins where the one before ended
(rounded up to a tar block and behind a tar header in tars); a member's last extent is as long as what is left of its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, islice, pairwise
from operator import add, sub
from typing import Any, Final, NamedTuple

from indexer.indexfile.block import Block
from indexer.indexfile.columns import Column, ColumnDamaged, ColumnUnknown, decode_ints, encode_ints
from indexer.limits import OBJECT_BYTES
from indexer.model import NO_CONTEXT, Codec, Extent, Frame, Span
from indexer.rows import FrameRow

LyingRow = tuple[Any, ...] | list[Any]
CODECS: Final = {int(codec): codec for codec in Codec}
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


def encode_extents(sizes: Sequence[int], all_lying: Sequence[LyingRow], align: int, lead: int) -> tuple[Counts, dict[int, bytes]]:
    """Write the extents of the members of a page, and the frames they name in the order of their first use.

    Args:
        sizes: The members' sizes.
        all_lying: Their extents, as `indexer.rows` has them.
        align: See `Counts`.
        lead: See `Counts`.

    Returns:
        What the page's counts column must tell, and the columns.
    """
    if set(map(len, all_lying)) == {FLAT} and set(map(type, all_lying)) == {tuple}:
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


def _encode_shared(sizes: Sequence[int], all_lying: Sequence[LyingRow], align: int, lead: int) -> tuple[Counts, dict[int, bytes]]:
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


def decode_extents(block: Block, sizes: Sequence[int], told: Counts) -> Lying:
    """Read what `encode_extents` wrote.

    Args:
        block: The page's block.
        sizes: The members' sizes, all in bounds.
        told: The page's counts.

    Raises:
        ColumnDamaged: The columns contradict each other or the bounds.
        ColumnUnknown: A frame is coded in a way that only a later format knows.
    """
    counts = decode_ints(block[Column.EXTENT_COUNT], len(sizes))
    if min(counts) < 0 or sum(counts) != told.extents:
        raise ColumnDamaged("the extents do not add up")
    ordinals = decode_ints(block[Column.EXTENT_FRAME], told.extents)
    if told.extents and (min(ordinals) < 0 or max(ordinals) > told.frames):
        raise ColumnDamaged("an extent names no frame")
    lengths = sizes
    if not min(counts) == max(counts) == 1:
        lengths = _lengths(block, sizes, counts, told.extents)
    gaps = iter(decode_ints(block[Column.EXTENT_GAP], sum([ordinal > 0 for ordinal in ordinals])))
    offsets: list[int] = []
    align, lead = told.align, told.lead
    ends = [0] * (told.frames + 1)
    place, foreseen = 0, lead
    for ordinal, length in zip(ordinals, lengths, strict=True):
        if ordinal == 0:
            offsets.append(0)
            continue
        if ordinal != place:
            place, foreseen = ordinal, lead
        offset = foreseen + next(gaps)
        offsets.append(offset)
        stop = offset + length
        foreseen = -(-stop // align) * align + lead
        if stop > ends[place]:  # noqa: PLR1730 - the innermost loop: a call of max takes longer than the rest of it
            ends[place] = stop
    if min(offsets, default=0) < 0 or max(ends) > OBJECT_BYTES:
        raise ColumnDamaged("an extent lies outside of all bounds")
    return Lying(list(accumulate(counts, initial=0)), ordinals, offsets, lengths, _decode_frames(block, ends[1:], told.first_start))


def _lengths(block: Block, sizes: Sequence[int], counts: Sequence[int], extents: int) -> Sequence[int]:
    """The length of each extent: as told, the last of a member as long as what is left of it."""
    each = iter(decode_ints(block[Column.EXTENT_LENGTH], extents - sum([count > 0 for count in counts])))
    lengths: list[int] = []
    for size, count in zip(sizes, counts, strict=True):
        if count:
            told = list(islice(each, count - 1))
            lengths += told
            lengths.append(size - sum(told))
    if min(lengths, default=0) < 0:
        raise ColumnDamaged("a member's extents exceed its size")
    return lengths


class Lying:
    """Where the members of a page lie, as numbers; extents and frames are made of them when a member is asked for.

    Args:
        bounds: For each member the place of its first extent, and the number of all extents behind the last.
        ordinals: For each extent 0, or which frame it lies in, from 1.
        offsets: For each extent where it begins in its frame.
        lengths: For each extent how long it is.
        frames: The columns that `Frame` is made of.
    """

    __slots__ = ("_bounds", "_columns", "_frames", "_lengths", "_offsets", "_ordinals")

    def __init__(
        self,
        bounds: Sequence[int],
        ordinals: Sequence[int],
        offsets: Sequence[int],
        lengths: Sequence[int],
        frames: Sequence[Sequence[int]],
    ) -> None:
        self._bounds, self._ordinals, self._offsets, self._lengths = bounds, ordinals, offsets, lengths
        self._columns = frames
        self._frames: dict[int, Frame | None] = {0: None}

    def extents(self, start: int, stop: int) -> list[tuple[Extent, ...]]:
        """The extents of the members `[start, stop)`."""
        first, last = self._bounds[start], self._bounds[stop]
        part = slice(first, last)
        frames = self._frames
        made = []
        for ordinal, offset, length in zip(self._ordinals[part], self._offsets[part], self._lengths[part], strict=True):
            if ordinal not in frames:
                frames[ordinal] = self._frame(ordinal - 1)
            made.append(Extent(frames[ordinal], offset, length))
        bounds = self._bounds[start : stop + 1]
        return [tuple(made[one - first : next_one - first]) for one, next_one in pairwise(bounds)]

    def _frame(self, at: int) -> Frame:
        start, stored_bytes, raw_bytes, codec, lead_bytes, bit, context_start, context_bytes = [
            column[at] for column in self._columns
        ]
        context = Span(context_start, context_start + context_bytes) if context_bytes else NO_CONTEXT
        return Frame(start, stored_bytes, raw_bytes, CODECS[codec], lead_bytes, context, bit)


def _decode_frames(block: Block, ends: Sequence[int], first: int) -> Sequence[Sequence[int]]:
    """Read the columns that `Frame` is made of, each number checked."""
    count = len(ends)
    if count == 0:
        return ()
    gaps, stored, beyond, codecs = [
        decode_ints(block[column], count)
        for column in (Column.FRAME_GAP, Column.FRAME_STORED, Column.FRAME_RAW_BEYOND, Column.FRAME_CODEC)
    ]
    leads, bits, context_starts, context_bytes = [
        decode_ints(block[column], count) if column in block else [0] * count
        for column in (Column.FRAME_LEAD, Column.FRAME_BIT, Column.FRAME_CONTEXT_START, Column.FRAME_CONTEXT_BYTES)
    ]
    steps = map(add, map(add, leads, stored), islice(gaps, 1, None))
    starts = list(accumulate(steps, initial=first + gaps[0]))
    raws = list(map(add, ends, beyond))
    if unknown := set(codecs) - CODECS.keys():
        raise ColumnUnknown(f"a frame codec {min(unknown)}")
    least = min(map(min, (starts, stored, beyond, leads, context_starts, context_bytes)))
    most = max(map(max, (map(add, map(add, starts, leads), stored), raws, map(add, context_starts, context_bytes))))
    if least < 0 or most > OBJECT_BYTES:
        raise ColumnDamaged("a frame lies outside of all bounds")
    if min(bits) < 0 or max(bits) > 7:
        raise ColumnDamaged("a frame begins at no bit of its first byte")
    return starts, stored, raws, codecs, leads, bits, context_starts, context_bytes

"""Reads a member: from its extents to the spans to fetch, and from their bytes to the member's.

No line in here knows what kind of archive it serves: zip, tar.zst and squashfs members are read alike. Sans-IO.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple

from indexer.asks import Ask, Body, Need, until
from indexer.codecs import decoder
from indexer.decoders import Decoder
from indexer.errors import MemberDamaged, MemberUnreadable, RangeInvalid
from indexer.framefetch import NOTHING, FrameCache, FrameKey, Place, Spans, behind_lead, decode_frame, fetch, frame_span
from indexer.inflate import InflateAtDecoder
from indexer.limits import REQUEST_BYTES, WHOLE_FRAME_BYTES, ZERO_PIECE_BYTES, ZIP_LOCAL_SLACK_BYTES
from indexer.model import Codec, Frame, Identity, Member, Span
from indexer.ranges import pieces

__all__ = ["FrameCache", "FrameKey", "read"]


class Part(NamedTuple):
    """Decoded bytes `[start, stop)` of a frame; zeros when there is no frame."""

    frame: Frame | None
    start: int
    stop: int


def read(
    of: Identity, member: Member, start: int, stop: int, *, index: Identity | None = None, frames: FrameCache | None = None
) -> Body:
    """Read the bytes `[start, stop)` of a member.

    Args:
        of: The archive, in the version its index describes.
        member: From that index.
        start: First byte wanted.
        stop: Behind the last byte wanted; at most the member's size.
        index: The index, which holds the contexts of `DEFLATE_AT` frames; other members are read without.
        frames: Where decoded frames are kept between reads; None keeps none.

    Yields:
        Asks for the frames that hold those bytes, and the bytes. A member read whole whose checksum is known is checked before its
        last piece is handed out.

    Raises:
        MemberUnreadable: It is encrypted or coded in a way that cannot be decoded here.
        MemberDamaged: Its bytes do not decode, or do not match its checksum.
        RangeInvalid: The bytes lie outside of the member.
        IndexDamaged: A context is not what was written.
        ObjectReplaced: The archive, or the index, is another version by now.

    Cost:
        One dependent step for each `REQUEST_BYTES` of stored frames (the next is named ahead); for one small member that is one
        request for one frame, and one of a few KiB beside it for the frame's context if it has one. Memory: those
        bytes, and one decoded frame of at most `WHOLE_FRAME_BYTES`.
    """
    facts = {"archive": of.url, "member": member.key}
    if member.unreadable is not None:
        raise MemberUnreadable(f"this member cannot be read: {member.unreadable}", **facts)
    if not 0 <= start <= stop <= member.size:
        raise RangeInvalid(f"bytes {start} to {stop} are not in a member of {member.size} bytes", **facts)
    parts = _parts(member, start, stop)
    for frame, _, end in parts:
        if frame is not None and (end > frame.raw_bytes or frame.start + frame.stored_bytes > of.size):
            raise MemberDamaged("its place lies outside of the archive", offset=frame.start, **facts)
    body = _read_parts(Place(of, index, frames), parts)
    if start == 0 and stop == member.size and member.crc32 is not None:
        body = _checked(body, member.crc32)
    try:
        yield from body
    except (MemberDamaged, MemberUnreadable) as error:
        raise type(error)(error.message, hint=error.hint, **{**facts, **error.facts}) from error


def _parts(member: Member, start: int, stop: int) -> list[Part]:
    """The parts of frames that `[start, stop)` of a member consists of."""
    parts = []
    at = 0
    for frame, offset, length in member.extents:
        first, last = max(start - at, 0), min(stop - at, length)
        if first < last:
            parts.append(Part(frame, offset + first, offset + last))
        at += length
        if at >= stop:
            break
    if sum(part.stop - part.start for part in parts) != stop - start:
        raise MemberDamaged("its extents do not add up to its size", member=member.key)
    return parts


def _checked(body: Body, crc32: int) -> Body:
    """Hand out a body one piece behind, so that its last piece goes out only if the checksum is right."""
    checksum, held = 0, b""
    while (piece := (yield from until(bytes, body))) is not None:
        checksum = zlib.crc32(piece, checksum)
        if held:
            yield held
        held = piece
    if checksum != crc32:
        raise MemberDamaged(f"its bytes have the checksum {checksum:08x}, it was stored with {crc32:08x}")
    if held:
        yield held


def _read_parts(place: Place, parts: list[Part]) -> Body:
    groups = list(_groups(place, parts))
    for position, group in enumerate(groups):
        following = groups[position + 1].spans if position + 1 < len(groups) else NOTHING
        yield from group.read(place, following)


def _groups(place: Place, parts: list[Part]) -> Iterator[_Group]:
    """Cut parts into groups that are asked for together: as many as fit one request, a large frame by itself."""
    group = _Group()
    for part in parts:
        if part.frame is not None and max(part.frame.raw_bytes, part.frame.stored_bytes) > WHOLE_FRAME_BYTES:
            if group.parts:
                yield group
            yield _Large(part)
            group = _Group()
            continue
        if group.stored_bytes and part.frame is not None and group.stored_bytes + part.frame.stored_bytes > REQUEST_BYTES:
            yield group
            group = _Group()
        group.add(place, part)
    if group.parts:
        yield group


class _Group:
    """Parts whose frames are asked for at once and decoded one after another."""

    def __init__(self) -> None:
        self.parts: list[tuple[Part, int | None]] = []  # each with its place among the spans, if it is to be fetched
        self.wanted: list[Span] = []
        self.contexts: list[Span] = []
        self.stored_bytes = 0

    @property
    def spans(self) -> Spans:
        """What is to be fetched."""
        return Spans(tuple(self.wanted), tuple(self.contexts))

    def add(self, place: Place, part: Part) -> None:
        """Take one more part."""
        position = None
        if part.frame is not None and len(place.decoded(part.frame)) < part.stop:
            wanted = frame_span(place.archive, part.frame)
            if wanted not in self.wanted[-1:]:
                self.wanted.append(wanted)
                self.stored_bytes += wanted.length
                if place.context(part.frame) is None:
                    self.contexts.append(part.frame.context)
            position = len(self.wanted) - 1
        self.parts.append((part, position))

    def read(self, place: Place, ahead: Spans) -> Body:
        """Ask for the frames and hand out the parts."""
        fetched, contexts = yield from fetch(place, self.spans, ahead)
        for part, position in self.parts:
            frame = part.frame
            if frame is None:
                yield from _zeros(part.stop - part.start)
                continue
            decoded = place.decoded(frame)
            if len(decoded) < part.stop:
                # A frame that is wanted a second time will be wanted again: decode all of it then.
                again = bool(decoded) or position is None
                upto = frame.raw_bytes if again else part.stop
                context = contexts.get(frame.context) or place.context(frame)
                if position is not None and context is not None:
                    stored = fetched[position]
                else:  # the cache held it when this was planned, and has dropped it since
                    (stored,), late = yield from fetch(
                        place, Spans((frame_span(place.archive, frame),), () if context is not None else (frame.context,))
                    )
                    context = late[frame.context] if context is None else context
                decoded = yield from decode_frame(place.archive, frame, stored, upto, context)
                if place.frames is not None:
                    place.frames[place.archive.digest, frame.start] = decoded
            yield decoded[part.start : part.stop]


class _Large(_Group):
    """Part of a frame that is too large to be decoded at once: fetched and decoded piece by piece."""

    def __init__(self, part: Part) -> None:
        super().__init__()
        assert part.frame is not None  # noqa: S101 - only such parts are made large
        self.frame, self.start, self.stop = part.frame, part.start, part.stop

    def read(self, place: Place, ahead: Spans) -> Body:
        """Ask for the frame piece by piece and hand out the part."""
        of, frame = place.archive, self.frame
        # Stored bytes are fetched from where they are wanted; coded ones from the first, because the decoder needs those before.
        wanted = Span(self.start, self.stop) if frame.codec is Codec.STORED else Span(0, frame.stored_bytes)
        at = wanted.start
        data_start, known, step_bytes = frame.start, b"", REQUEST_BYTES
        if frame.lead_bytes:
            step_bytes -= frame.lead_bytes + 2 * ZIP_LOCAL_SLACK_BYTES  # the first with its lead is one request too
            data_start, known = yield from behind_lead(of, frame, Span(at, min(at + step_bytes, wanted.stop)))
        unpack: Decoder
        if frame.codec is Codec.DEFLATE_AT:
            opening = Span(data_start, data_start + min(step_bytes, wanted.stop))
            context = place.context(frame)
            (known,), contexts = yield from fetch(place, Spans((opening,), () if context is not None else (frame.context,)))
            unpack = InflateAtDecoder(contexts[frame.context] if context is None else context, frame.bit)
        else:
            unpack = decoder(frame.codec)
        steps = [Span(data_start + start, data_start + stop) for start, stop in pieces(wanted, step_bytes)]
        for position, step in enumerate(steps):
            following = (steps[position + 1],) if position + 1 < len(steps) else ahead.frames
            if known:
                stored, known = known, b""
            else:
                (stored,) = yield Need(of, (step,), following)
            for piece in _located(frame, unpack.feed(stored)):
                first, last = max(self.start - at, 0), min(self.stop - at, len(piece))
                if first < last:
                    yield piece[first:last]
                at += len(piece)
                if at >= self.stop:
                    return
        raise MemberDamaged(f"its frame ends after {at} of {self.stop} bytes", offset=frame.start)


def _located(frame: Frame, decoded: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Add to a decoding error where its frame lies."""
    try:
        yield from decoded
    except (MemberDamaged, MemberUnreadable) as error:
        raise type(error)(error.message, hint=error.hint, offset=frame.start) from error


def _zeros(length: int) -> Generator[Ask | bytes, Any, None]:
    piece = bytes(min(length, ZERO_PIECE_BYTES))
    for at in range(0, length, ZERO_PIECE_BYTES):
        yield piece if length - at >= len(piece) else piece[: length - at]

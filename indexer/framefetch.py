"""Frames fetched and decoded: what to ask for, with the contexts in the index, and from the bytes to the decoded ones. Sans-IO."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from indexer.asks import Need, Steps, span, spans, together
from indexer.codecs import decode, unreadable
from indexer.errors import MemberDamaged, MemberUnreadable
from indexer.indexfile.context import check_place, decode_context
from indexer.inflate import decode_at
from indexer.limits import ZIP_LOCAL_SLACK_BYTES
from indexer.model import Codec, Frame, Identity, Span

FrameKey = tuple[str, int]
"""An archive's digest and the offset of a frame in it; or an index's, and that of a context."""

FrameCache = MutableMapping[FrameKey, bytes]
"""Decoded frames of at most `WHOLE_FRAME_BYTES`, each from its first byte as far as it was needed, and decoded contexts."""

ZIP_LOCAL_HEADER: Final = b"PK\3\4"
ZIP_LOCAL_HEADER_BYTES: Final = 30
"""Fixed part of a zip local header; the lengths of name and extra field stand at 26 and 28 (APPNOTE 4.3.7)."""


@dataclass(frozen=True, slots=True)
class Place:
    """What members are read from.

    Args:
        archive: The archive.
        index: Its index; None when no frame needs a context.
        frames: Where decoded frames and contexts are kept; None keeps none.
    """

    archive: Identity
    index: Identity | None
    frames: FrameCache | None

    def decoded(self, frame: Frame) -> bytes:
        """What is decoded already of a frame, from its first byte."""
        return self.frames.get((self.archive.digest, frame.start), b"") if self.frames is not None else b""

    def context(self, frame: Frame) -> bytes | None:
        """The context of a frame, if it is at hand; the empty one of a frame that needs none."""
        if not frame.context.length:
            return b""
        if self.frames is None or self.index is None:
            return None
        return self.frames.get((self.index.digest, frame.context.start))


class Spans(NamedTuple):
    """What is asked for in one step: spans of the archive, and of the index."""

    frames: tuple[Span, ...] = ()
    contexts: tuple[Span, ...] = ()


NOTHING: Final = Spans()


def frame_span(of: Identity, frame: Frame) -> Span:
    """What to fetch of a frame; behind a zip local header of guessed length, a little more than its stored bytes."""
    slack = ZIP_LOCAL_SLACK_BYTES if frame.lead_bytes else 0
    return Span(frame.start, min(frame.start + frame.lead_bytes + frame.stored_bytes + slack, of.size))


def fetch(place: Place, wanted: Spans, ahead: Spans = NOTHING) -> Steps[tuple[list[bytes], dict[Span, bytes]]]:
    """Fetch stored frames, and contexts beside them. Costs one dependent step, nothing if nothing is wanted.

    Returns:
        The stored bytes of each frame, and the decoded contexts by their place in the index.

    Raises:
        IndexDamaged: A context is not what was written.
    """
    if not wanted.contexts:
        return (yield from spans(place.archive, *wanted.frames, ahead=ahead.frames)) if wanted.frames else [], {}
    index = place.index
    if index is None:
        raise unreadable(Codec.DEFLATE_AT)
    for context in wanted.contexts:
        check_place(index, context)
    stored, blocks = yield from together(
        Need(place.archive, wanted.frames, ahead.frames), Need(index, wanted.contexts, ahead.contexts)
    )
    contexts = {
        context: decode_context(block, place.archive, index, context)
        for context, block in zip(wanted.contexts, blocks, strict=True)
    }
    if place.frames is not None:
        place.frames.update({(index.digest, context.start): data for context, data in contexts.items()})
    return stored, contexts


def decode_frame(of: Identity, frame: Frame, fetched: bytes, upto: int, context: bytes) -> Steps[bytes]:
    """Decode the first `upto` bytes of a frame that was fetched."""
    stored = memoryview(fetched)
    if frame.lead_bytes:
        lead = _zip_lead(frame, fetched)
        missing = frame.start + lead + frame.stored_bytes - (frame.start + len(fetched))
        if missing > 0:  # the local header is longer than the central directory let us guess
            if frame.start + lead + frame.stored_bytes > of.size:
                raise MemberDamaged("its bytes run past the end of the archive", offset=frame.start)
            start = frame.start + len(fetched)
            stored = memoryview(fetched + (yield from span(of, start, start + missing)))
        stored = stored[lead:]
    try:
        if frame.codec is Codec.DEFLATE_AT:
            return decode_at(context, frame.bit, stored[: frame.stored_bytes], upto)
        return decode(frame.codec, stored[: frame.stored_bytes], upto)
    except (MemberDamaged, MemberUnreadable) as error:
        raise type(error)(error.message, hint=error.hint, offset=frame.start) from error


def behind_lead(of: Identity, frame: Frame, first: Span) -> Steps[tuple[int, bytes]]:
    """Fetch the zip local header of a frame together with the bytes `first` behind it, where they are guessed to lie.

    Returns:
        Where the stored bytes of the frame begin, and those of them that `first` names.

    Cost:
        One dependent step; a second one if the guess was wrong by more than `ZIP_LOCAL_SLACK_BYTES`.
    """
    guess = frame.start + frame.lead_bytes
    header = Span(frame.start, min(frame.start + ZIP_LOCAL_HEADER_BYTES, of.size))
    around = Span(
        min(max(guess + first.start - ZIP_LOCAL_SLACK_BYTES, frame.start), of.size),
        min(guess + first.stop + ZIP_LOCAL_SLACK_BYTES, of.size),
    )
    told, near = yield from spans(of, header, around)
    data_start = frame.start + _zip_lead(frame, told)
    if data_start + frame.stored_bytes > of.size:
        raise MemberDamaged("its bytes run past the end of the archive", offset=frame.start)
    start, stop = data_start + first.start, data_start + first.stop
    if around.start <= start and stop <= around.stop:
        return data_start, near[start - around.start : stop - around.start]
    return data_start, (yield from span(of, start, stop))


def _zip_lead(frame: Frame, header: bytes) -> int:
    """The true length of the zip local header that `header` begins with."""
    if len(header) < ZIP_LOCAL_HEADER_BYTES or not header.startswith(ZIP_LOCAL_HEADER):
        raise MemberDamaged("there is no zip local header where the directory says", offset=frame.start)
    return ZIP_LOCAL_HEADER_BYTES + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")

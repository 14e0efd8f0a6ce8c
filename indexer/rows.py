"""Rows: members as plain tuples, the form in which a build sorts, spills and writes them.

A named tuple costs 0.2 us to make and cannot be marshalled; a member takes three. A build of a billion members makes none of them
twice: `row` takes a scanner's member apart once, and the sorter and the index writer work on what it gives.
"""

from __future__ import annotations

from typing import Any, Final

from indexer.model import DEFAULT_ATTRIBUTES, NO_CONTEXT, Attributes, Codec, Extent, Frame, Member, Span

Row = tuple[Any, ...]
"""`(name, size, mtime_s, lying, crc32, etag, attributes, unreadable)`.

As in `Member`, but attributes are a plain tuple, or None for the default ones, and `lying` tells the extents:

- nothing: `()`;
- one extent that is all of the member, in a frame without context, as nearly all members have:
  `(start, stored_bytes, raw_bytes, codec, lead_bytes, offset)`;
- else a list of `(frame, offset, length)`, a frame being the tuple of `frame_row`, or None for zeros.
"""

FrameRow = tuple[int, int, int, int, int, int, int, int]
"""`(start, stored_bytes, raw_bytes, codec, lead_bytes, context start, context stop, bit)`."""

LYING: Final = 3
"""Place of the extents in a row."""


def row(member: Member) -> Row:
    """Take a member apart."""
    name, size, mtime_s, extents, crc32, etag, attributes, unreadable = member
    told = None if attributes is DEFAULT_ATTRIBUTES or attributes == DEFAULT_ATTRIBUTES else tuple(attributes)
    if len(extents) == 1:
        ((frame, offset, length),) = extents
        if frame is not None and length == size and frame.context is NO_CONTEXT and not frame.bit:
            start, stored_bytes, raw_bytes, codec, lead_bytes, _, _ = frame
            flat = (start, stored_bytes, raw_bytes, codec + 0, lead_bytes, offset)  # a plain number: marshal refuses an enum
            return name, size, mtime_s, flat, crc32, etag, told, unreadable
    lying = [(None if frame is None else frame_row(frame), offset, length) for frame, offset, length in extents] or ()
    return name, size, mtime_s, lying, crc32, etag, told, unreadable


def frame_row(frame: Frame) -> FrameRow:
    """Take a frame apart."""
    start, stored_bytes, raw_bytes, codec, lead_bytes, context, bit = frame
    return start, stored_bytes, raw_bytes, int(codec), lead_bytes, context.start, context.stop, bit


def member_of(told: Row) -> Member:
    """Put a member together again; `row(member_of(told)) == told`."""
    name, size, mtime_s, lying, crc32, etag, attributes, unreadable = told
    if isinstance(lying, tuple):
        extents: tuple[Extent, ...] = ()
        if lying:
            start, stored_bytes, raw_bytes, codec, lead_bytes, offset = lying
            extents = (Extent(Frame(start, stored_bytes, raw_bytes, Codec(codec), lead_bytes), offset, size),)
    else:
        extents = tuple(Extent(None if frame is None else _frame_of(frame), offset, length) for frame, offset, length in lying)
    kept = DEFAULT_ATTRIBUTES if attributes is None else Attributes(*attributes)
    return Member(name, size, mtime_s, extents, crc32, etag, kept, unreadable)


def _frame_of(told: FrameRow) -> Frame:
    start, stored_bytes, raw_bytes, codec, lead_bytes, context_start, context_stop, bit = told
    context = Span(context_start, context_stop)
    return Frame(start, stored_bytes, raw_bytes, Codec(codec), lead_bytes, context if context.length else NO_CONTEXT, bit)

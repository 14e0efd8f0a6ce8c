"""A compressed file as an archive of one member, named like the file without its suffix. The same for every kind of compression."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

from indexer.asks import Steps, head, spans
from indexer.errors import ArchiveDamaged, ArchiveUnsupported
from indexer.gzipstream import Framed
from indexer.limits import DECODED_FRAME_BYTES, MEMBER_EXTENTS, MTIME_S_MOST
from indexer.model import Extent, Frame, Identity, Member, Span
from indexer.names import NameFault, clean
from indexer.scan import Keep, Scan, ScanSummary, in_turn


class FrameStream(Protocol):
    """Reads a compressed file and tells its frames.

    Attributes:
        largest_frame: Decoded length of the largest frame so far.
    """

    @property
    def largest_frame(self) -> int:
        """See the class."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes | Frame | Framed]:
        """Take the next stored bytes; yields decoded pieces, and frames whose decoded lengths add up to them."""
        ...

    def finish(self) -> None:
        """Say that the file ended."""
        ...


def scan_single(
    of: Identity, summary: ScanSummary, stream: FrameStream, suffixes: tuple[str, ...], mtime_s: Callable[[], int]
) -> Scan:
    """Read a compressed file.

    Args:
        of: The file.
        summary: Takes what is found beside the member.
        stream: Reads it.
        suffixes: The ends of names that the member's name lacks.
        mtime_s: Once the file was read, the time that it tells for what is in it; 0 when it tells none: then it is the file's own.

    Costs one dependent step for each `REQUEST_BYTES`, the next named ahead, and a head when the file tells no time. Memory: one
    request, one piece, and the extents.

    Raises:
        ArchiveUnsupported: No member can bear its name.
        ArchiveDamaged, LimitExceeded: As `stream`.
    """
    if not of.size:
        raise ArchiveDamaged("the file is empty", archive=of.url, offset=0)
    extents: list[Extent] = []
    crc32 = size = frames = 0
    for piece, ahead in in_turn(Span(0, of.size)):
        (data,) = yield from spans(of, piece, ahead=ahead)
        for told in stream.feed(data):
            if isinstance(told, bytes):
                crc32 = zlib.crc32(told, crc32)
                size += len(told)
                continue
            frame = told.frame if isinstance(told, Framed) else told
            if isinstance(told, Framed) and told.context:
                frame = frame._replace(context=(yield Keep(told.context)))
            frames += 1
            if frames <= MEMBER_EXTENTS:
                extents.append(Extent(frame, 0, frame.raw_bytes))
    stream.finish()
    when_s = mtime_s() or (yield from _modified(of))
    unreadable = f"too many frames: {frames}, the limit is {MEMBER_EXTENTS}" if frames > MEMBER_EXTENTS else None
    summary.entries = 1
    summary.facts.update(
        largest_frame_bytes=stream.largest_frame, single_frame=frames == 1 and stream.largest_frame > DECODED_FRAME_BYTES
    )
    lying = () if unreadable else tuple(extents)
    yield [Member(_name(of, suffixes), size, min(when_s, MTIME_S_MOST), lying, crc32, unreadable=unreadable)]
    return summary


def _modified(of: Identity) -> Steps[int]:
    return (yield from head(of.url)).mtime_s


def _name(of: Identity, suffixes: tuple[str, ...]) -> bytes:
    """The file's name without its suffix. The name that a gzip header tells is its author's, and may lead anywhere."""
    called = of.url.rpartition("/")[2]  # a canonical URL is spelled as the key is
    suffix = max((suffix for suffix in suffixes if called.lower().endswith(suffix)), key=len, default="")
    cleaned = clean((called[: len(called) - len(suffix)] or called).encode())
    if isinstance(cleaned, NameFault):
        raise ArchiveUnsupported(
            f"no member can be called like this file ({cleaned.value})", hint="Give the file another name", archive=of.url
        )
    return cleaned

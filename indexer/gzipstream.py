"""A gzip file read as a stream: fed stored bytes in any cut, it tells the decoded bytes and the frames that they can be read by.

A small gzip member is a frame as it is: so are those of `bgzip`, and those we write. A long one is cut at checkpoints: its first
frame decodes as the member's beginning, each further one from the place between two blocks that it begins at, with what was decoded
before as its context. Checksums and lengths of all members are verified (RFC 1952 2.3.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from indexer import checkpoints
from indexer.checkpoints import Checkpoint
from indexer.errors import ArchiveDamaged
from indexer.expansion import check_expansion
from indexer.limits import (
    CHECKPOINT_RAW_BYTES,
    CHECKPOINT_STORED_BYTES,
    DECODE_PIECE_BYTES,
    GZIP_STRETCH_RAW_BYTES,
    GZIP_STRETCH_STORED_BYTES,
)
from indexer.model import Codec, Frame, Identity

GZIP_WINDOW_BITS: Final = 31
"""As zlib takes it: a gzip member, header and trailer verified."""

FED_BYTES: Final = 16 * 1024
"""Stored bytes given to zlib at once: it hands back, as a copy, what it could not decode yet; and they decode to 16 MiB at most."""

MTIME: Final = slice(4, 8)
"""Where a gzip header tells the time of its file (RFC 1952 2.3)."""


class Framed(NamedTuple):
    """A frame, and the context that its decoding begins with; empty where it needs none."""

    frame: Frame
    context: bytes


class GzipStream:
    """Decodes gzip members one after another and tells frames for all of their bytes. Memory: a stretch of a member, its windows.

    Args:
        of: The file, for errors and bounds.

    Attributes:
        members: Gzip members read so far that hold bytes.
        checkpoints: Places in the middle of members where a frame begins.
        raw_bytes: Decoded so far.
        largest_frame: Decoded length of the largest frame.
        mtime_s: The time that the first member tells, 0 when it tells none.
    """

    def __init__(self, of: Identity) -> None:
        self.members = 0
        self.checkpoints = 0
        self.raw_bytes = 0
        self.largest_frame = 0
        self.mtime_s = 0
        self._of = of
        self._at = 0
        self._inflate: Any = None
        self._member = _Member(0)

    def feed(self, data: bytes) -> Iterator[bytes | Framed]:
        """Take the next stored bytes.

        Yields:
            Decoded pieces of at most `DECODE_PIECE_BYTES`, and frames; their decoded lengths, one after another, add up to what
            was decoded, and each frame is told as soon as it is known where it ends.

        Raises:
            ArchiveDamaged: A member does not decode, its checksum is wrong, or something else follows it.
            LimitExceeded: It is a bomb.
        """
        view = memoryview(data)
        at = 0
        while at < len(view):
            if self._inflate is None:
                skipped = _zeros(data, at) if self._at else 0
                self._at += skipped
                at += skipped
                if at < len(view):
                    self._inflate = zlib.decompressobj(GZIP_WINDOW_BITS)
                    self._member = _Member(self._at)
                continue
            fed = view[at : at + FED_BYTES]
            yield from self._decoded(fed)
            taken = len(fed) - len(self._inflate.unused_data)
            at += taken
            self._at += taken
            self._member.held += fed[:taken]
            yield from self._framed()

    def finish(self) -> None:
        """Say that the file ended.

        Raises:
            ArchiveDamaged: It ended inside a member, or has none.
        """
        if self._inflate is not None or not self._at:
            raise self._damaged("the archive ends inside a gzip member: it was cut short")

    def _decoded(self, fed: memoryview) -> Iterator[bytes]:
        """Decode what was fed, as far as the present member reaches."""
        rest: bytes | memoryview = fed
        while True:
            try:
                piece = self._inflate.decompress(rest, DECODE_PIECE_BYTES)
            except zlib.error as error:
                raise self._damaged(f"a gzip member does not decode ({error})") from None
            self.raw_bytes += len(piece)
            self._member.stretch_raw_bytes += len(piece)
            check_expansion(self._of, self.raw_bytes, self._at + len(fed))
            if piece:
                yield piece
            rest = self._inflate.unconsumed_tail
            if self._inflate.eof or (not rest and len(piece) < DECODE_PIECE_BYTES):
                return

    def _framed(self) -> Iterator[Framed]:
        """Tell the frames that are known by now."""
        member = self._member
        if not member.start and member.whole:
            self.mtime_s = int.from_bytes(member.held[MTIME], "little")
        ended = self._inflate.eof
        try:
            told = list(member.end() if ended else member.stretched())
        except ValueError as error:
            raise self._damaged(f"a gzip member decodes, but {error}") from None
        if ended:
            self._inflate = None
            self.members += bool(told)
        for each in told:
            self.largest_frame = max(self.largest_frame, each.frame.raw_bytes)
            self.checkpoints += each.frame.codec is Codec.DEFLATE_AT
        yield from told

    def _damaged(self, why: str) -> ArchiveDamaged:
        return ArchiveDamaged(why, archive=self._of.url, offset=self._member.start if self._inflate is not None else self._at)


class _Member:
    """A gzip member that is cut into frames while it goes by.

    The present frame begins at `_first` and grows from one candidate to the next until it would become too long; then it ends at
    the candidate before, where the next one begins. Of the stored bytes only those behind the last candidate are held.

    Args:
        start: Where the member lies in the file.

    Attributes:
        start: The same.
        held: Its stored bytes from the last candidate on.
        stretch_raw_bytes: What they decode to.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self.held = bytearray()
        self.stretch_raw_bytes = 0
        # Offsets of checkpoints are those in the file; decoded ones count from the member's first byte.
        self._first = self._candidate = Checkpoint(start, 0, 0, b"")
        self._blocks_too_long = False
        self._passed_bytes = 0  # stored bytes behind the last candidate that are not held any more

    @property
    def whole(self) -> bool:
        """Whether all of its bytes so far are held."""
        return self._candidate.stored == self.start and not self._blocks_too_long

    def stretched(self) -> Iterator[Framed]:
        """Tell the frames that end in the bytes so far, once these are enough to be searched."""
        if self._blocks_too_long:
            self._passed_bytes += len(self.held)
            self.held.clear()
        elif len(self.held) >= GZIP_STRETCH_STORED_BYTES or self.stretch_raw_bytes >= GZIP_STRETCH_RAW_BYTES:
            before = self._candidate
            yield from self._search()
            if self._candidate is before:
                yield from self._split()
                self._blocks_too_long = True

    def end(self) -> Iterator[Framed]:
        """Tell the frames that are left, when the bytes so far are all there are."""
        stored, raw = self._end()
        if not self._blocks_too_long and self._too_long(stored, raw):
            yield from self._search()
            if self._too_long(stored, raw):
                yield from self._split()
        if raw > self._first.raw:
            yield self._framed(stored, raw)

    def _end(self) -> tuple[int, int]:
        """Where the bytes so far end, stored and decoded."""
        return self._candidate.stored + self._passed_bytes + len(self.held), self._candidate.raw + self.stretch_raw_bytes

    def _too_long(self, stored: int, raw: int) -> bool:
        """Whether the present frame is too long if it reaches so far."""
        return stored - self._first.stored > CHECKPOINT_STORED_BYTES or raw - self._first.raw > CHECKPOINT_RAW_BYTES

    def _search(self) -> Iterator[Framed]:
        """Find the candidates among the bytes held, and tell the frames that end at one of them."""
        begin = self._candidate
        for found in checkpoints.find(bytes(self.held), begin if begin.raw else None):
            candidate = found._replace(stored=begin.stored + found.stored, raw=begin.raw + found.raw)
            if self._too_long(candidate.stored, candidate.raw):
                yield from self._split()
            self._take(candidate)

    def _take(self, candidate: Checkpoint) -> None:
        """Let the present frame grow to a candidate."""
        del self.held[: candidate.stored - self._candidate.stored]
        self.stretch_raw_bytes -= candidate.raw - self._candidate.raw
        self._candidate = candidate

    def _split(self) -> Iterator[Framed]:
        """End the present frame at the last candidate, if there is one behind its beginning, and begin the next one there."""
        if self._candidate is not self._first:
            yield self._framed(self._candidate.stored + bool(self._candidate.bit), self._candidate.raw)
            self._candidate = self._candidate._replace(window=checkpoints.needed(self._candidate, bytes(self.held)))
            self._first = self._candidate

    def _framed(self, stored: int, raw: int) -> Framed:
        """The present frame, if it ends there."""
        first = self._first
        codec = Codec.DEFLATE_AT if first.raw else Codec.GZIP
        return Framed(Frame(first.stored, stored - first.stored, raw - first.raw, codec, bit=first.bit), first.window)


def _zeros(data: bytes, at: int) -> int:
    """How many zero bytes `data` has from `at`: padding behind a member, as tapes and some writers have it."""
    rest = data[at:]
    return len(rest) - len(rest.lstrip(b"\0"))

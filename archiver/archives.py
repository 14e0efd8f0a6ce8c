"""The members of another archive as sources: read in the order in which they lie, so that each frame is decoded once."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cachetools import LRUCache

from archiver.draft import Draft
from archiver.readahead import STRETCHES_AHEAD, ReadAhead
from archiver.reindex import indexed
from archiver.sources import Chosen, Fetched
from indexer import plan
from indexer.build import build_index
from indexer.codecs import decoder
from indexer.drivers import run, stream
from indexer.errors import MemberDamaged, ObjectMissing, ObjectReplaced, SourceChanged
from indexer.indexfile.reader import open_index
from indexer.limits import WHOLE_FRAME_BYTES, ZERO_PIECE_BYTES
from indexer.model import Codec, Frame, Identity, Member, Span
from indexer.rows import member_of, row
from indexer.scan import in_turn
from indexer.source import Source
from indexer.urls import index_url

WINDOW_MEMBERS: Final = 4096


class ArchiveReader:
    """Reads the members of one archive as sources; a `Reader`.

    Args:
        url: The archive. The index beside it is used if it is of this version; else one is made, and thrown away afterwards.
        source: Where both are read.
        draft: Takes the index that is made.

    Raises:
        ObjectMissing, ArchiveUnsupported, ArchiveDamaged: There is no such archive, or it cannot be indexed.
    """

    requests = 1
    """One after another: members come in the order in which they lie, and stretches ahead are fetched all the same."""

    def __init__(self, url: str, source: Source, draft: Draft) -> None:
        self._executor = ThreadPoolExecutor(STRETCHES_AHEAD + 1, thread_name_prefix="bindery-source")
        self._source = source
        self._ahead = ReadAhead(source, self._executor)
        place = index_url(url)
        if not indexed(url, place, source):
            build_index(url, self._ahead, draft.write, scratch=draft.folder)
            place = draft.url
        self.index = run(open_index(place, pages=LRUCache(2)), source)
        self.archive = self.index.archive(url)
        self._frames: LRUCache[tuple[str, int], bytes] = LRUCache(2)
        self._run = _Run(self.archive, self._ahead)
        self._pieces: Iterator[bytes] = iter(())
        self._held = bytearray()

    def close(self) -> None:
        """End the threads that fetch ahead."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def members(self) -> Iterator[Chosen]:
        """All members in the order of their names."""
        start = b""
        while window := run(self.index.window(start, WINDOW_MEMBERS), self._source):
            for member in window:
                url = f"{self.archive.url}#{member.key}"
                yield Chosen(member.name, url, member.size, self.archive.etag, member.mtime_s, row(member))
            start = window[-1].name + b"\0"

    @staticmethod
    def etag(chosen: Chosen) -> str | None:
        """As `Reader.etag`: what the archive tells; the MD5 of the bytes where it tells none."""
        return _member(chosen).etag

    def read(self, chosen: Chosen, start: int, stop: int) -> Fetched:
        """As `Reader.read`; the pieces of a member come in order, because there is one request at a time.

        Raises:
            MemberDamaged: Its bytes do not decode, or do not match its checksum.
        """
        member = _member(chosen)
        try:
            if start == 0:
                self._pieces = self._body(member)
                self._held = bytearray()
            for piece in self._pieces:
                self._held += piece
                if len(self._held) >= stop - start and stop < chosen.size:
                    break
        except (ObjectReplaced, ObjectMissing) as error:
            raise SourceChanged("the archive was replaced meanwhile", hint="Try again", source=self.archive.url) from error
        data = bytes(self._held[: stop - start])
        del self._held[: stop - start]
        if len(data) != stop - start:
            raise MemberDamaged("it has fewer bytes than its archive says", archive=self.archive.url, member=member.key)
        return Fetched(data, member.attributes, member.mtime_s)

    def _body(self, member: Member) -> Iterator[bytes]:
        """A member's bytes, checked at their end."""
        if any(frame is not None and _is_shared(frame, length) for frame, _, length in member.extents):
            return self._run.read(member)
        return stream(plan.read(self.archive, member, 0, member.size, index=self.index.identity, frames=self._frames), self._ahead)


def _member(chosen: Chosen) -> Member:
    assert chosen.lies is not None  # noqa: S101 - `members` made it
    return member_of(chosen.lies)


def _is_shared(frame: Frame, length: int) -> bool:
    """Whether members are pieces of a frame so large that it must not be decoded from its start for each."""
    return frame.raw_bytes > WHOLE_FRAME_BYTES and length < frame.raw_bytes and _is_plain(frame)


def _is_plain(frame: Frame) -> bool:
    """Whether a frame is decoded from its own bytes alone, from the first."""
    return not frame.lead_bytes and frame.codec not in (Codec.STORED, Codec.DEFLATE_AT)


class _Run:
    """Decodes large frames once, as long as what is wanted of them comes in order.

    Args:
        archive: The archive.
        source: Where it is read.
    """

    def __init__(self, archive: Identity, source: Source) -> None:
        self._archive = archive
        self._source = source
        self._frame: Frame | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._at = 0
        self._held = b""

    def read(self, member: Member) -> Iterator[bytes]:
        """A member's bytes; the checksum is known before the last ones go out.

        Raises:
            MemberDamaged: They do not decode, or do not match the checksum.
        """
        facts = {"archive": self._archive.url, "member": member.key}
        checksum, held = 0, b""
        try:
            for frame, offset, length in member.extents:
                for piece in self._extent(frame, offset, length):
                    checksum = zlib.crc32(piece, checksum)
                    if held:
                        yield held
                    held = piece
        except MemberDamaged as error:
            raise MemberDamaged(error.message, hint=error.hint, **{**facts, **error.facts}) from error
        if member.crc32 is not None and checksum != member.crc32:
            raise MemberDamaged(f"its bytes have the checksum {checksum:08x}, it was stored with {member.crc32:08x}", **facts)
        yield held

    def _extent(self, frame: Frame | None, offset: int, length: int) -> Iterator[bytes]:
        if frame is None:
            for at in range(0, length, ZERO_PIECE_BYTES):
                yield bytes(min(ZERO_PIECE_BYTES, length - at))
            return
        if frame != self._frame or offset < self._at:
            self._frame, self._at, self._held = frame, 0, b""
            self._pieces = self._decoded(frame)
        while length:
            if not self._held:
                self._held = next(self._pieces, b"")
                if not self._held:
                    raise MemberDamaged("its frame ends too early", offset=frame.start)
            passed = min(max(offset - self._at, 0), len(self._held))
            taken = self._held[passed : passed + length] if offset <= self._at + passed else b""
            self._held = self._held[passed + len(taken) :]
            self._at += passed + len(taken)
            if taken:
                offset += len(taken)
                length -= len(taken)
                yield taken

    def _decoded(self, frame: Frame) -> Iterator[bytes]:
        unpack = decoder(frame.codec)
        for span, _ in in_turn(Span(frame.start, frame.start + frame.stored_bytes)):
            yield from unpack.feed(self._source.read(self._archive, (span,))[0])


def place_of(chosen: Chosen) -> tuple[int, int]:
    """Where a member begins: its first frame, and where in that."""
    extents = _member(chosen).extents
    return next(((frame.start, offset) for frame, offset, _ in extents if frame is not None), (0, 0))


def unreadable(chosen: Chosen) -> str | None:
    """Why a member cannot be read; a `Fault`."""
    reason = _member(chosen).unreadable
    return None if reason is None else f"cannot be read: {reason}"

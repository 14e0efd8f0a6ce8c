"""Reads every member back through the index and compares it with what was fetched: nothing counts that was not read back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from cachetools import LRUCache

from archiver.ordering import sorted_rows
from archiver.progress import Phase, Progress, Tally
from archiver.readahead import ReadAhead
from archiver.scratch import Rows
from archiver.writing import Keeps
from indexer import plan
from indexer.drivers import run, stream
from indexer.errors import BinderyError, MemberDamaged, MemberUnreadable, VerifyFailed
from indexer.indexfile.reader import Index, open_index
from indexer.model import DEFAULT_ATTRIBUTES, Identity, Member
from indexer.rows import Row, member_of, row
from indexer.source import Source

WINDOW_MEMBERS: Final = 1024


class Receipt(NamedTuple):
    """What was fetched of one source.

    Attributes:
        name: The member's name.
        size: Bytes.
        crc32: Their CRC-32.
        etag: The ETag it is to have.
        mtime_s: Last-Modified.
        attributes: As the plain values of `Attributes`.
    """

    name: bytes
    size: int
    crc32: int
    etag: str
    mtime_s: int
    attributes: tuple[Any, ...]


def verify(
    archive: Identity,
    index_url: str,
    receipts: Iterable[Receipt],
    *,
    keeps: Keeps,
    scratch: Path,
    source: Source,
    executor: Executor,
    progress: Progress,
) -> Index:
    """Compare an archive with the receipts of its sources, through its index.

    Args:
        archive: What was published.
        index_url: Its index, perhaps not yet where it belongs.
        receipts: Of all sources, in the byte order of names.
        keeps: What the format keeps of them; the rest is not compared.
        scratch: Folder for what is known of members that do not lie in the order of their names.
        source: Where archive and index are read.
        executor: Reads ahead.
        progress: Is told of the members read.

    Returns:
        The index, which is now known to be right.

    Raises:
        VerifyFailed: A member is missing, too many, other than it was fetched, or cannot be read.
        ObjectReplaced, StoreFailed: The archive could not be read.

    Cost:
        All of the archive once, in requests of 8 MiB, and a second time what does not lie in the order of names; memory flat.
    """
    index = run(open_index(index_url, pages=LRUCache(2)), source)
    if index.archive(archive.url) != archive:
        raise _failed("its index is of another version", archive)
    reader = _Reader(archive, index, ReadAhead(source, executor), Tally(progress, Phase.VERIFY, index.members, index.bytes))
    count = 0
    with closing(Rows(scratch, _Place._make)) as later:
        reached = _Place(0, 0, b"", ())
        members = _members(index, source)
        for receipt in receipts:
            member = next(members, None)
            if member is None:
                raise _failed(f"it has {count} members, more sources were packed", archive, receipt.name)
            _compare(receipt, member, keeps, archive)
            count += 1
            # What lies before the member read last waits, so that the archive is read in stretches and not here and there.
            place = _Place.of(member._replace(crc32=receipt.crc32))
            if place < reached:
                later.add(place)
            else:
                reached = place
                reader.read(place)
        if next(members, None) is not None or count != index.members:
            raise _failed(f"it has {index.members} members, {count} sources were packed", archive)
        for row in sorted_rows(map(tuple, later), scratch):
            reader.read(_Place._make(row))
    reader.tally.tell()
    return index


class _Place(NamedTuple):
    """A member, and where it begins; places compare as they lie.

    Attributes:
        start: Where its first frame lies.
        offset: Where in the decoded frame it begins.
        name: Its name: no two are equal.
        row: The member as a row.
    """

    start: int
    offset: int
    name: bytes
    row: Row

    @classmethod
    def of(cls, member: Member) -> Self:
        """The place of a member."""
        start, offset = next(((frame.start, offset) for frame, offset, _ in member.extents if frame is not None), (0, 0))
        return cls(start, offset, member.name, row(member))


def _members(index: Index, source: Source) -> Iterator[Member]:
    """All members in the order of their names."""
    start = b""
    while members := run(index.window(start, WINDOW_MEMBERS), source):
        yield from members
        start = members[-1].name + b"\0"


def _compare(receipt: Receipt, member: Member, keeps: Keeps, archive: Identity) -> None:
    """Compare everything but the bytes."""
    sent = receipt
    if not keeps.etag:
        sent = sent._replace(etag="")
    if not keeps.attributes:
        sent = sent._replace(attributes=tuple(DEFAULT_ATTRIBUTES))
    crc32 = receipt.crc32 if member.crc32 is None else member.crc32  # if the archive tells none, the bytes decide alone
    told = Receipt(member.name, member.size, crc32, member.etag or "", member.mtime_s, tuple(member.attributes))
    if told != sent:
        pairs = zip(Receipt._fields, sent, told, strict=True)
        wrong = "; ".join(f"{field} is {there!r}, not {was!r}" for field, was, there in pairs if was != there)
        raise _failed(f"a member is not as it was packed: {wrong}", archive, receipt.name)


class _Reader:
    """Reads members' bytes; the plan checks them against the CRC-32 of what was fetched."""

    def __init__(self, archive: Identity, index: Index, source: Source, tally: Tally) -> None:
        self.tally = tally
        self._archive, self._index, self._source = archive, index.identity, source
        self._frames: LRUCache[tuple[str, int], bytes] = LRUCache(2)

    def read(self, place: _Place) -> None:
        """Read one member."""
        member = member_of(place.row)
        length = 0
        body = plan.read(self._archive, member, 0, member.size, index=self._index, frames=self._frames)
        try:
            for piece in stream(body, self._source):
                length += len(piece)
        except (MemberDamaged, MemberUnreadable) as error:
            raise _failed(f"a member cannot be read back: {error.message}", self._archive, member.name) from error
        if length != member.size:
            raise _failed(f"a member came back with {length} of {member.size} bytes", self._archive, member.name)
        self.tally.add(1, length)


def _failed(problem: str, archive: Identity, member: bytes | None = None) -> BinderyError:
    facts = {} if member is None else {"member": member.decode(errors="backslashreplace")}
    return VerifyFailed(f"the archive was read back and {problem}", hint="Pack again", archive=archive.url, **facts)

"""Reads every member back through the index and compares it with what was fetched: nothing counts that was not read back."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any, Final, NamedTuple

from cachetools import LRUCache

from archiver.progress import Phase, Progress, Tally
from archiver.readahead import ReadAhead
from archiver.scratch import Rows
from archiver.writing import Keeps
from indexer import plan
from indexer.drivers import run, stream
from indexer.errors import BinderyError, MemberDamaged, MemberUnreadable, VerifyFailed
from indexer.indexfile.reader import Index, open_index
from indexer.model import DEFAULT_ATTRIBUTES, Identity, Member
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
    receipts: Rows[Receipt],
    *,
    keeps: Keeps,
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
        source: Where archive and index are read.
        executor: Reads ahead.
        progress: Is told of the members read.

    Returns:
        The index, which is now known to be right.

    Raises:
        VerifyFailed: A member is missing, too many, other than it was fetched, or cannot be read.
        ObjectReplaced, StoreFailed: The archive could not be read.

    Cost:
        All of the archive once, in requests of 8 MiB; memory flat.
    """
    index = run(open_index(index_url, pages=LRUCache(2)), source)
    if index.archive(archive.url) != archive:
        raise _failed("its index is of another version", archive)
    if index.members != receipts.count:
        raise _failed(f"it has {index.members} members, {receipts.count} sources were packed", archive)
    ahead = ReadAhead(source, executor)
    frames: plan.FrameCache = LRUCache(2)
    count = 0
    tally = Tally(progress, Phase.VERIFY, index.members, index.bytes)
    for receipt, member in zip(receipts, _members(index, source), strict=False):
        _compare(receipt, member, keeps, archive)
        _read(archive, index, member._replace(crc32=receipt.crc32), ahead, frames)
        count += 1
        tally.add(1, member.size)
    tally.tell()
    if count != receipts.count:
        raise _failed(f"its index lists {count} members, {receipts.count} sources were packed", archive)
    return index


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


def _read(archive: Identity, index: Index, member: Member, source: Source, frames: plan.FrameCache) -> None:
    """Read a member's bytes; the plan checks them against the CRC-32 of what was fetched."""
    length = 0
    try:
        for piece in stream(plan.read(archive, member, 0, member.size, index=index.identity, frames=frames), source):
            length += len(piece)
    except (MemberDamaged, MemberUnreadable) as error:
        raise _failed(f"a member cannot be read back: {error.message}", archive, member.name) from error
    if length != member.size:
        raise _failed(f"a member came back with {length} of {member.size} bytes", archive, member.name)


def _failed(problem: str, archive: Identity, member: bytes | None = None) -> BinderyError:
    facts = {} if member is None else {"member": member.decode(errors="backslashreplace")}
    return VerifyFailed(f"the archive was read back and {problem}", hint="Pack again", archive=archive.url, **facts)

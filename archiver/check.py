"""Reads every member of an archive through its index and says what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from cachetools import LRUCache

from archiver.readahead import STRETCHES_AHEAD, ReadAhead
from indexer import plan
from indexer.drivers import run, stream
from indexer.errors import MemberDamaged, MemberUnreadable
from indexer.indexfile.details import HEX, MD5_DIGITS
from indexer.indexfile.reader import Index, open_index
from indexer.model import Identity, Member
from indexer.source import Source

WINDOW_MEMBERS: Final = 65_536
"""Members read in the order in which they lie, between windows in the order of names: about 50 MB. In a stranger's archive a window
may reach over all of its frames, so that each is decoded once for every window."""
EXAMPLES: Final = 20
FRAMES_KEPT: Final = 4


@dataclass(slots=True)
class CheckReport:
    """What a check found.

    Args:
        members: Members in the index.
        bytes: Bytes that were read and are right.
        checked: Members whose bytes were compared with a checksum.
        unreadable: Members that the index says cannot be read.
        damaged: Members whose bytes are not what they were.
        faults: Up to `EXAMPLES` of those, each with what is wrong.
    """

    members: int = 0
    bytes: int = 0
    checked: int = 0
    unreadable: int = 0
    damaged: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Whether every member could be read and none differs."""
        return not self.unreadable and not self.damaged


def check(archive_url: str, index_url: str, source: Source, progress: Callable[[int, Index], object] | None = None) -> CheckReport:
    """Read every member of an archive.

    Args:
        archive_url: The archive.
        index_url: Its index.
        source: Where both are read.
        progress: Told how many members were read, and of which index, now and then.

    Returns:
        What is wrong, if anything; a member that is damaged does not end the check.

    Raises:
        IndexMissing, IndexDamaged: Nothing can be checked.
        ObjectReplaced: The archive is not the one the index describes.
        StoreFailed: The archive could not be read.

    Cost:
        All of the archive once, in requests of 8 MiB where members of neighbouring names lie together.
    """
    index = run(open_index(index_url, pages=LRUCache(8)), source)
    archive = index.archive(archive_url)
    report = CheckReport()
    frames: plan.FrameCache = LRUCache(FRAMES_KEPT)
    with ThreadPoolExecutor(STRETCHES_AHEAD + 1, thread_name_prefix="bindery-read") as executor:
        for window in _windows(index, source):
            reader = ReadAhead(source, executor) if _lies_together(window) else source
            for member in window:
                _check(member, index, archive, reader, frames, report=report)
            if progress is not None:
                progress(report.members, index)
    return report


def _windows(index: Index, source: Source) -> Iterator[list[Member]]:
    """All members, a window of them at a time, each in the order in which they lie in the archive."""
    start = b""
    while members := run(index.window(start, WINDOW_MEMBERS), source):
        start = members[-1].name + b"\0"
        yield sorted(members, key=_start)


def _start(member: Member) -> int:
    return next((frame.start for frame, _, _ in member.extents if frame is not None), 0)


def _lies_together(window: list[Member]) -> bool:
    """Whether reading from the first member of a window to its last is worth while: at least a quarter of it is wanted."""
    frames = {frame for member in window for frame, _, _ in member.extents if frame is not None}
    if not frames:
        return False
    first = min(frame.start for frame in frames)
    last = max(frame.start + frame.stored_bytes for frame in frames)
    return last - first <= 4 * sum(frame.stored_bytes + frame.lead_bytes for frame in frames)


def _check(
    member: Member, index: Index, archive: Identity, source: Source, frames: plan.FrameCache, *, report: CheckReport
) -> None:
    report.members += 1
    if member.unreadable is not None:
        report.unreadable += 1
        _tell(report, member, member.unreadable)
        return
    md5 = hashlib.md5(usedforsecurity=False) if _is_md5(member.etag) else None
    try:
        for piece in stream(plan.read(archive, member, 0, member.size, index=index.identity, frames=frames), source):
            report.bytes += len(piece)
            if md5 is not None:
                md5.update(piece)
    except (MemberDamaged, MemberUnreadable) as error:
        report.damaged += 1
        _tell(report, member, error.message)
        return
    if md5 is not None and member.crc32 is None and md5.hexdigest() != member.etag:
        # An ETag of this form is the MD5 of the bytes unless the object was encrypted; a checksum, where there is one, decides.
        report.damaged += 1
        _tell(report, member, f"its bytes have the MD5 {md5.hexdigest()}, its ETag is {member.etag}")
        return
    report.checked += int(member.crc32 is not None or md5 is not None)


def _is_md5(etag: str | None) -> bool:
    return etag is not None and len(etag) == MD5_DIGITS and HEX.issuperset(etag)


def _tell(report: CheckReport, member: Member, fault: str) -> None:
    if len(report.faults) < EXAMPLES:
        report.faults.append(f"{member.key}: {fault}")

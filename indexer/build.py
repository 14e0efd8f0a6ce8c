"""Builds the index of an archive from the archive's bytes: scan, sort, write."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.asks import Ask
from indexer.contexts import ContextSpool
from indexer.drivers import answer
from indexer.errors import BinderyError
from indexer.formats import scanner_for
from indexer.indexfile.writer import ArchiveFacts, write_rows
from indexer.limits import MEMBER_EXTENTS
from indexer.model import Identity, Member
from indexer.rows import Row, row
from indexer.scan import Keep, Scan, ScanSummary
from indexer.sorting import RowSorter
from indexer.source import Source


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What an index was built of.

    Args:
        archive: The archive, in the version that was scanned.
        kind: Its kind.
        members: Members in the index.
        bytes: Their bytes in all.
        stored_bytes: Length of the archive.
        frames: Frames they lie in.
        unreadable: Members that are listed but cannot be read.
        duplicates: Members left out because a later one has the same name.
        left_out: Names refused, by fault.
        examples: Some of the names refused or met twice, each with its fault.
        index_bytes: Length of the index.
    """

    archive: Identity
    kind: str
    members: int
    bytes: int
    stored_bytes: int
    frames: int
    unreadable: int
    duplicates: int
    left_out: dict[str, int]
    examples: list[str]
    index_bytes: int

    def as_json(self) -> dict[str, object]:
        """The summary for machines."""
        return {
            "archive": self.archive.url,
            "archive_etag": self.archive.etag,
            "kind": self.kind,
            "members": self.members,
            "bytes": self.bytes,
            "stored_bytes": self.stored_bytes,
            "frames": self.frames,
            "unreadable": self.unreadable,
            "duplicates": self.duplicates,
            "left_out": self.left_out,
            "examples": self.examples,
            "index_bytes": self.index_bytes,
        }


def build_index(
    url: str,
    source: Source,
    out: Callable[[bytes], object],
    *,
    scratch: Path,
    progress: Callable[[int], object] | None = None,
) -> BuildSummary:
    """Scan an archive as a stranger would, and write its index.

    Args:
        url: The archive.
        source: Where it is read from.
        out: Takes the bytes of the index file in order; nothing is handed out before the whole archive was scanned.
        scratch: Folder for sorting, used when there are more than `sorting.RUN_MEMBERS` members.
        progress: Told the number of members found so far, now and then.

    Returns:
        What was found.

    Raises:
        ArchiveDamaged, ArchiveUnsupported: It cannot be indexed.
        ObjectReplaced: It was replaced while it was scanned.
        DiskFull: No room to sort.

    Cost:
        What the kind's scanner reads (a zip: its directory; a tar.zst: all of it). Memory flat in the number of members.
    """
    archive = source.head(url).identity
    sorter = RowSorter(scratch)
    contexts = ContextSpool(archive, scratch)
    collecting = gc.isenabled()
    # Members are tuples of tuples that never form a cycle: looking for cycles among millions of them takes a quarter of the time.
    gc.disable()
    try:
        return _build(archive, source, _Scanned(contexts, archive.size), sorter, out, progress=progress)
    finally:
        sorter.close()
        contexts.close()
        if collecting:
            gc.enable()


def _build(
    archive: Identity,
    source: Source,
    scanned: _Scanned,
    sorter: RowSorter,
    out: Callable[[bytes], object],
    *,
    progress: Callable[[int], object] | None,
) -> BuildSummary:
    scan = scanner_for(archive, source)(archive)
    for rows in scanned.run(scan, source):
        sorter.add(rows)
        if progress is not None:
            progress(scanned.members)
    summary = scanned.summary
    facts: dict[str, str | int | bool] = {**summary.facts, "frames": scanned.frames, "entries": summary.entries}
    told = ArchiveFacts(archive.etag, archive.size, summary.kind, facts)
    written = write_rows(sorter.sorted(), told, out, contexts=scanned.contexts.pieces())
    return BuildSummary(
        archive=archive,
        kind=summary.kind,
        members=written.members,
        bytes=written.member_bytes,
        stored_bytes=archive.size,
        frames=scanned.frames,
        unreadable=written.unreadable,
        duplicates=sorter.duplicates,
        left_out={fault.value: count for fault, count in summary.left_out.items()},
        examples=[*summary.examples, *(f"duplicate: {name}" for name in sorter.duplicate_examples)],
        index_bytes=written.index_bytes,
    )


class _Scanned:
    """A scan under way: its members so far, counted and checked.

    Args:
        contexts: Keeps what the scanner wants kept.
        archive_bytes: Length of the archive.
    """

    def __init__(self, contexts: ContextSpool, archive_bytes: int) -> None:
        self.contexts = contexts
        self._archive_bytes = archive_bytes
        self.members = self.frames = 0
        self.summary = ScanSummary("")
        self._last_start = -1

    def run(self, scan: Scan, source: Source) -> Iterator[list[Row]]:
        """Drive a scan; yields its batches as rows."""
        reply: Any = None
        error: BinderyError | None = None
        while True:
            try:
                told: Ask | Keep | list[Member] = scan.send(reply) if error is None else scan.throw(error)
            except StopIteration as end:
                self.summary = end.value
                return
            reply = error = None
            if isinstance(told, list):
                yield [self._row(member) for member in told]
                continue
            if isinstance(told, Keep):
                reply = self.contexts.keep(told.data)
                continue
            try:
                reply = answer(told, source)
            except BinderyError as raised:
                error = raised

    def _row(self, member: Member) -> Row:
        """Count a member and take it apart; one that cannot be read from its extents is listed with the reason."""
        self.members += 1
        fault = self._fault(member)
        return row(member if fault is None else member._replace(extents=(), unreadable=fault))

    def _fault(self, member: Member) -> str | None:
        """Why a member cannot be read from its extents; None when it can. Counts their frames."""
        told = 0
        for frame, offset, length in member.extents:
            told += length
            if frame is None:
                continue
            start, stored_bytes, raw_bytes, *_ = frame
            if start != self._last_start:
                self._last_start = start
                self.frames += 1
            if start + stored_bytes > self._archive_bytes or offset + length > raw_bytes:
                return "damaged: its place lies outside of the archive"
        if told != member.size and member.unreadable is None:
            return "damaged: its extents do not add up to its size"
        return f"too many extents: more than {MEMBER_EXTENTS}" if len(member.extents) > MEMBER_EXTENTS else None

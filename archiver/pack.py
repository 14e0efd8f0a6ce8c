"""Packs sources into one archive: archive, index from its bytes, every member read back, then the index beside it.

Whatever goes wrong before that, nothing is left behind; a run that was killed is completed by the next one, which knows its own
work by the hash of its sources.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from archiver.allocator import bound_arenas
from archiver.buckets import Buckets
from archiver.draft import Draft
from archiver.fetch import fetch
from archiver.interrupt import terminable
from archiver.names import derived
from archiver.ordering import sorted_rows
from archiver.progress import Phase, Progress, Silent, Tally
from archiver.provenance import is_of
from archiver.publish import FilePublication, Publication, exists, remove_file
from archiver.readahead import STRETCHES_AHEAD, ReadAhead
from archiver.scratch import Rows
from archiver.select import Selection, folder_of, select
from archiver.settings import PackSettings
from archiver.uploads import ObjectPublication, abort_uploads, remove_object
from archiver.verify import Receipt, verify
from archiver.writers import Entry, Writer
from archiver.writing import KEEPS, Job, new_writer
from indexer.build import build_index
from indexer.drivers import run
from indexer.errors import (
    BinderyError,
    IndexDamaged,
    IndexMissing,
    IndexUnsupported,
    LocationInvalid,
    ObjectMissing,
    SettingInvalid,
)
from indexer.indexfile.reader import Index, open_index
from indexer.limits import MIB
from indexer.model import Identity
from indexer.source.route import RoutedSource
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, index_url, join, local_path, parse, parse_prefix, split

PROCESS_BYTES: Final = 80 * MIB
"""What the interpreter and its libraries take, with boto3 and obstore loaded, and what the allocator keeps of freed memory."""

LEAST_ROOM_BYTES: Final = 48 * MIB
"""What is shared out at least, however little is allowed."""

CONNECTION_BYTES: Final = MIB
"""What a request under way takes beside its answer: buffers of the connection, and the answer in the pieces it came in."""


class Outcome(enum.StrEnum):
    """How a pack ended well."""

    PACKED = "packed"
    RESUMED = "resumed"
    """A killed run had published the archive; it was checked against the sources and its index published."""
    ALREADY_PACKED = "already packed"
    """An earlier run had done it all; nothing was written."""


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was packed.

    Args:
        outcome: How it ended.
        archive: Where the archive is, and which version.
        index: Where its index is.
        kind: What kind of archive.
        sources: SHA-256 over name, version and size of all sources.
        members: Members in the archive.
        bytes: Their bytes in all.
        stored_bytes: Length of the archive.
        index_bytes: Length of the index.
        left_out: Sources that were found and not packed, by reason.
        examples: Some of them.
    """

    outcome: Outcome
    archive: Identity
    index: str
    kind: str
    sources: str
    members: int
    bytes: int
    stored_bytes: int
    index_bytes: int
    left_out: dict[str, int]
    examples: list[str]

    def as_json(self) -> dict[str, object]:
        """The report for machines."""
        return {
            "outcome": self.outcome.value,
            "archive": self.archive.url,
            "archive_etag": self.archive.etag,
            "index": self.index,
            "kind": self.kind,
            "sources": self.sources,
            "members": self.members,
            "bytes": self.bytes,
            "stored_bytes": self.stored_bytes,
            "index_bytes": self.index_bytes,
            "left_out": self.left_out,
            "examples": self.examples,
        }


def pack(settings: PackSettings, progress: Progress | None = None) -> PackReport:
    """Pack sources into one archive and publish it with its index.

    Args:
        settings: What to pack, where to, and how.
        progress: Is told how it goes.

    Returns:
        What was packed, or found packed.

    Raises:
        SettingInvalid, LocationInvalid: The settings contradict each other or the world.
        SourceEmpty, SourceUnpackable: There is nothing, or something that must not be packed.
        SourceChanged: A source was replaced or vanished meanwhile.
        DestinationExists: The name is taken by something else.
        VerifyFailed: What was read back was not what was packed.
        AccessRefused, StoreFailed, DiskFull: A store or a disk failed.
        After any of these, and when interrupted, neither archive nor index is there, nor any part of them.

    Cost:
        One request a source (more for large ones), one upload, the archive read twice. Memory: `settings.memory_bytes`.
    """
    return pack_chosen(settings, select, progress or Silent())


def pack_chosen(settings: PackSettings, choose: Callable[[PackSettings, Progress], Selection], progress: Progress) -> PackReport:
    """As `pack`, of the sources that `choose` selects."""
    bound_arenas()
    with terminable(), ExitStack() as stack:
        _check_places(settings)
        selection = stack.enter_context(closing(choose(settings, progress)))
        receipts = stack.enter_context(closing(Rows(settings.scratch, Receipt._make)))
        return _Pack(settings, progress, selection, receipts).run()


def _check_places(settings: PackSettings) -> None:
    """Refuse a destination that cannot be one, before anything is read."""
    if _is_folder(settings.destination):
        target = parse_prefix(settings.destination)
    else:
        target = parse(settings.destination)
        if split(target).scheme == FILE and Path(local_path(target)).is_dir():
            raise LocationInvalid("this is a folder", hint="End it with / to have a name derived", destination=settings.destination)
    below = folder_of(settings.source)
    if below is not None and target.startswith(below):
        raise SettingInvalid(
            "the archive would lie among its own sources", hint="Choose a destination outside of the source", destination=target
        )


def _is_folder(destination: str) -> bool:
    return destination.endswith("/") or ("://" in destination and not split(destination).key)


class _Pack:
    """One run, once its sources are known."""

    def __init__(self, settings: PackSettings, progress: Progress, selection: Selection, receipts: Rows[Receipt]) -> None:
        self._settings = settings
        self._progress = progress
        self._selection = selection
        self._receipts = receipts
        self._derived = _is_folder(settings.destination)
        if self._derived:
            name = derived(selection.stem, selection.sources, settings.format)
            self._url = parse(join(parse_prefix(settings.destination), name))
        else:
            self._url = parse(settings.destination)
        self._index_url = index_url(self._url)
        self._source = RoutedSource(settings.env)
        self._stale_index: Identity | None = None
        # A quarter each for what is fetched, compressed and uploaded; one for copies on the way.
        room = settings.memory_bytes - PROCESS_BYTES - selection.reader.requests * CONNECTION_BYTES
        self._share_bytes = max(room, LEAST_ROOM_BYTES) // 4
        self._buckets: Buckets | None = None
        if split(self._url).scheme != FILE:
            mine = selection.reader
            # The sources' own connections serve the destination too.
            self._buckets = mine if isinstance(mine, Buckets) else Buckets(StoreSettings.read(settings.env), requests=4)

    def run(self) -> PackReport:
        """Do what is left to do."""
        archive = self._present()
        if archive is not None:
            if self._derived and self._buckets is not None:
                abort_uploads(self._buckets, self._url)
            index = self._finished(archive)
            if index is not None:
                return self._report(Outcome.ALREADY_PACKED, archive, index)
            self._receive(None)
            return self._report(Outcome.RESUMED, archive, self._prove(archive))
        self._finished(None)
        archive = self._write()
        try:
            return self._report(Outcome.PACKED, archive, self._prove(archive))
        except BaseException:
            with suppress(BinderyError):  # the error that brought us here is the one to tell
                self._withdraw(archive)
            raise

    def _present(self) -> Identity | None:
        """The archive if an earlier run published it.

        Raises:
            DestinationExists: Something else has its name.
        """
        try:
            there = self._source.head(self._url).identity
        except ObjectMissing:
            return None
        if there.size and is_of(there, self._source, self._selection.sources):
            return there
        raise exists(self._url)

    def _finished(self, archive: Identity | None) -> Index | None:
        """The index if it is of this archive; one that is of another, or of none, will be replaced."""
        try:
            index = run(open_index(self._index_url), self._source)
        except IndexMissing:
            return None
        except (IndexDamaged, IndexUnsupported):
            self._stale_index = self._source.head(self._index_url).identity
            return None
        if archive is not None and index.archive(self._url) == archive:
            return index
        self._stale_index = index.identity
        return None

    def _write(self) -> Identity:
        """Fetch the sources, write the archive, publish it."""
        publication = self._publication(self._url, replaces=None)
        try:
            with _threads(self._settings.threads, "compress") as executor:
                writer = self._writer(publication, executor)
                try:
                    self._receive(writer)
                finally:
                    writer.discard()
            return publication.publish()
        finally:
            publication.discard()

    def _receive(self, writer: Writer | None) -> None:
        """Fetch the sources and keep their receipts; write them too, unless that was done before."""
        reader, selection = self._selection.reader, self._selection
        tally = Tally(self._progress, Phase.PACK, selection.rows.count, selection.bytes)
        with _threads(reader.requests, "fetch") as executor:
            for piece in fetch(selection.rows, reader, executor, most_bytes=self._share_bytes):
                chosen, sums = piece.chosen, piece.sums
                etag = reader.etag(chosen)
                if piece.whole and sums is not None:
                    if writer is not None:
                        entry = Entry(chosen.name, chosen.size, piece.mtime_s, None if etag == sums.md5 else etag, piece.attributes)
                        writer.add(entry, piece.data, sums)
                elif writer is not None:
                    if piece.start == 0:
                        # Whether the ETag is the MD5 shows at the end; until then it is told as it is.
                        writer.begin(Entry(chosen.name, chosen.size, piece.mtime_s, etag, piece.attributes))
                    writer.feed(piece.data)
                    if sums is not None:
                        writer.end(sums)
                if sums is not None:
                    told = etag or sums.md5, piece.mtime_s, tuple(piece.attributes)
                    self._receipts.add(Receipt(chosen.name, chosen.size, sums.crc32, *told))
                tally.add(sums is not None, len(piece.data))
            if writer is not None:
                writer.close()
        tally.tell()

    def _writer(self, publication: Publication, executor: Executor) -> Writer:
        selection = self._selection
        job = Job(publication.write, executor, selection.sources, selection.newest_s, self._share_bytes)
        return new_writer(self._settings, job)

    def _prove(self, archive: Identity) -> Index:
        """Index the archive from its bytes, read every member back, publish the index."""
        with _threads(STRETCHES_AHEAD + 1, "read") as executor, closing(Draft(self._settings.scratch)) as draft:
            tally = Tally(self._progress, Phase.INDEX, self._selection.rows.count)
            ahead = ReadAhead(self._source, executor)
            build_index(self._url, ahead, draft.write, scratch=self._settings.scratch, progress=tally.reach)
            tally.tell()
            index = verify(
                archive,
                draft.url,
                self._receipts_by_name(),
                keeps=KEEPS[self._settings.format],
                scratch=self._settings.scratch,
                source=self._source,
                executor=executor,
                progress=self._progress,
            )
            self._publish_index(draft)
        return index

    def _receipts_by_name(self) -> Iterable[Receipt]:
        if self._selection.by_name:
            return self._receipts
        return map(Receipt._make, sorted_rows(map(tuple, self._receipts), self._settings.scratch))

    def _publish_index(self, draft: Draft) -> None:
        publication = self._publication(self._index_url, replaces=self._stale_index)
        try:
            for piece in draft.pieces():
                publication.write(piece)
            publication.publish()
        finally:
            publication.discard()

    def _publication(self, url: str, *, replaces: Identity | None) -> Publication:
        if self._buckets is None:
            return FilePublication(url, replaces=replaces)
        return ObjectPublication(
            url,
            self._buckets,
            scratch=self._settings.scratch,
            most_bytes=self._share_bytes,
            replaces=replaces,
            derived=self._derived,
        )

    def _withdraw(self, archive: Identity) -> None:
        """Remove the archive that was just published, if it still is what we published and no other run has completed it."""
        if self._finished(archive) is not None:
            return
        if self._buckets is None:
            remove_file(archive)
        else:
            remove_object(self._buckets, archive)

    def _report(self, outcome: Outcome, archive: Identity, index: Index) -> PackReport:
        return PackReport(
            outcome=outcome,
            archive=archive,
            index=self._index_url,
            kind=index.kind,
            sources=self._selection.sources,
            members=index.members,
            bytes=index.bytes,
            stored_bytes=archive.size,
            index_bytes=index.identity.size,
            left_out=self._selection.left_out.counts,
            examples=self._selection.left_out.examples,
        )


@contextmanager
def _threads(count: int, name: str) -> Iterator[Executor]:
    """Threads that end with the block; tasks not begun are dropped when it ends early."""
    executor = ThreadPoolExecutor(count, thread_name_prefix=f"bindery-{name}")
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)

"""Puts an archive that is there already where it is to be served from, and indexes it there."""

from __future__ import annotations

import base64
import enum
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archiver.buckets import Buckets
from archiver.interrupt import terminable
from archiver.progress import Phase, Progress, Silent, Tally
from archiver.publish import FilePublication, Publication, exists, remove_file
from archiver.reindex import indexed, reindex
from archiver.uploads import ObjectPublication, SentDigest, remove_object
from indexer.build import BuildSummary
from indexer.errors import BinderyError, LocationInvalid, ObjectMissing, ObjectReplaced, SettingInvalid, SourceChanged, VerifyFailed
from indexer.formats import kind_of
from indexer.limits import MIB, REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.scan import in_turn
from indexer.source.local import LocalSource
from indexer.source.route import open_source
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, index_url, join, name, parse, parse_prefix, split

STORAGE_CLASSES: Final = ("STANDARD", "INTELLIGENT_TIERING", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR")
"""Those whose objects can be read at once; from the others nothing could be served."""

UPLOAD_BYTES: Final = 64 * MIB
"""Parts in flight at most."""

SUPERBLOCK_METADATA: Final = "s3archivefs-superblock"
"""User metadata in which the squashfs Object Lambda that ours replaces looks for the first 96 bytes, in base64."""

SUPERBLOCK_BYTES: Final = 96


class Installed(enum.StrEnum):
    """How an installation ended well."""

    INSTALLED = "installed"
    RESUMED = "resumed"
    """The archive was there already, byte for byte; its index was made."""
    ALREADY_INSTALLED = "already installed"
    """Archive and index were there; nothing was written."""


@dataclass(frozen=True, slots=True)
class InstallReport:
    """What was installed.

    Args:
        outcome: How it ended.
        archive: Where the archive is, and which version.
        index: Where its index is.
        kind: What kind of archive.
        summary: What was found in it; None when it was indexed before.
    """

    outcome: Installed
    archive: Identity
    index: str
    kind: str
    summary: BuildSummary | None

    def as_json(self) -> dict[str, object]:
        """The report for machines."""
        return {
            **({} if self.summary is None else self.summary.as_json()),
            "outcome": self.outcome.value,
            "archive": self.archive.url,
            "archive_etag": self.archive.etag,
            "stored_bytes": self.archive.size,
            "kind": self.kind,
            "index": self.index,
        }


@dataclass(frozen=True, slots=True)
class InstallSettings:
    """One installation.

    Args:
        file: The archive: a local file.
        destination: Where to put it; when it ends in `/`, the folder or prefix in which it keeps its name.
        storage_class: One of `STORAGE_CLASSES`; None leaves it to the bucket. For buckets only.
        scratch: Folder for large parts, and for the index.
        env: The variables with which stores are reached.
    """

    file: str
    destination: str
    storage_class: str | None
    scratch: Path
    env: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.storage_class is None:
            return
        if self.storage_class not in STORAGE_CLASSES:
            raise SettingInvalid(
                f"{self.storage_class!r} is none of {', '.join(STORAGE_CLASSES)}",
                hint="Objects of other classes cannot be read at once",
                setting="--storage-class",
            )
        if split(parse_prefix(self.destination)).scheme == FILE:
            raise SettingInvalid("files have no storage class", hint="Leave it out", setting="--storage-class")


def install(settings: InstallSettings, progress: Progress | None = None) -> InstallReport:
    """Upload an archive and index it.

    Args:
        settings: What, and where to.
        progress: Is told how it goes.

    Returns:
        What was done, or found done: a rerun completes what an earlier one began.

    Raises:
        ArchiveUnsupported, ArchiveDamaged: It cannot be indexed; then it does not stay at the destination either.
        DestinationExists: Something else is there.
        SourceChanged: The file was changed while it was uploaded.
        VerifyFailed: What arrived is not what was sent.
        AccessRefused, StoreFailed, DiskFull: A store or a disk failed.
        After any of these nothing is there that was not there before.

    Cost:
        The file once; what its kind's scanner reads. When the archive is there already, the file once more, and the archive too if
        its ETag is not made of MD5s.
    """
    with terminable():
        return _Install(settings, progress or Silent()).run()


class _Install:
    """One run."""

    def __init__(self, settings: InstallSettings, progress: Progress) -> None:
        self._settings = settings
        self._progress = progress
        url = parse(settings.file)
        if split(url).scheme != FILE:
            raise LocationInvalid(
                "only a local file can be installed", hint="Index an archive in a bucket where it is: `bindery index`", file=url
            )
        self._local = LocalSource()
        self._file = self._local.head(url).identity
        folder = settings.destination
        is_folder = folder.endswith("/") or ("://" in folder and not split(folder).key)
        self._url = parse(join(parse_prefix(folder), name(url)) if is_folder else folder)
        self._index_url = index_url(self._url)
        self._source = open_source(settings.env)
        self._buckets: Buckets | None = None
        if split(self._url).scheme != FILE:
            self._buckets = Buckets(StoreSettings.read(settings.env), requests=4)

    def run(self) -> InstallReport:
        """Do what is left to do."""
        kind = kind_of(self._file, self._local).name
        archive = self._present()
        if archive is not None:
            if not self._is_ours(archive):
                raise exists(self._url)
            if indexed(self._url, self._index_url, self._source):
                return InstallReport(Installed.ALREADY_INSTALLED, archive, self._index_url, kind, None)
            return InstallReport(Installed.RESUMED, archive, self._index_url, kind, self._index())
        archive = self._upload(kind)
        try:
            return InstallReport(Installed.INSTALLED, archive, self._index_url, kind, self._index())
        except BaseException:
            with suppress(BinderyError):  # the error that brought us here is the one to tell
                self._withdraw(archive)
            raise

    def _present(self) -> Identity | None:
        try:
            return self._source.head(self._url).identity
        except ObjectMissing:
            return None

    def _upload(self, kind: str) -> Identity:
        """Send the file, and make sure that it arrived."""
        publication = self._publication(kind)
        digest = SentDigest()
        tally = Tally(self._progress, Phase.UPLOAD, None, self._file.size)
        try:
            for piece in self._pieces():
                publication.write(piece)
                digest.update(piece)
                tally.add(0, len(piece))
            tally.tell()
            archive = publication.publish()
        finally:
            publication.discard()
        if self._buckets is not None and archive.etag != digest.etag and not self._equals(archive):
            self._withdraw(archive)
            raise VerifyFailed("what arrived is not what was sent", hint="Try again", archive=archive.url)
        return archive

    def _publication(self, kind: str) -> Publication:
        if self._buckets is None:
            return FilePublication(self._url)
        properties: dict[str, Any] = {}
        if self._settings.storage_class is not None:
            properties["StorageClass"] = self._settings.storage_class
        if kind == "squashfs":
            superblock = self._read(Span(0, min(SUPERBLOCK_BYTES, self._file.size)))
            properties["Metadata"] = {SUPERBLOCK_METADATA: base64.b64encode(superblock).decode()}
        return ObjectPublication(
            self._url, self._buckets, scratch=self._settings.scratch, most_bytes=UPLOAD_BYTES, properties=properties
        )

    def _index(self) -> BuildSummary:
        tally = Tally(self._progress, Phase.INDEX)
        summary = reindex(self._url, self._index_url, env=self._settings.env, scratch=self._settings.scratch, progress=tally.reach)
        tally.tell()
        return summary

    def _is_ours(self, archive: Identity) -> bool:
        """Whether what is at the destination is this file."""
        if archive.size != self._file.size:
            return False
        digest = SentDigest()
        for piece in self._pieces():
            digest.update(piece)
        return digest.etag == archive.etag or self._equals(archive)

    def _equals(self, archive: Identity) -> bool:
        """Compare byte by byte, from the store: where ETags tell nothing (KMS, other part lengths, local files)."""
        if archive.size != self._file.size:
            return False
        spans = (span for span, _ in in_turn(Span(0, archive.size)))
        return all(self._source.read(archive, (span,)) == [self._read(span)] for span in spans)

    def _pieces(self) -> Iterator[bytes]:
        for start in range(0, self._file.size, REQUEST_BYTES):
            yield self._read(Span(start, min(start + REQUEST_BYTES, self._file.size)))

    def _read(self, span: Span) -> bytes:
        try:
            return self._local.read(self._file, (span,))[0]
        except (ObjectReplaced, ObjectMissing) as error:
            raise SourceChanged("the file was changed meanwhile", hint="Try again", source=self._file.url) from error

    def _withdraw(self, archive: Identity) -> None:
        """Remove the archive that was just published, unless another run has indexed it."""
        if indexed(self._url, self._index_url, self._source):
            return
        if self._buckets is None:
            remove_file(archive)
        else:
            remove_object(self._buckets, archive)

"""Where a catalog lies: read as it is, and written only if it still is what was read (compare and swap)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from archiver.buckets import CLIENT_ERRORS, Buckets, client_failure
from archiver.publish import TEMPORARY_SUFFIX, remove_stale
from archiver.scratch import disk_errors
from indexer.catalogfile.entry import CatalogState
from indexer.catalogfile.reader import open_catalog
from indexer.drivers import run
from indexer.errors import CatalogMissing, ObjectReplaced
from indexer.model import Identity
from indexer.source import Source
from indexer.source.local import LocalSource, failure
from indexer.source.route import open_source
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, local_path, split

LOCK_SUFFIX = ".lock"
CONTENT_TYPE = "application/octet-stream"

Version = Identity | None
"""Which version of a catalog was read; None when there was none."""


class CatalogStore(Protocol):
    """One catalog's place."""

    def read(self) -> tuple[Version, CatalogState]:
        """What the catalog says now; an empty state when there is none.

        Raises:
            CatalogDamaged, CatalogUnsupported: What is there cannot be used.
            ObjectReplaced: It was replaced while it was read.
            AccessRefused, StoreFailed: As ever.
        """
        ...

    def write(self, data: bytes, *, replaces: Version) -> None:
        """Put a catalog there, whole or not at all.

        Args:
            data: All of it.
            replaces: The version whose place it takes.

        Raises:
            ObjectReplaced, ObjectMissing: Another version is there by now, or none. In a bucket it may be this very one, whose
                answer was lost.
            StoreFailed: The store failed; whether it was written is not known.
            AccessRefused, DiskFull: It was not.
        """
        ...


def catalog_store(url: str, env: Mapping[str, str]) -> CatalogStore:
    """The place of the catalog at a canonical URL."""
    return FileCatalog(url) if split(url).scheme == FILE else BucketCatalog(url, env)


class BucketCatalog:
    """A catalog in a bucket: `If-Match` and `If-None-Match` make the store compare."""

    def __init__(self, url: str, env: Mapping[str, str]) -> None:
        self._url = url
        self._source = open_source(env)
        self._buckets = Buckets(StoreSettings.read(env), requests=1)

    def read(self) -> tuple[Version, CatalogState]:
        """As `CatalogStore.read`. Costs one request, two for more than 2 MiB."""
        return _read(self._url, self._source)

    def write(self, data: bytes, *, replaces: Version) -> None:
        """As `CatalogStore.write`. Costs one request."""
        _, bucket, key = split(self._url)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if replaces is None else {"IfMatch": f'"{replaces.etag}"'}
        try:
            self._buckets.client.put_object(Bucket=bucket, Key=key, Body=data, ContentType=CONTENT_TYPE, **condition)
        except CLIENT_ERRORS as error:
            raise client_failure(error, self._url) from error


class FileCatalog:
    """A catalog on a disk: a lock held by the kernel lets one writer at a time compare, and rename its file into place.

    Readers take no lock. The lock's file (`.NAME.lock`) stays; a writer that is killed gives the lock up, and leaves the catalog as
    it was, or as it was to be.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._path = Path(local_path(url))

    def read(self) -> tuple[Version, CatalogState]:
        """As `CatalogStore.read`."""
        return _read(self._url, LocalSource())

    def write(self, data: bytes, *, replaces: Version) -> None:
        """As `CatalogStore.write`; when this fails, nothing was written."""
        with disk_errors("the catalog", "Free some space"), self._locked():
            before = self._status()
            there = None if before is None else _version(self._url)
            if there != replaces:
                raise ObjectReplaced("the catalog was written by someone else", hint="Try again", object=self._url)
            remove_stale(self._path)
            temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY_SUFFIX}")
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                view = memoryview(data)
                while view:
                    view = view[os.write(file, view) :]
                if before is not None and os.fstat(file).st_mtime_ns <= before.st_mtime_ns:
                    # Two versions of one length within one tick of the clock would be one version to a reader.
                    os.utime(file, ns=(before.st_mtime_ns + 1, before.st_mtime_ns + 1))
                os.fsync(file)
                temporary.replace(self._path)
            finally:
                with suppress(FileNotFoundError):
                    temporary.unlink()
                os.close(file)
            self._sync_folder()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            lock = os.open(self._path.with_name(f".{self._path.name}{LOCK_SUFFIX}"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise failure(error, self._url) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _status(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except FileNotFoundError:
            return None

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _version(url: str) -> Version:
    return LocalSource().head(url).identity


def _read(url: str, source: Source) -> tuple[Version, CatalogState]:
    try:
        catalog = run(open_catalog(url), source)
    except CatalogMissing:
        return None, CatalogState()
    return catalog.identity, run(catalog.state(), source)

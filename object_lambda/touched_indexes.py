"""Makes the indexes of `first_touch`, and keeps them in a folder that processes may share.

Only where that takes few reads (`formats.Kind.few_reads`), or where the archive is small; `bindery index` makes an index for good.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from indexer.build import build_index
from indexer.errors import DiskFull, IndexMissing, ObjectReplaced, StoreFailed
from indexer.formats import kind_of
from indexer.limits import GIB, MIB
from indexer.model import Identity
from indexer.source import Source

SMALL_BYTES: Final = 64 * MIB
"""An archive up to this is indexed on first touch even if all of it must be read: about a second."""

KEPT_BYTES: Final = 4 * GIB
"""Indexes kept in the folder; when they are more, the ones longest unused go."""


class TouchedIndexes:
    """Indexes that were made here, one file each, named by the version of the archive.

    Safe for threads and processes that share the folder: one makes an index, the others wait for it.

    Args:
        folder: Absolute path of where they lie; made when it is missing, readable by its owner alone.
        source: Where archives are read.
    """

    def __init__(self, folder: str, source: Source) -> None:
        self._folder = Path(folder)
        self._source = source

    def ensure(self, archive_url: str) -> str:
        """The URL of the index of an archive, made if need be.

        Raises:
            ObjectMissing, AccessRefused, StoreFailed: The archive cannot be read.
            ArchiveDamaged, ArchiveUnsupported: It cannot be indexed.
            IndexMissing: It is too large to be indexed in passing.
            DiskFull: There is no room for the index.
        """
        archive = self._source.head(archive_url).identity
        path = self._folder / f"{archive.digest}.bindery"
        with _disk_errors(path):
            if not path.exists():
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                with self._locked(archive):
                    if not path.exists():
                        self._make(archive, path)
                        self._make_room(keep=path)
            # Used just now. The modification time stays: it is part of the identity by which the index is read.
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        return f"file://{path}"

    def _make(self, archive: Identity, path: Path) -> None:
        if not kind_of(archive, self._source).few_reads and archive.size > SMALL_BYTES:
            raise IndexMissing(
                "this archive has no index, and to make one all of it must be read",
                hint="Build it with `bindery index`",
                archive=archive.url,
            )
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".making-", delete=False) as file:
            try:
                built = build_index(archive.url, self._source, file.write, scratch=self._folder)
                file.flush()
                if built.archive != archive:
                    raise ObjectReplaced("the archive was replaced while it was indexed", hint="Try again", object=archive.url)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def _make_room(self, *, keep: Path) -> None:
        """Remove the indexes longest unused until the rest fits."""
        found = [(entry.stat().st_atime, entry.stat().st_size, entry) for entry in self._folder.glob("*.bindery") if entry != keep]
        room = KEPT_BYTES - keep.stat().st_size if keep.exists() else KEPT_BYTES
        for _, size, entry in sorted(found, reverse=True):
            room -= size
            if room < 0:
                entry.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _locked(self, archive: Identity) -> Iterator[None]:
        """Keep others from making the same index; a lock ends with its process."""
        lock = os.open(self._folder / f".{archive.digest[:2]}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)


@contextlib.contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """What goes wrong with the folder, as errors that name it."""
    try:
        yield
    except OSError as error:
        hint = "Name another folder, or build the index with `bindery index`"
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else StoreFailed
        raise kind(f"the index made on first touch cannot be kept: {error.strerror}", hint=hint, path=str(path.parent)) from None

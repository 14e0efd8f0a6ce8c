"""Files in a local folder as sources: found in the order of their paths, read with a check that they stood still."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from archiver.names import LeftOut
from archiver.ordering import in_order
from archiver.sources import Chosen, Fetched
from indexer.errors import AccessRefused, BinderyError, ObjectMissing, SourceChanged, StoreFailed
from indexer.model import DEFAULT_ATTRIBUTES
from indexer.source.local import failure, identity
from indexer.urls import FILE

SPECIAL: Final = "a pipe, socket or device"
OUTSIDE: Final = "a symbolic link out of the folder, or to a folder"
BROKEN: Final = "a symbolic link to nothing"


class Found(NamedTuple):
    """A regular file: its path below the folder, its status."""

    relative: bytes
    status: os.stat_result


def walk(folder: Path, left_out: LeftOut, *, scratch: Path) -> Iterator[Found]:
    """Find all regular files below `folder` in the byte order of their paths.

    Memory holds the entries of the folders on the way down, and of large ones only a part.

    Args:
        folder: Where to begin.
        left_out: Is told of what is neither a file nor a folder. A symbolic link counts as the file it leads to if that lies below
            `folder`; links to folders are not followed.
        scratch: For sorting the entries of large folders.

    Raises:
        AccessRefused, StoreFailed: A folder cannot be read.
    """
    yield from _walk(os.fsencode(folder.resolve()) + b"/", b"", left_out, scratch)


def _walk(root: bytes, below: bytes, left_out: LeftOut, scratch: Path) -> Iterator[Found]:
    for name in in_order(_entries(root + below), scratch):
        relative = below + name
        if name.endswith(b"/"):
            yield from _walk(root, relative, left_out, scratch)
            continue
        try:
            status = os.lstat(root + relative)
            if stat.S_ISLNK(status.st_mode):
                followed = _follow(root, relative)
                if isinstance(followed, str):
                    left_out.add(os.fsdecode(relative), followed)
                    continue
                status = followed
        except FileNotFoundError:
            continue  # it was removed since the folder was listed: as if it had been removed before
        except OSError as error:
            raise failure(error, _url(root + relative)) from error
        if stat.S_ISREG(status.st_mode):
            yield Found(relative, status)
        else:
            left_out.add(os.fsdecode(relative), SPECIAL)


def _entries(folder: bytes) -> Iterator[bytes]:
    """The names in a folder, those of folders with a slash behind: so they sort as the paths below them do."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                yield entry.name + b"/" if entry.is_dir(follow_symlinks=False) else entry.name
    except OSError as error:
        raise failure(error, _url(folder)) from error


def _follow(root: bytes, relative: bytes) -> os.stat_result | str:
    """The file that a symbolic link leads to, or why it does not count."""
    target = os.path.realpath(root + relative)
    if not target.startswith(root):
        return OUTSIDE
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return BROKEN
    # A link that is left unresolved leads in a circle.
    return status if stat.S_ISREG(status.st_mode) else OUTSIDE


def _url(path: bytes) -> str:
    return f"{FILE}://{os.fsdecode(path)}"


class FolderReader:
    """Reads files as sources; a `Reader`."""

    requests = 8
    """Reads under way: files are in memory or on one disk, and more threads only wait for each other."""

    def etag(self, chosen: Chosen) -> None:
        """As `Reader.etag`."""

    def read(self, chosen: Chosen, start: int, stop: int) -> Fetched:
        """As `Reader.read`."""
        try:
            file = os.open(chosen.url.removeprefix(f"{FILE}://"), os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            try:
                data = os.pread(file, stop - start, start)
                status = os.fstat(file)
            finally:
                os.close(file)
        except OSError as error:
            raise self._failure(error, chosen) from error
        if identity(chosen.url, status).etag != chosen.version:
            raise SourceChanged("a file was changed while it was packed", hint="Pack again", source=chosen.url)
        if len(data) != stop - start:
            raise StoreFailed("the disk gave fewer bytes than the file has", hint="Check the disk", source=chosen.url)
        return Fetched(data, DEFAULT_ATTRIBUTES, chosen.mtime_s)

    @staticmethod
    def _failure(error: OSError, chosen: Chosen) -> BinderyError:
        told = failure(error, chosen.url)
        if isinstance(told, ObjectMissing):
            return SourceChanged("a file vanished while it was packed", hint="Pack again", source=chosen.url)
        if isinstance(told, AccessRefused):
            return AccessRefused(told.message, hint=told.hint, source=chosen.url)
        return told

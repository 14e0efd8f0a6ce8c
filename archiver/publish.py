"""Puts archives and indexes where they belong: whole or not at all, and never over what is not ours."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Protocol

from archiver.scratch import disk_errors
from archiver.writers import Data
from indexer.errors import AccessRefused, DestinationExists
from indexer.model import Identity
from indexer.source.local import failure, identity
from indexer.urls import local_path

TEMPORARY_SUFFIX = ".bindery-part"


class Publication(Protocol):
    """One object on its way: written piece by piece, then published or discarded."""

    def write(self, data: Data) -> None:
        """Take the next bytes.

        Raises:
            DiskFull, AccessRefused, StoreFailed: They cannot be kept.
        """
        ...

    def publish(self) -> Identity:
        """Make the object appear under its URL, all at once.

        Raises:
            DestinationExists: Something else is there by now; it is left as it is.
            DiskFull, AccessRefused, StoreFailed: As `write`.
        """
        ...

    def discard(self) -> None:
        """Leave nothing behind of what is not published. Does nothing afterwards, and a second time."""
        ...


class FilePublication:
    """A local file: written beside its place under another name, made durable, and linked to its own.

    Args:
        url: Where it will be; missing folders above it are made.
        replaces: The version that it may take the place of; None when nothing may be there.
    """

    def __init__(self, url: str, *, replaces: Identity | None = None) -> None:
        self._url = url
        self._path = Path(local_path(url))
        self._replaces = replaces
        self._temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}-{os.urandom(4).hex()}{TEMPORARY_SUFFIX}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            remove_stale(self._path)
            # Modes as any new file has them; a lock tells whether its writer still lives.
            self._file = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            fcntl.flock(self._file, fcntl.LOCK_EX)
        except PermissionError as error:
            raise AccessRefused("this folder may not be written", hint="Choose another destination", destination=url) from error
        except OSError as error:
            raise failure(error, url) from error
        self._open, self._done = True, False

    def write(self, data: Data) -> None:
        """As `Publication.write`."""
        with disk_errors(self._path.name, "Free some space, or choose another destination"):
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]

    def publish(self) -> Identity:
        """As `Publication.publish`."""
        with disk_errors(self._path.name, "Free some space, or choose another destination"):
            os.fsync(self._file)
            made = identity(self._url, os.fstat(self._file))
            if self._replaces is not None and self._present() == self._replaces:
                self._temporary.replace(self._path)
            else:
                try:
                    os.link(self._temporary, self._path)
                except FileExistsError:
                    raise exists(self._url) from None
            self._done = True
            self.discard()
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        return made

    def discard(self) -> None:
        """As `Publication.discard`."""
        if self._open:
            self._open = False
            self._temporary.unlink(missing_ok=True)
            # It appeared, but the caller was interrupted and does not know.
            if not self._done and self._path.exists() and os.path.samestat(self._path.stat(), os.fstat(self._file)):
                self._path.unlink()
            os.close(self._file)

    def _present(self) -> Identity | None:
        try:
            return identity(self._url, self._path.stat())
        except FileNotFoundError:
            return None


def remove_stale(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; the files of living ones are locked."""
    for left in path.parent.glob(f".{_escaped(path.name)}.*{TEMPORARY_SUFFIX}"):
        try:
            file = os.open(left, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            left.unlink(missing_ok=True)
        finally:
            os.close(file)


def _escaped(name: str) -> str:
    """`name` as a pattern that matches only itself."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def remove_file(of: Identity) -> None:
    """Remove a local file if it is still that version."""
    path = Path(local_path(of.url))
    try:
        if identity(of.url, path.stat()) == of:
            path.unlink()
    except OSError as error:
        raise failure(error, of.url) from error


def exists(url: str) -> DestinationExists:
    """The error for a place that is taken."""
    return DestinationExists(
        "something else is already there", hint="Choose another name, or remove it if it is not wanted", destination=url
    )

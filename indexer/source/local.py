"""A source of local files. A file's ETag is made of its size and its time of last change, to the nanosecond.

What it cannot see: a change in place that keeps the length and falls into the same tick of the file system's clock (4 ms on
Linux) as the change before it, or whose author sets the time back. A file that is renamed into place, as all of ours are, has a
time of its own.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from indexer.asks import Head, Tail
from indexer.errors import AccessRefused, BinderyError, LocationInvalid, ObjectMissing, ObjectReplaced, StoreFailed
from indexer.model import Identity, Span
from indexer.source.requests import plan
from indexer.urls import local_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NO_SUCH_NAME = frozenset({errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})


class LocalSource:
    """Files by `file://` URL, opened anew for each ask: a file that was renamed over another is another version."""

    def head(self, url: str) -> Head:
        """As `Source.head`. Costs one open and one fstat."""
        with opened(url) as (_, status):
            return Head(identity(url, status), int(status.st_mtime))

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        with opened(url) as (file, status):
            of = identity(url, status)
            return Tail(of, _take(file, of, [Span(max(of.size - length, 0), of.size)])[0])

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`. Costs one open, and one pread a request."""
        requests = plan(of, spans)
        with opened(of.url) as (file, _):
            return requests.answer(_take(file, of, requests.spans))


def identity(url: str, status: os.stat_result) -> Identity:
    """Which version of a file this is."""
    return Identity(url, f"{status.st_size:x}-{status.st_mtime_ns:x}", status.st_size)


@contextmanager
def opened(url: str) -> Iterator[tuple[int, os.stat_result]]:
    """Open a regular file for reading; gives its descriptor and its status.

    Raises:
        ObjectMissing: There is no such file.
        AccessRefused: We may not read it.
        LocationInvalid: It is a folder, a pipe or a device, or no file could have this name.
        StoreFailed: The disk failed, here or while the file was read.
    """
    path = local_path(url)
    try:
        # O_NONBLOCK: without it, opening a pipe waits for its writer.
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                problem = "this is a folder" if stat.S_ISDIR(status.st_mode) else "this is not a regular file"
                raise LocationInvalid(problem, hint="Name the archive itself", object=url)
            yield file, status
        finally:
            os.close(file)
    except OSError as error:
        raise failure(error, url) from error


def failure(error: OSError, url: str) -> BinderyError:
    """What an error of the operating system means here."""
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return ObjectMissing("there is no such file", hint="Check the path", object=url)
    if isinstance(error, PermissionError):
        return AccessRefused("this file may not be read", hint="Check its owner and its mode", object=url)
    if error.errno in _NO_SUCH_NAME:
        return LocationInvalid(f"this path cannot be opened: {error.strerror}", hint="Check the path", object=url)
    return StoreFailed(f"the disk failed: {error.strerror}", hint="Check the disk and try again", object=url)


def _take(file: int, of: Identity, spans: Sequence[Span]) -> list[bytes]:
    """The bytes of `spans`. The version is checked before and after they are taken, so that no torn read is passed on."""
    _check_unchanged(file, of)
    fetched = [_pread(file, start, stop) for start, stop in spans]
    _check_unchanged(file, of)
    for span, data in zip(spans, fetched, strict=True):
        if len(data) != span.length:
            raise StoreFailed(
                "the disk gave fewer bytes than the file has", hint="Check the disk", object=of.url, offset=span.start + len(data)
            )
    return fetched


def _check_unchanged(file: int, of: Identity) -> None:
    if identity(of.url, os.fstat(file)) != of:
        raise ObjectReplaced("the file was changed since it was opened", hint="Open it again", object=of.url)


def _pread(file: int, start: int, stop: int) -> bytes:
    """The bytes `[start, stop)` of an open file, fewer only where it ends: one call reads at most 2 GiB."""
    data = os.pread(file, stop - start, start)
    if len(data) == stop - start or not data:
        return data
    parts = [data]
    at = start + len(data)
    while at < stop and (data := os.pread(file, stop - at, at)):
        parts.append(data)
        at += len(data)
    return b"".join(parts)

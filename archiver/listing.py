"""A file that lists sources: sorted and freed of repetitions on disk, then each looked up."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from archiver.buckets import Buckets
from archiver.folders import FolderReader
from archiver.ordering import in_order
from archiver.scratch import Rows
from archiver.settings import Names, PackSettings
from archiver.sources import Chosen, Reader
from indexer.errors import BinderyError, LocationInvalid, ObjectMissing
from indexer.source.local import failure, identity
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, join, local_path, parse, parse_prefix, split

LINE_BYTES: Final = 4096
"""Longest line: a URL with a key of 1,024 bytes has room, a file that is no listing does not go far."""


class Listing:
    """The sources that a file names, one a line: URLs, or keys and paths below a base.

    Lines may end in CRLF; blank ones are passed over. All sources lie in one kind of store. Members are called by what follows the
    base; without one by their keys, and by bucket and key when there are several buckets.

    Args:
        path: The file.
        settings: Base, names, concurrency, and how to reach stores.

    Raises:
        LocationInvalid: A line names nothing, or lies elsewhere than the others.
    """

    def __init__(self, path: Path, settings: PackSettings) -> None:
        self._path = path
        self._settings = settings
        self._base = None if settings.base is None else parse_prefix(settings.base)
        self._rows: Rows[tuple[Any, ...]] = Rows(settings.scratch, tuple)
        places = set()
        for url in in_order((self._url(number, line).encode() for number, line in self._lines()), settings.scratch):
            place = split(url.decode())
            places.add((place.scheme, place.bucket))
            self._rows.add((url,))
        schemes = {scheme for scheme, _ in places}
        if len(schemes) > 1:
            raise LocationInvalid("the listing names files and objects", hint="Pack them one after another", listing=str(path))
        self._buckets = len(places)
        self._look_up: Callable[[str], tuple[int, str, int]]
        self.reader: Reader
        if schemes == {FILE}:
            self.reader, self._look_up = FolderReader(), _look_up_file
        else:
            buckets = Buckets(StoreSettings.read(settings.env), requests=settings.concurrency)
            self.reader, self._look_up = buckets, lambda url: _look_up_object(buckets, url)

    def chosen(self) -> Iterator[Chosen]:
        """The sources in the order of their names. Costs one request each, many in flight.

        Raises:
            ObjectMissing: One is not there.
            AccessRefused, StoreFailed: One cannot be looked up.
        """
        with ThreadPoolExecutor(self.reader.requests, thread_name_prefix="bindery-look-up") as executor, closing(self._rows):
            under_way: deque[tuple[str, Future[tuple[int, str, int]]]] = deque()
            try:
                for (line,) in self._rows:
                    url = line.decode()
                    under_way.append((url, executor.submit(self._look_up, url)))
                    if len(under_way) >= 4 * self.reader.requests:
                        yield self._one(*under_way.popleft())
                while under_way:
                    yield self._one(*under_way.popleft())
            finally:
                executor.shutdown(wait=True, cancel_futures=True)

    def _one(self, url: str, found: Future[tuple[int, str, int]]) -> Chosen:
        try:
            size, version, mtime_s = found.result()
        except ObjectMissing as error:
            raise ObjectMissing(
                "the listing names what is not there", hint="Make the listing anew, or remove the line", source=url
            ) from error
        return Chosen(self._name(url), url, size, version, mtime_s)

    def _name(self, url: str) -> bytes:
        scheme, bucket, key = split(url)
        if self._base is not None and (scheme == FILE or self._settings.names is Names.RELATIVE):
            text = url[len(self._base) :].removeprefix("/")
        elif scheme == FILE:
            text = key.removeprefix("/")
        else:
            text = f"{bucket}/{key}" if self._buckets > 1 else key
        return text.encode()

    def _lines(self) -> Iterator[tuple[int, str]]:
        with self._path.open("rb") as file:
            number = 0
            while line := file.readline(LINE_BYTES + 2):
                number += 1
                text = line.rstrip(b"\r\n")
                if len(text) > LINE_BYTES:
                    raise self._invalid(number, "is too long for a URL")
                if text:
                    try:
                        yield number, text.decode()
                    except UnicodeDecodeError:
                        raise self._invalid(number, "is not UTF-8") from None

    def _url(self, number: int, text: str) -> str:
        try:
            url = parse(text) if self._base is None or "://" in text else parse(join(self._base, text))
        except LocationInvalid as error:
            raise self._invalid(number, error.message) from error
        if self._base is not None and not url.startswith(self._base):
            raise self._invalid(number, f"names what does not lie below {self._base}")
        return url

    def _invalid(self, number: int, problem: str) -> BinderyError:
        return LocationInvalid(
            f"line {number} of the listing: {problem}",
            hint="Write one URL a line, or name what the lines are relative to with --base",
            listing=str(self._path),
        )


def _look_up_file(url: str) -> tuple[int, str, int]:
    try:
        status = os.stat(local_path(url))  # noqa: PTH116 - the path is as the URL has it
    except OSError as error:
        raise failure(error, url) from error
    if not stat.S_ISREG(status.st_mode):
        raise LocationInvalid("the listing names what is no file", hint="Remove the line", source=url)
    return status.st_size, identity(url, status).etag, max(0, int(status.st_mtime))


def _look_up_object(buckets: Buckets, url: str) -> tuple[int, str, int]:
    _, size, etag, mtime_s = buckets.head(url)
    return size, etag, mtime_s

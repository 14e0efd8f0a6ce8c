"""One archive as the commands that read see it: the service over a single mount, and what the calls to it cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

import typer

from bindery.console import tell
from bindery.places import touched_folder
from indexer import urls
from indexer.asks import Steps
from indexer.drivers import run, stream
from indexer.errors import LocationInvalid, MemberMissing, RangeInvalid
from indexer.source import Source
from indexer.source.route import open_source
from indexer.source.trace import Trace, TracedSource
from object_lambda.answers import ObjectAnswer
from object_lambda.first_touch import TouchingSource, touched
from object_lambda.mounts import Mount
from object_lambda.requests import ObjectRequest
from object_lambda.roots import Root, refuse_first_touch
from object_lambda.s3_errors import InvalidRange, NoSuchKey
from object_lambda.service import Service
from object_lambda.touched_indexes import TouchedIndexes
from object_lambda.wiring import ServiceSettings, new_service

T = TypeVar("T")

BUCKET: Final = "archive"
"""The name under which a command mounts its one archive; nobody sees it."""

Archive = Annotated[str, typer.Argument(metavar="ARCHIVE", help="The archive: s3://bucket/key, a path, or file:///path.")]
IndexUrl = Annotated[str | None, typer.Option("--index", metavar="URL", help="Where its index is, if not beside it.")]
TraceCost = Annotated[bool, typer.Option("--trace-cost", help="Tell on stderr, as one JSON line, what the call cost.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive, ready to be read through the service.

    Args:
        service: With this archive as its only mount.
        source: Where bytes come from.
        mount: The mount of the archive.
    """

    service: Service
    source: Source
    mount: Mount

    def run(self, steps: Steps[T]) -> T:
        """Run a computation of the service."""
        return run(steps, self.source)

    def root(self) -> Root:
        """The open index and the archive's identity.

        Raises:
            LocationInvalid: It is a catalog, which has no index of its own.
        """
        root = run(self.service.root(self.mount), self.source)
        if isinstance(root, Root):
            return root
        hint = "`bindery catalog ls` tells the archives it holds"
        raise LocationInvalid("this is a catalog, not an archive", hint=hint, catalog=self.mount.archive)

    def get(self, name: bytes, byte_range: str | None = None) -> tuple[ObjectAnswer, Iterator[bytes]]:
        """A member's head and its bytes, piece by piece.

        Args:
            name: The member's name; an argument of the command line becomes one by `os.fsencode`, whatever the locale is.
            byte_range: As the Range header has it; None for all of it.

        Raises:
            MemberMissing: There is no such member.
            RangeInvalid: It has no such bytes.
        """
        if not _is_utf8(name):
            raise self.missing(name)
        try:
            answer = self.run(self.service.get(ObjectRequest(BUCKET, name, range=byte_range)))
        except NoSuchKey:
            raise self.missing(name) from None
        except InvalidRange:
            hint = "Leave out --range to read all of it"
            raise RangeInvalid("the member has no such bytes", hint=hint, member=shown(name), range=byte_range or "") from None
        return answer, self._pieces(answer)

    def missing(self, name: bytes) -> MemberMissing:
        """The error for a name that is not in the archive."""
        return MemberMissing(
            "the archive has no member of this name",
            hint="`bindery ls -r` tells the names",
            archive=self.mount.archive,
            member=shown(name),
        )

    def _pieces(self, answer: ObjectAnswer) -> Iterator[bytes]:
        if answer.start:
            yield answer.start
        if answer.rest is not None:
            yield from stream(answer.rest, self.source)


def shown(name: bytes) -> str:
    """A name as an error tells it; bytes that are not UTF-8, which no member's name has, in hexadecimal."""
    return name.decode(errors="backslashreplace")


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


@contextmanager
def opened(archive: str, index: str | None, *, trace_cost: bool) -> Iterator[Opened]:
    """Open an archive for one command; afterwards tell what that cost, if asked to."""
    url = urls.parse(archive)
    mount = Mount(BUCKET, b"", url, urls.parse(index) if index else urls.index_url(url))
    trace = Trace()
    source: Source = open_source(os.environ)
    if trace_cost:
        source = TracedSource(source, trace)
    folder = touched_folder(os.environ)
    source = TouchingSource(source, folder=folder, ensure=TouchedIndexes(folder, source).ensure)
    settings = ServiceSettings(freshness_s=float("inf"))
    # An index that was asked for by name and is not there is a mistake, not an index to be made.
    first_touch = touched if index is None else refuse_first_touch
    service = new_service([mount], clock=time.monotonic, settings=settings, first_touch=first_touch)
    began_s = time.process_time()
    try:
        yield Opened(service, source, mount)
    finally:
        if trace_cost:
            tell(trace.as_json(time.process_time() - began_s))

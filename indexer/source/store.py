"""A source of objects in an object store, through obstore.

Each ranged read carries `If-Match`, and the ETag, the length and the range of each answer are checked as well: a store that
passes over `If-Match`, or cuts an answer short, gives an error and never bytes.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError

from indexer.asks import Head, Tail
from indexer.errors import AccessRefused, BinderyError, LocationInvalid, ObjectMissing, ObjectReplaced, StoreFailed
from indexer.limits import OBJECT_BYTES
from indexer.model import Identity, Span
from indexer.source.requests import PARALLEL_REQUESTS, plan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import ThreadPoolExecutor

    from obstore import GetOptions, GetResult, ObjectMeta

    from indexer.asks import Need
    from indexer.source.connect import Place, Stores

STORE_ERRORS: Final = (BaseError, OSError, ValueError)
"""What obstore raises: its own errors, `FileNotFoundError`, and `ValueError` for a key it cannot ask for."""

_TOLD_CHARACTERS = 300


class StoreSource:
    """Objects in buckets.

    Args:
        stores: The clients; shared with whatever writes there.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._pool: ThreadPoolExecutor | None = None

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        place = self._stores.place(url)
        try:
            return head_of(obstore.head(place.store, place.key), url)
        except STORE_ERRORS as error:
            raise failure(error, url) from error

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`. An empty object costs a second request: a store answers 416 to any range of it."""
        place = self._stores.place(url)
        try:
            result = obstore.get(place.store, place.key, options=tail_options(length))
            return checked_tail(result, bytes(result.bytes()), url, length)
        except STORE_ERRORS as error:
            if not unsatisfiable(error):
                raise failure(error, url) from error
            return empty_tail(self.head(url))

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`. A failed request fails the ask; those not yet begun are not sent."""
        requests = plan(of, spans)
        place = self._stores.place(of.url)
        return requests.answer(self._side_by_side([(place, of, span) for span in requests.spans]))

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`."""
        plans = [plan(need.of, need.spans) for need in needs]
        places = [self._stores.place(need.of.url) for need in needs]
        fetched = iter(
            self._side_by_side(
                [
                    (place, need.of, span)
                    for need, place, requests in zip(needs, places, plans, strict=True)
                    for span in requests.spans
                ]
            )
        )
        return [requests.answer(list(islice(fetched, len(requests.spans)))) for requests in plans]

    def _side_by_side(self, reads: Sequence[tuple[Place, Identity, Span]]) -> list[bytes]:
        if len(reads) <= 1:
            return [_fetch(read) for read in reads]
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 9 ms that a single request does not need

            # Two threads that come first together make two pools; each works, and the one not kept ends with its last request.
            self._pool = ThreadPoolExecutor(PARALLEL_REQUESTS, thread_name_prefix="bindery-range")
        failed: list[BinderyError] = []

        def fetch_unless_failed(read: tuple[Place, Identity, Span]) -> bytes:
            if failed:
                return b""  # nobody will see it: the failure is raised below
            try:
                return _fetch(read)
            except BinderyError as error:
                failed.append(error)
                raise

        return list(self._pool.map(fetch_unless_failed, reads))


def _fetch(read: tuple[Place, Identity, Span]) -> bytes:
    """One ranged read of that version."""
    place, of, span = read
    try:
        result = obstore.get(place.store, place.key, options=read_options(of, span))
        return checked_read(result, bytes(result.bytes()), of, span)
    except STORE_ERRORS as error:
        raise failure(error, of.url, of=of) from error


def tail_options(length: int) -> GetOptions:
    """The request for the last `length` bytes; a tail of nothing asks for one byte, because a store refuses an empty range."""
    return {"range": {"suffix": max(length, 1)}}


def read_options(of: Identity, span: Span) -> GetOptions:
    """The request for `span` of that version. An ETag is quoted in `If-Match` (RFC 9110 13.1.1).

    Raises:
        ObjectReplaced: No store gives such an ETag, so no object bears it. It may come out of a damaged or a hostile index, and a
            line break in a header ends obstore with a panic, which is no `Exception`.
    """
    if not _is_etag(of.etag):
        raise _replaced(of.url)
    return {"range": (span.start, span.stop), "if_match": f'"{of.etag}"'}


def head_of(meta: ObjectMeta, url: str) -> Head:
    """The version that a store's answer speaks of.

    Raises:
        StoreFailed: It names no version: there is no ETag, or a weak one, which two versions may share (RFC 9110 8.8.1).
    """
    etag = (meta["e_tag"] or "").strip('"')
    if etag.startswith("W/") or not _is_etag(etag):
        raise StoreFailed(
            "the store does not tell which version of the object this is (no strong ETag)",
            hint="Read it from a store that does, or copy it to a local file",
            object=url,
        )
    if not 0 <= meta["size"] <= OBJECT_BYTES:
        raise StoreFailed("the store tells a length that no object has", hint="Check the endpoint", object=url, size=meta["size"])
    return Head(Identity(url, etag, meta["size"]), int(meta["last_modified"].timestamp()))


def checked_tail(result: GetResult, data: bytes, url: str, length: int) -> Tail:
    """The answer to `tail_options`, once it is shown to be whole; `data` is its body."""
    identity = head_of(result.meta, url).identity
    first = max(identity.size - max(length, 1), 0)
    if tuple(result.range) != (first, identity.size) or len(data) != identity.size - first:
        raise _cut_short(url, first, identity.size - first, len(data))
    return Tail(identity, data if length > 0 else b"")


def empty_tail(head: Head) -> Tail:
    """The tail of an object to which no range applies."""
    if head.identity.size:
        raise StoreFailed("the store refuses a range that the object has", hint="Try again", object=head.identity.url)
    return Tail(head.identity, b"")


def checked_read(result: GetResult, data: bytes, of: Identity, span: Span) -> bytes:
    """`data`, the body of an answer to `read_options`, once it is shown to be those bytes of that version."""
    if head_of(result.meta, of.url).identity != of:
        raise _replaced(of.url)
    if tuple(result.range) != span or len(data) != span.length:
        raise _cut_short(of.url, span.start, span.length, len(data))
    return data


def unsatisfiable(error: Exception) -> bool:
    """Whether the store said that there is no such range. Some say it with 206 and the range `0--1/0` of an empty object."""
    return "416 Range Not Satisfiable" in str(error) or 'CONTENT_RANGE header: "bytes 0--1/0"' in str(error)


def failure(error: Exception, url: str, *, of: Identity | None = None) -> BinderyError:
    """What an error of obstore means.

    Args:
        error: One of `STORE_ERRORS`.
        url: The object it concerns.
        of: The version that was asked for, if any: a range refused within its length is the range of another version.
    """
    text = _told(error)
    if isinstance(error, FileNotFoundError):
        if "NoSuchBucket" in text:
            return ObjectMissing("there is no such bucket", hint="Check the bucket's name and the endpoint", object=url)
        return ObjectMissing("there is no such object", hint="Check the bucket and the key", object=url)
    if isinstance(error, PreconditionError) or (of is not None and unsatisfiable(error)):
        return _replaced(url)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        if "InvalidObjectState" in text:
            return AccessRefused("the object is in an archive storage class", hint="Restore it in S3 first", object=url)
        return AccessRefused(
            f"the store refused us: {text}",
            hint="Check the credentials and the bucket's policy; without the right to list, a missing key is refused too",
            object=url,
        )
    if isinstance(error, ValueError):
        return LocationInvalid(f"our S3 client cannot ask for this key: {text}", hint="Copy the object to a plain key", object=url)
    if "Received redirect" in text:
        return StoreFailed("the bucket lies in another region", hint="Set AWS_REGION to the bucket's region", object=url)
    if "non-partial response" in text:
        return StoreFailed("the store does not serve ranges", hint="Read the archive from S3 or from a local copy", object=url)
    return StoreFailed(f"the store failed: {text}", hint="Try again later", object=url)


def _is_etag(text: str) -> bool:
    """Whether `text` can stand between the quotes of an ETag (RFC 9110 8.8.3, without its obsolete bytes)."""
    return bool(text) and all("!" <= char <= "~" and char != '"' for char in text)


def _told(error: Exception) -> str:
    """What obstore's message tells a person: the status with S3's code and message, or the cause."""
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    _, answered, status = text.partition("Server returned non-2xx status code: ")
    if answered:
        tags = [status.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0] for tag in ("Code", "Message")]
        text = ", ".join(part for part in (status.partition(":")[0], *tags) if part)
    return text.removeprefix("Generic S3 error: ")[:_TOLD_CHARACTERS]


def _replaced(url: str) -> ObjectReplaced:
    return ObjectReplaced("the object was replaced since it was opened", hint="Open it again", object=url)


def _cut_short(url: str, offset: int, length: int, received: int) -> StoreFailed:
    return StoreFailed(
        "the store gave other bytes than it was asked for",
        hint="Try again",
        object=url,
        offset=offset,
        length=length,
        received=received,
    )

"""What the service answers, as plain values; the doors write them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from indexer.asks import Body
from object_lambda.requests import ListRequest


@dataclass(frozen=True, slots=True)
class ObjectHead:
    """What S3 tells of an object beside its bytes. Every text may stand in a header as it is (printable ASCII).

    Args:
        size: Length of the whole object in bytes, whatever range is answered.
        etag: Without quotes.
        mtime_s: Last-Modified, whole seconds since 1970.
        metadata: User metadata, names in lower case without `x-amz-meta-`.
        crc32: Base64 of the whole object's CRC-32 when the caller asked for it and the answer covers the whole object.
    """

    size: int
    etag: str
    mtime_s: int
    content_type: str
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    expires: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    crc32: str | None = None


@dataclass(frozen=True, slots=True)
class ObjectAnswer:
    """The answer to GetObject or HeadObject.

    Args:
        status: 200, 206 (a range) or 304 (not modified: no body, and no length is told).
        head: What is told of the object.
        content_length: Length of the body, of a HEAD the length a GET would have.
        content_range: As the header has it (`bytes 0-9/100`); None unless the status is 206.
        start: The first bytes of the body, already at hand; all of them when there is no `rest`.
        rest: Runs on to hand out the remaining bytes (`drivers.stream`); None when `start` is all, checked to its end.
    """

    status: int
    head: ObjectHead
    content_length: int
    content_range: str | None = None
    start: bytes = b""
    rest: Body | None = None


class Entry(NamedTuple):
    """One key of a listing. `etag` is without quotes; size, ETag and time equal those of HEAD and GET."""

    key: bytes
    size: int
    etag: str
    mtime_s: int
    storage_class: str = "STANDARD"


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """One page of a listing.

    Args:
        request: What was asked; a document echoes it.
        entries: Keys in byte order.
        prefixes: Common prefixes in byte order.
        last: The last key or prefix told, when more follow; None when this page ends the listing.
        token: Where to go on as a caller is told it; None for the usual spelling of `last`.
    """

    request: ListRequest
    entries: list[Entry]
    prefixes: list[bytes]
    last: bytes | None = None
    token: str | None = None

    @property
    def truncated(self) -> bool:
        """Whether more follow."""
        return self.last is not None

"""The live side of an overlay: which keys have loose objects beneath them, and what is asked of the store that holds those. Pure.

A bound object is read out of an archive, a loose one where it has always lain: under the live prefix. How a door reaches that
differs (its own role, or the caller's presigned URL), so `overlay` only says what it wants, and `live_drivers` has it answered.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from indexer.asks import Ask
from indexer.errors import SettingInvalid
from indexer.limits import NAME_BYTES
from object_lambda.answers import Entry
from object_lambda.requests import ObjectRequest

T = TypeVar("T")

HIGHEST: Final = "\U0010ffff".encode()
"""Behind a common prefix: greater than every key in it that text can spell, save those that begin with this very noncharacter."""

PASSED_ON: Final = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
    }
)
"""Headers of the store's answers about objects that clients get; with those that begin with `x-amz-`, but for `KEPT_BACK`."""

KEPT_BACK: Final = frozenset({"x-amz-bucket-region", "x-amz-id-2", "x-amz-request-id", "x-amz-access-point-alias"})
"""Headers that speak of the store's own endpoint, where ours has its own to tell."""


@dataclass(frozen=True, slots=True)
class LivePlace:
    """A prefix whose unbound keys are served from a live prefix.

    Args:
        bucket: The bucket's name, as callers see it.
        prefix: Empty, or UTF-8 that ends in `/`.
        source_bucket: Where the loose objects lie.
        source_prefix: What their keys begin with, where those of callers begin with `prefix`.
    """

    bucket: str
    prefix: bytes
    source_bucket: str
    source_prefix: bytes

    def __post_init__(self) -> None:
        if not self.bucket or "/" in self.bucket or (self.prefix and not self.prefix.endswith(b"/")):
            raise ValueError(f"{self.bucket!r} and {self.prefix!r} are no place of a mount")

    def source_key(self, key: bytes) -> bytes:
        """The live key of one of this place's keys."""
        return self.source_prefix + key[len(self.prefix) :]


class LivePlaces:
    """All live prefixes of one service.

    Args:
        places: In any order.

    Raises:
        SettingInvalid: One lies at or beneath another.
    """

    def __init__(self, places: Iterable[LivePlace]) -> None:
        self._places: dict[str, tuple[LivePlace, ...]] = {}
        for place in sorted(places, key=lambda place: (place.bucket, place.prefix)):
            before = self._places.get(place.bucket, ())
            if before and place.prefix.startswith(before[-1].prefix):
                where = f"{place.bucket}/{place.prefix.decode()}"
                raise SettingInvalid("a live prefix lies at or beneath another", hint="Leave one out", setting="live", place=where)
            self._places[place.bucket] = (*before, place)

    def buckets(self) -> list[str]:
        """The buckets that have one, sorted."""
        return list(self._places)

    def of(self, bucket: str) -> tuple[LivePlace, ...]:
        """Those of a bucket, by their prefixes."""
        return self._places.get(bucket, ())

    def covering(self, bucket: str, key: bytes) -> LivePlace | None:
        """The one that answers for an unbound key, if any."""
        return next((place for place in self.of(bucket) if key.startswith(place.prefix) and place.source_key(key)), None)


@dataclass(frozen=True, slots=True)
class LiveObject:
    """Wanted: the loose object under this key. Answered with a `LiveAnswer`; raises what the live side refuses with.

    Args:
        method: `GET` or `HEAD`.
        bucket: The live one.
        key: The live one.
        request: What the caller asked, whose range, conditions and overrides the store is to weigh.
    """

    method: str
    bucket: str
    key: bytes
    request: ObjectRequest


@dataclass(frozen=True, slots=True)
class LiveList:
    """Wanted: loose keys. Answered with a `LivePage`.

    Args:
        bucket: The live one.
        prefix: Only keys that begin with it.
        delimiter: As in a listing; empty for none.
        after: Only what is greater; empty for everything.
        max_keys: At most so many are needed; a page may hold more.
    """

    bucket: str
    prefix: bytes
    delimiter: bytes
    after: bytes
    max_keys: int

    @property
    def start_after(self) -> bytes:
        """What to ask the store to begin after, so that it does not tell again of a common prefix that was told.

        Stores differ in whether a prefix that itself is what to begin after is told once more.
        """
        inside = self.after[len(self.prefix) :] if self.after.startswith(self.prefix) else b""
        found = inside.find(self.delimiter) if self.delimiter else -1
        rolled = self.after[: len(self.prefix) + found + len(self.delimiter)]
        return self.after if found < 0 or len(rolled) + len(HIGHEST) > NAME_BYTES else rolled + HIGHEST


@dataclass(frozen=True, slots=True)
class LivePage:
    """One page of loose keys.

    Args:
        entries: In byte order.
        prefixes: Common prefixes, in byte order.
        truncated: Whether more follow.
    """

    entries: list[Entry]
    prefixes: list[bytes]
    truncated: bool

    @property
    def last(self) -> bytes | None:
        """Up to where the page tells all there is; None when nothing follows it."""
        if not self.truncated:
            return None
        return max(self.entries[-1].key if self.entries else b"", self.prefixes[-1] if self.prefixes else b"")


class Pieces(Protocol):
    """A body as it comes. Raises StoreFailed where it breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the bytes in order."""
        ...

    def close(self) -> None:
        """Hang up on the store, if the body has not come to its end."""
        ...


class AsyncPieces(Protocol):
    """As `Pieces`, on an event loop."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """As `Pieces.__iter__`."""
        ...

    async def aclose(self) -> None:
        """As `Pieces.close`."""
        ...


@dataclass(frozen=True, slots=True)
class LiveAnswer:
    """What the store says of a loose object: 200, 206 or 304.

    Args:
        status: As it came.
        headers: Names in lower case, those of `PASSED_ON` and the `x-amz-` ones.
        pieces: The body as it comes; None where there is none.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    pieces: Pieces | AsyncPieces | None = None

    @property
    def content_length(self) -> int | None:
        """Length of the body, of a HEAD the length a GET would have; None when it is not told."""
        text = self.header("content-length")
        return int(text) if text is not None and text.isascii() and text.isdigit() else None

    def header(self, name: str) -> str | None:
        """The value of one header, by its name in lower case."""
        return next((value for known, value in self.headers if known == name), None)


LiveAsk = LiveObject | LiveList

OverlaySteps = Generator[Ask | LiveAsk, Any, T]
"""A computation that asks of archives and of the live side."""


class Live(Protocol):
    """Answers what is asked of the live side, in the caller's thread."""

    def open(self, ask: LiveObject) -> LiveAnswer:
        """Begin a read. Costs one request. Raises LiveRefusal, StoreFailed or AccessRefused."""
        ...

    def list(self, ask: LiveList) -> LivePage:
        """One page of keys. Costs one request. Raises as `open`."""
        ...


class AsyncLive(Protocol):
    """As `Live`, on an event loop."""

    async def open(self, ask: LiveObject) -> LiveAnswer:
        """As `Live.open`."""
        ...

    async def list(self, ask: LiveList) -> LivePage:
        """As `Live.list`."""
        ...

    def close(self) -> None:
        """Give up what is kept for the next request."""
        ...


def passed_on(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Those headers of the store's answer that a client gets, names in lower case."""
    lower = ((name.lower(), value) for name, value in headers)
    return tuple(
        (name, value) for name, value in lower if name in PASSED_ON or (name.startswith("x-amz-") and name not in KEPT_BACK)
    )

"""A source of objects held in memory: for tests, and for archives that are already there as bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from indexer.asks import Head, Tail
from indexer.errors import ObjectMissing, ObjectReplaced
from indexer.model import Identity
from indexer.source.requests import plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from indexer.model import Span


class MemorySource:
    """Objects by URL.

    Args:
        objects: The bytes at each URL. The mapping is kept, not copied: replacing a value replaces the object, whose ETag is
            the MD5 of its bytes as S3's is.
        mtime_s: Last-Modified of every object, in seconds since 1970.
    """

    def __init__(self, objects: Mapping[str, bytes], *, mtime_s: int = 0) -> None:
        self.objects = objects
        self.mtime_s = mtime_s
        self._identities: dict[str, tuple[bytes, Identity]] = {}

    def identity(self, url: str) -> Identity:
        """Which version is at `url`; raises `ObjectMissing`."""
        data = self.objects.get(url)
        if data is None:
            raise ObjectMissing("there is no such object", hint="Check the location", object=url)
        known = self._identities.get(url)
        if known is None or known[0] is not data:
            etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
            known = self._identities[url] = (data, Identity(url, etag, len(data)))
        return known[1]

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        return Head(self.identity(url), self.mtime_s)

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        identity = self.identity(url)
        return Tail(identity, self.objects[url][max(identity.size - length, 0) :])

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        requests = plan(of, spans)
        if self.identity(of.url) != of:
            raise ObjectReplaced("the object was replaced since it was opened", hint="Open it again", object=of.url)
        data = self.objects[of.url]
        return requests.answer(data[start:stop] for start, stop in requests.spans)


class AsyncMemorySource:
    """As `MemorySource`, on an event loop; it never waits."""

    def __init__(self, objects: Mapping[str, bytes], *, mtime_s: int = 0) -> None:
        self._source = MemorySource(objects, mtime_s=mtime_s)

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        return self._source.head(url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return self._source.tail(url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        return self._source.read(of, spans)

"""Ranged sources: where bytes come from. Read-only by type: there is no way to write through a `Source`.

One source serves many objects; which one is told by its URL. Every `read` is bound to the version it names: a source that finds
another version raises `ObjectReplaced`, never the other version's bytes.
"""

from __future__ import annotations

from typing import Protocol

from indexer.asks import Head, Tail
from indexer.model import Identity, Span


class Source(Protocol):
    """Answers asks, one caller's thread at a time or many (implementations are safe for threads)."""

    def head(self, url: str) -> Head:
        """Tell which version is at `url`. Costs one request. Raises `ObjectMissing`, `AccessRefused`, `StoreFailed`."""
        ...

    def tail(self, url: str, length: int) -> Tail:
        """Read the last `length` bytes at `url`, all when it is shorter. Costs one request. Raises as `head`."""
        ...

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """Read `spans` of that very version, each answered in full.

        Costs one request for each group of neighbours (`ranges.coalesce`), all sent side by side.

        Raises:
            ObjectReplaced: Another version is there now.
            ObjectMissing, AccessRefused, StoreFailed: As `head`.
        """
        ...


class AsyncSource(Protocol):
    """As `Source`, on an event loop."""

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        ...

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        ...

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        ...

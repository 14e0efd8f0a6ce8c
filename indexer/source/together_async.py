"""As `together`, on an event loop, where every source can answer several needs at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from indexer.asks import Need
    from indexer.source import AsyncSource

    Needs = tuple[Need, ...]


@runtime_checkable
class AsyncSideBySide(Protocol):
    """A source that wants to know that several needs are one step."""

    async def read_together(self, needs: Needs) -> list[list[bytes]]:
        """As `SideBySide.read_together`."""
        ...


async def read_together_async(source: AsyncSource, needs: Needs) -> list[list[bytes]]:
    """As `together.read_together`. When it fails or is cancelled, nothing of it stays under way."""
    if len(needs) > 1 and isinstance(source, AsyncSideBySide):
        return await source.read_together(needs)
    if len(needs) == 1:
        return [await source.read(needs[0].of, needs[0].spans)]
    tasks = [asyncio.create_task(_read(source, need)) for need in needs]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(source: AsyncSource, need: Need) -> list[bytes]:
    return await source.read(need.of, need.spans)

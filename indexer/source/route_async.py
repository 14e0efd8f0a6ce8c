"""The source for every URL, on an event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from indexer.errors import LocationInvalid
from indexer.source.local_async import AsyncLocalSource
from indexer.urls import FILE, SPELLINGS, split

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from indexer.asks import Head, Tail
    from indexer.model import Identity, Span
    from indexer.source import AsyncSource

    Env = Mapping[str, str]


def _local(env: Env) -> AsyncSource:  # noqa: ARG001 - one signature for all kinds
    return AsyncLocalSource()


def _store(env: Env) -> AsyncSource:
    from indexer.source.connect import Stores  # noqa: PLC0415 - on first need, as in `route`
    from indexer.source.settings import StoreSettings  # noqa: PLC0415
    from indexer.source.store_async import AsyncStoreSource  # noqa: PLC0415

    return AsyncStoreSource(Stores(StoreSettings.read(env)))


OPENERS: Final[dict[str, Callable[[Env], AsyncSource]]] = {FILE: _local, "s3": _store}
"""What opens the source of each scheme that `indexer.urls` spells."""


class AsyncRoutedSource:
    """As `RoutedSource`, on an event loop."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._sources: dict[str, AsyncSource] = {}

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        return await self._of(url).head(url)

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return await self._of(url).tail(url, length)

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        return await self._of(of.url).read(of, spans)

    def _of(self, url: str) -> AsyncSource:
        scheme = split(url).scheme
        source = self._sources.get(scheme)
        if source is None:
            opener = OPENERS.get(scheme)
            if opener is None:
                raise LocationInvalid("there is no way to read this here", hint=SPELLINGS, location=url)
            source = self._sources.setdefault(scheme, opener(self._env))
        return source


def open_async_source(env: Env) -> AsyncSource:
    """As `route.open_source`, on an event loop."""
    return AsyncRoutedSource(env)

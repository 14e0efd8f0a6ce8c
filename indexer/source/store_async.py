"""Objects in an object store, on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import obstore

from indexer.source.requests import PARALLEL_REQUESTS, plan
from indexer.source.store import (
    STORE_ERRORS,
    checked_read,
    checked_tail,
    empty_tail,
    failure,
    head_of,
    read_options,
    tail_options,
    unsatisfiable,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from indexer.asks import Head, Tail
    from indexer.model import Identity, Span
    from indexer.source.connect import Place, Stores


class AsyncStoreSource:
    """As `StoreSource`, on an event loop."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        place = self._stores.place(url)
        try:
            return head_of(await obstore.head_async(place.store, place.key), url)
        except STORE_ERRORS as error:
            raise failure(error, url) from error

    async def tail(self, url: str, length: int) -> Tail:
        """As `StoreSource.tail`."""
        place = self._stores.place(url)
        try:
            result = await obstore.get_async(place.store, place.key, options=tail_options(length))
            return checked_tail(result, bytes(await result.bytes_async()), url, length)
        except STORE_ERRORS as error:
            if not unsatisfiable(error):
                raise failure(error, url) from error
            return empty_tail(await self.head(url))

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `StoreSource.read`. When it fails or is cancelled, no request of it stays under way."""
        requests = plan(of, spans)
        place = self._stores.place(of.url)
        return requests.answer(await _side_by_side(place, of, requests.spans))


async def _side_by_side(place: Place, of: Identity, spans: Sequence[Span]) -> list[bytes]:
    if len(spans) <= 1:
        return [await _fetch(place, of, span) for span in spans]
    turn = asyncio.Semaphore(PARALLEL_REQUESTS)

    async def in_turn(span: Span) -> bytes:
        async with turn:
            return await _fetch(place, of, span)

    tasks = [asyncio.create_task(in_turn(span)) for span in spans]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _fetch(place: Place, of: Identity, span: Span) -> bytes:
    try:
        result = await obstore.get_async(place.store, place.key, options=read_options(of, span))
        return checked_read(result, bytes(await result.bytes_async()), of, span)
    except STORE_ERRORS as error:
        raise failure(error, of.url, of=of) from error

"""As `indexer.drivers`, on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.asks import Ask, Body, Need, NeedHead, NeedTail, Steps
from indexer.errors import BinderyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from indexer.model import Identity, Span
    from indexer.source import AsyncSource

T = TypeVar("T")


async def answer_async(ask: Ask, source: AsyncSource) -> object:
    """Have `source` answer one ask."""
    match ask:
        case Need():
            return await source.read(ask.of, ask.spans)
        case NeedTail():
            return await source.tail(ask.url, ask.length)
        case NeedHead():
            return await source.head(ask.url)


async def run_async(steps: Steps[T], source: AsyncSource) -> T:
    """As `drivers.run`, on an event loop."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = await answer_async(ask, source)
            except BinderyError as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


async def stream_async(body: Body, source: AsyncSource) -> AsyncGenerator[bytes, None]:
    """As `drivers.stream`, on an event loop; what the body names as next is always fetched meanwhile.

    Who may stop early closes it (`contextlib.aclosing`): only then is nothing left under way.
    """
    begun: dict[tuple[Identity, tuple[Span, ...]], asyncio.Task[list[bytes]]] = {}
    reply: Any = None
    error: BinderyError | None = None
    try:
        while True:
            try:
                asked = body.send(reply) if error is None else body.throw(error)
            except StopIteration:
                return
            reply = error = None
            if isinstance(asked, bytes):
                if asked:
                    yield asked
                continue
            try:
                if isinstance(asked, Need):
                    under_way = begun.pop((asked.of, asked.spans), None)
                    if asked.ahead and (asked.of, asked.ahead) not in begun:
                        begun[asked.of, asked.ahead] = asyncio.create_task(source.read(asked.of, asked.ahead))
                    reply = await (under_way if under_way is not None else source.read(asked.of, asked.spans))
                else:
                    reply = await answer_async(asked, source)
            except BinderyError as raised:
                error = raised
    finally:
        body.close()
        for task in begun.values():
            task.cancel()
        await asyncio.gather(*begun.values(), return_exceptions=True)

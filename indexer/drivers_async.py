"""As `indexer.drivers`, on an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.asks import Ask, Body, Need, NeedHead, NeedTail, Steps, Together
from indexer.errors import BinderyError
from indexer.source.together_async import read_together_async

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from indexer.model import Identity, Span
    from indexer.source import AsyncSource

    Wanted = tuple[Identity, tuple[Span, ...]]

T = TypeVar("T")


async def answer_async(ask: Ask, source: AsyncSource) -> object:
    """Have `source` answer one ask."""
    match ask:
        case Need():
            return await source.read(ask.of, ask.spans)
        case Together():
            return await read_together_async(source, ask.needs)
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
    begun: dict[Wanted, asyncio.Task[list[bytes]]] = {}
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
                if isinstance(asked, Need | Together):
                    needs = asked.needs if isinstance(asked, Together) else (asked,)
                    replies = await _with_ahead(needs, source, begun)
                    reply = replies if isinstance(asked, Together) else replies[0]
                else:
                    reply = await answer_async(asked, source)
            except BinderyError as raised:
                error = raised
    finally:
        body.close()
        for task in begun.values():
            task.cancel()
        await asyncio.gather(*begun.values(), return_exceptions=True)


async def _with_ahead(
    needs: tuple[Need, ...], source: AsyncSource, begun: dict[Wanted, asyncio.Task[list[bytes]]]
) -> list[list[bytes]]:
    """Answer needs from what was begun for them, and begin what they name as next."""
    under_way = [begun.get((need.of, need.spans)) for need in needs]
    for need in needs:
        if need.ahead and (need.of, need.ahead) not in begun:
            begun[need.of, need.ahead] = asyncio.create_task(source.read(need.of, need.ahead))
    missing = tuple(need for need, task in zip(needs, under_way, strict=True) if task is None)
    try:
        fetched = iter(await read_together_async(source, missing))
        return [next(fetched) if task is None else await task for task in under_way]
    finally:  # what is done was used, and a failure is told once; what is not done yet is left for `stream_async` to cancel
        for need, task in zip(needs, under_way, strict=True):
            if task is not None and task.done():
                begun.pop((need.of, need.spans), None)

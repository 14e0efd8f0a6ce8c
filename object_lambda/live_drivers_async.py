"""As `object_lambda.live_drivers`, on an event loop."""

from __future__ import annotations

from typing import TypeVar

from indexer.drivers_async import answer_async
from indexer.errors import BinderyError
from indexer.source import AsyncSource
from object_lambda.live import AsyncLive, LiveAsk, LiveList, LiveObject, OverlaySteps
from object_lambda.s3_errors import S3Error

T = TypeVar("T")


async def run_overlaid_async(steps: OverlaySteps[T], source: AsyncSource, live: AsyncLive) -> T:
    """As `live_drivers.run_overlaid`, on an event loop."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = await (_of_live(ask, live) if isinstance(ask, LiveAsk) else answer_async(ask, source))
            except (BinderyError, S3Error) as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


async def _of_live(ask: LiveAsk, live: AsyncLive) -> object:
    match ask:
        case LiveObject():
            return await live.open(ask)
        case LiveList():
            return await live.list(ask)

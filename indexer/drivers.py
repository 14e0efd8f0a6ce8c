"""Drivers: run what asks (`indexer.asks`) against what can answer (`indexer.source`), in the caller's thread.

There is one driver for computations (`run`) and one for bodies (`stream`); `indexer.drivers_async` has the same pair for an event
loop, apart from this one because loading asyncio costs 30 ms of a cold start. An error raised by the source is thrown into the
parser at the place that asked, so that it can add what it knows or try again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from indexer.asks import Ask, Body, Need, NeedHead, NeedTail, Steps, Together
from indexer.errors import BinderyError
from indexer.source.together import read_together

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Executor, Future

    from indexer.model import Identity, Span
    from indexer.source import Source

    Wanted = tuple[Identity, tuple[Span, ...]]

T = TypeVar("T")


def answer(ask: Ask, source: Source) -> object:
    """Have `source` answer one ask."""
    match ask:
        case Need():
            return source.read(ask.of, ask.spans)
        case Together():
            return read_together(source, ask.needs)
        case NeedTail():
            return source.tail(ask.url, ask.length)
        case NeedHead():
            return source.head(ask.url)


def run(steps: Steps[T], source: Source) -> T:
    """Run a computation to its end; returns what it returns, raises what it raises."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = answer(ask, source)
            except BinderyError as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def stream(body: Body, source: Source, *, ahead: Executor | None = None) -> Generator[bytes, None, None]:
    """Hand out the pieces of a body in order.

    Args:
        body: What to run.
        source: What answers it; used from `ahead`'s threads too when that is given.
        ahead: Fetches what the body names as next while the caller is busy with the present piece; None to fetch on demand only.

    Yields:
        Pieces of the member, none empty.

    Raises:
        Whatever the body raises; then the pieces so far are a true prefix.
    """
    begun: dict[Wanted, Future[list[bytes]]] = {}
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
                if ahead is not None and isinstance(asked, Need | Together):
                    needs = asked.needs if isinstance(asked, Together) else (asked,)
                    replies = _with_ahead(needs, source, ahead, begun)
                    reply = replies if isinstance(asked, Together) else replies[0]
                else:
                    reply = answer(asked, source)
            except BinderyError as raised:
                error = raised
    finally:
        body.close()
        for future in begun.values():
            future.cancel()


def _with_ahead(
    needs: tuple[Need, ...], source: Source, ahead: Executor, begun: dict[Wanted, Future[list[bytes]]]
) -> list[list[bytes]]:
    """Answer needs from what was begun for them, and begin what they name as next."""
    under_way = [begun.get((need.of, need.spans)) for need in needs]
    for need in needs:
        if need.ahead and (need.of, need.ahead) not in begun:
            begun[need.of, need.ahead] = ahead.submit(source.read, need.of, need.ahead)
    missing = tuple(need for need, future in zip(needs, under_way, strict=True) if future is None)
    try:
        fetched = iter(read_together(source, missing))
        return [next(fetched) if future is None else future.result() for future in under_way]
    finally:  # what is done was used, and a failure is told once; what is not done yet is left for `stream` to cancel
        for need, future in zip(needs, under_way, strict=True):
            if future is not None and future.done():
                begun.pop((need.of, need.spans), None)

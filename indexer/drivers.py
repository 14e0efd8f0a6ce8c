"""Drivers: run what asks (`indexer.asks`) against what can answer (`indexer.source`), in the caller's thread.

There is one driver for computations (`run`) and one for bodies (`stream`); `indexer.drivers_async` has the same pair for an event
loop, apart from this one because loading asyncio costs 30 ms of a cold start. An error raised by the source is thrown into the
parser at the place that asked, so that it can add what it knows or try again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from indexer.asks import Ask, Body, Need, NeedHead, NeedTail, Steps
from indexer.errors import BinderyError

if TYPE_CHECKING:
    from collections.abc import Generator
    from concurrent.futures import Executor, Future

    from indexer.model import Identity, Span
    from indexer.source import Source

T = TypeVar("T")


def answer(ask: Ask, source: Source) -> object:
    """Have `source` answer one ask."""
    match ask:
        case Need():
            return source.read(ask.of, ask.spans)
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
    begun: dict[tuple[Identity, tuple[Span, ...]], Future[list[bytes]]] = {}
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
                if isinstance(asked, Need) and ahead is not None:
                    under_way = begun.pop((asked.of, asked.spans), None)
                    if asked.ahead and (asked.of, asked.ahead) not in begun:
                        begun[asked.of, asked.ahead] = ahead.submit(source.read, asked.of, asked.ahead)
                    reply = under_way.result() if under_way is not None else source.read(asked.of, asked.spans)
                else:
                    reply = answer(asked, source)
            except BinderyError as raised:
                error = raised
    finally:
        body.close()
        for future in begun.values():
            future.cancel()

"""Sources that fail, lie, or are slow, by plan; every ask is counted.

A plan is a list of faults, one for each ask in order; an ask beyond the list is answered properly. So a test says exactly which
ask goes wrong and can tell afterwards how many were made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from indexer.asks import Head, Tail
from indexer.errors import BinderyError
from indexer.model import Identity, Span
from indexer.source import AsyncSource, Source

Answer = Head | Tail | list[bytes]


@dataclass
class Ask:
    """One ask as it came in."""

    kind: str
    url: str
    spans: tuple[Span, ...] = ()
    length: int = 0


@dataclass
class Fault:
    """What happens to one ask.

    Args:
        before: Runs before the ask is passed on; may raise, replace the object, or wait for an event the test owns.
        change: Makes another answer of the proper one.
    """

    before: Callable[[], None] = lambda: None
    change: Callable[[Answer], Answer] = lambda answer: answer


FINE = Fault()


def fails(error: BinderyError) -> Fault:
    """The ask raises `error`."""

    def give_up() -> None:
        raise error

    return Fault(before=give_up)


def does(action: Callable[[], None]) -> Fault:
    """`action` runs just before the ask is answered: replace an object, fill a disk."""
    return Fault(before=action)


def waits_for(event: threading.Event) -> Fault:
    """The ask stalls until the test sets `event`. For threads, not for an event loop."""
    return Fault(before=lambda: _wait(event))


def truncated(dropped_bytes: int) -> Fault:
    """The last bytes of every part are missing: what a source must never pass on, for tests of what stands behind it."""
    return Fault(change=lambda answer: _each(answer, lambda data: data[: max(len(data) - dropped_bytes, 0)]))


def flipped(offset: int) -> Fault:
    """One bit of the byte at `offset` of every part that reaches so far is wrong; negative offsets count from the end."""

    def flip(data: bytes) -> bytes:
        if not -len(data) <= offset < len(data):
            return data
        damaged = bytearray(data)
        damaged[offset] ^= 1
        return bytes(damaged)

    return Fault(change=lambda answer: _each(answer, flip))


def etag_becomes(etag: str) -> Fault:
    """A head or a tail speaks of another version."""

    def rename(answer: Answer) -> Answer:
        if isinstance(answer, list):
            return answer
        return answer._replace(identity=Identity(answer.identity.url, etag, answer.identity.size))

    return Fault(change=rename)


class FaultySource:
    """A source whose asks go wrong by plan.

    Args:
        source: Answers properly.
        faults: What happens to the first ask, the second, and so on.

    Attributes:
        asks: Every ask so far, whether it was answered or not.
    """

    def __init__(self, source: Source, faults: Iterable[Fault] = ()) -> None:
        self.source = source
        self.asks: list[Ask] = []
        self._plan = iter(faults)

    def head(self, url: str) -> Head:
        fault = self._next(Ask("head", url))
        fault.before()
        changed = fault.change(self.source.head(url))
        assert isinstance(changed, Head)
        return changed

    def tail(self, url: str, length: int) -> Tail:
        fault = self._next(Ask("tail", url, length=length))
        fault.before()
        changed = fault.change(self.source.tail(url, length))
        assert isinstance(changed, Tail)
        return changed

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        fault = self._next(Ask("read", of.url, spans))
        fault.before()
        changed = fault.change(self.source.read(of, spans))
        assert isinstance(changed, list)
        return changed

    def _next(self, ask: Ask) -> Fault:
        self.asks.append(ask)
        return next(self._plan, FINE)


class AsyncFaultySource:
    """As `FaultySource`, on an event loop."""

    def __init__(self, source: AsyncSource, faults: Iterable[Fault] = ()) -> None:
        self.source = source
        self.asks: list[Ask] = []
        self._plan = iter(faults)

    async def head(self, url: str) -> Head:
        fault = self._next(Ask("head", url))
        fault.before()
        changed = fault.change(await self.source.head(url))
        assert isinstance(changed, Head)
        return changed

    async def tail(self, url: str, length: int) -> Tail:
        fault = self._next(Ask("tail", url, length=length))
        fault.before()
        changed = fault.change(await self.source.tail(url, length))
        assert isinstance(changed, Tail)
        return changed

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        fault = self._next(Ask("read", of.url, spans))
        fault.before()
        changed = fault.change(await self.source.read(of, spans))
        assert isinstance(changed, list)
        return changed

    def _next(self, ask: Ask) -> Fault:
        self.asks.append(ask)
        return next(self._plan, FINE)


def _each(answer: Answer, change: Callable[[bytes], bytes]) -> Answer:
    if isinstance(answer, list):
        return [change(part) for part in answer]
    if isinstance(answer, Tail):
        return answer._replace(data=change(answer.data))
    return answer


def _wait(event: threading.Event) -> None:
    if not event.wait(timeout=60):
        raise AssertionError("the test never let this ask go on")

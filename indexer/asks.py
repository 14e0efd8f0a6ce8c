"""What a parser may ask for. Parsers ask, drivers fetch.

A parser is a generator: it yields one of these, and is sent the answer. It imports no client, no clock and no thread, so one
parser serves a Lambda, an event loop and a test (the form of h11 and zipindex).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar, cast

from indexer.errors import BinderyError
from indexer.model import Identity, Span

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Need:
    """Wanted: these spans of this version of an object. Answered with `list[bytes]`, one for each span.

    Spans that lie close together are fetched with one request; those of one ask are fetched side by side: an ask is one
    dependent step however many spans it has. `ahead` names what will most likely be asked for next, so that a driver may fetch it
    meanwhile; it may also ignore it.
    """

    of: Identity
    spans: tuple[Span, ...]
    ahead: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Together:
    """Wanted: all of these at once, of different objects. Answered with `list[list[bytes]]`, one list for each need.

    It is one dependent step, as a single `Need` is.
    """

    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class NeedTail:
    """Wanted: the last `length` bytes of whatever is at `url` now (all of it when it is shorter). Answered with `Tail`."""

    url: str
    length: int


@dataclass(frozen=True, slots=True)
class NeedHead:
    """Wanted: which version is at `url` now. Answered with `Head`."""

    url: str


class Tail(NamedTuple):
    """The end of an object and the version it belongs to."""

    identity: Identity
    data: bytes


class Head(NamedTuple):
    """The version of an object and when it was last modified (seconds since 1970)."""

    identity: Identity
    mtime_s: int


Ask = Need | Together | NeedTail | NeedHead

Steps = Generator[Ask, Any, T]
"""A computation that asks on its way to a `T`."""

Body = Generator[Ask | bytes, Any, None]
"""A computation that asks and hands out pieces of a member's bytes, in order."""


def until(kind: type[T], steps: Generator[Any, Any, Any]) -> Generator[Any, Any, T | None]:
    """Run `steps` on until it hands out something of this kind; all else that it yields is passed on, and the answers back.

    Args:
        kind: What is waited for: `bytes` of a body, `list` of a scan.
        steps: Just made, or last left where it handed out something of this kind; an error of the driver is thrown into it.

    Returns:
        What it handed out, or None when it has ended.
    """
    reply: Any = None
    error: BinderyError | None = None
    while True:
        try:
            told = steps.send(reply) if error is None else steps.throw(error)
        except StopIteration:
            return None
        if isinstance(told, kind):
            return told
        reply = error = None
        try:
            reply = yield told
        except BinderyError as raised:
            error = raised


def spans(of: Identity, *wanted: Span, ahead: tuple[Span, ...] = ()) -> Steps[list[bytes]]:
    """Ask for `wanted` of `of`; returns their bytes in the same order. Costs one dependent step."""
    return cast("list[bytes]", (yield Need(of, wanted, ahead)))


def together(*needs: Need) -> Steps[list[list[bytes]]]:
    """Ask for all of `needs`; returns the answer of each. Costs one dependent step."""
    return cast("list[list[bytes]]", (yield Together(needs)))


def span(of: Identity, start: int, stop: int) -> Steps[bytes]:
    """Ask for the bytes `[start, stop)` of `of`. Costs one dependent step."""
    return (yield from spans(of, Span(start, stop)))[0]


def tail(url: str, length: int) -> Steps[Tail]:
    """Ask for the last `length` bytes of the object at `url`. Costs one dependent step."""
    return cast(Tail, (yield NeedTail(url, length)))


def head(url: str) -> Steps[Head]:
    """Ask which version of an object is at `url`. Costs one dependent step."""
    return cast(Head, (yield NeedHead(url)))

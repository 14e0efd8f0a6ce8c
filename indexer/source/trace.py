"""What a call cost: a source that passes every ask on and writes down the requests it took.

The requests are those of `requests.plan`, which every source carries out: what is told here is what was sent. Two things lie
beneath it and are not told: a retry inside the store's client, and the second request by which `StoreSource` makes sure that
an object is empty.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from indexer.errors import BinderyError, Reason
from indexer.model import Identity, Span
from indexer.source.requests import plan
from indexer.source.together import read_together

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from indexer.asks import Head, Need, Tail
    from indexer.source import AsyncSource, Source


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """One request.

    Args:
        kind: `head`, `tail` or `read`.
        url: The object it went to.
        span: The bytes `[start, stop)` asked for; None where that is not known, as for a head and for a tail that failed.
        depth: Which dependent step it belongs to, from 1: requests of one depth were under way side by side.
        received_bytes: Bytes of the object that came back.
        failed: Why the ask it belongs to failed; None when it was answered.
    """

    kind: str
    url: str
    span: Span | None
    depth: int
    received_bytes: int
    failed: Reason | None = None

    def as_dict(self) -> dict[str, object]:
        """The request as JSON-ready values; `range` is half-open."""
        told: dict[str, object] = {
            "kind": self.kind,
            "object": self.url,
            "range": None if self.span is None else list(self.span),
            "depth": self.depth,
            "bytes": self.received_bytes,
        }
        return told if self.failed is None else told | {"failed": self.failed.value}


@dataclass(slots=True)
class Trace:
    """The requests of one call or of several, in the order in which their asks were answered.

    The first ask has depth 1, each later one adds 1, because it was made knowing the answers before it. What a driver fetches
    ahead counts as an ask of its own. Safe for threads.
    """

    made: list[TracedRequest] = field(default_factory=list)
    depth: int = 0

    @property
    def requests(self) -> int:
        """How many requests there were."""
        return len(self.made)

    @property
    def bytes(self) -> int:
        """How many bytes of objects came back."""
        return sum(request.received_bytes for request in self.made)

    def clear(self) -> None:
        """Begin anew, for the next call through the same source."""
        self.made.clear()
        self.depth = 0

    def as_json(self, cpu_s: float) -> str:
        """One line of JSON: totals, the CPU time that the caller measured, and every request."""
        return json.dumps(
            {
                "requests": self.requests,
                "depth": self.depth,
                "bytes": self.bytes,
                "cpu_s": round(cpu_s, 6),
                "made": [request.as_dict() for request in self.made],
            }
        )

    def step(self) -> int:
        """Begin an ask; returns its depth."""
        self.depth += 1
        return self.depth

    def begin(self, needs: Iterable[Need]) -> int:
        """Begin an ask of several needs; returns its depth."""
        return self.step() if any(plan(need.of, need.spans).requests for need in needs) else 0

    def together(self, needs: Iterable[Need], depth: int, *, failed: Reason | None = None) -> None:
        """Write down the requests of several needs."""
        for need in needs:
            self.read(need.of, depth, plan(need.of, need.spans).spans, failed=failed)

    def head(self, url: str, depth: int, *, failed: Reason | None = None) -> None:
        """Write down a head."""
        self.made.append(TracedRequest("head", url, None, depth, 0, failed))

    def tail(self, url: str, depth: int, tail: Tail | None, *, failed: Reason | None = None) -> None:
        """Write down a tail, answered or failed."""
        received = 0 if tail is None else len(tail.data)
        span = None if tail is None else Span(tail.identity.size - received, tail.identity.size)
        self.made.append(TracedRequest("tail", url, span, depth, received, failed))

    def read(self, of: Identity, depth: int, spans: Sequence[Span], *, failed: Reason | None = None) -> None:
        """Write down the requests of a read."""
        for span in spans:
            self.made.append(TracedRequest("read", of.url, span, depth, span.length if failed is None else 0, failed))


class TracedSource:
    """Passes every ask on to `source` and writes it down in `trace`. An ask that takes no request leaves no mark."""

    def __init__(self, source: Source, trace: Trace) -> None:
        self.source = source
        self.trace = trace

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        depth = self.trace.step()
        try:
            answer = self.source.head(url)
        except BinderyError as error:
            self.trace.head(url, depth, failed=error.reason)
            raise
        self.trace.head(url, depth)
        return answer

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        depth = self.trace.step()
        try:
            answer = self.source.tail(url, length)
        except BinderyError as error:
            self.trace.tail(url, depth, None, failed=error.reason)
            raise
        self.trace.tail(url, depth, answer)
        return answer

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        requests = plan(of, spans).spans
        depth = self.trace.step() if requests else 0
        try:
            answer = self.source.read(of, spans)
        except BinderyError as error:
            self.trace.read(of, depth, requests, failed=error.reason)
            raise
        self.trace.read(of, depth, requests)
        return answer

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`: one step, whatever the source makes of it."""
        depth = self.trace.begin(needs)
        try:
            answers = read_together(self.source, needs)
        except BinderyError as error:
            self.trace.together(needs, depth, failed=error.reason)
            raise
        self.trace.together(needs, depth)
        return answers


class AsyncTracedSource:
    """As `TracedSource`, on an event loop."""

    def __init__(self, source: AsyncSource, trace: Trace) -> None:
        self.source = source
        self.trace = trace

    async def head(self, url: str) -> Head:
        """As `Source.head`."""
        depth = self.trace.step()
        try:
            answer = await self.source.head(url)
        except BinderyError as error:
            self.trace.head(url, depth, failed=error.reason)
            raise
        self.trace.head(url, depth)
        return answer

    async def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        depth = self.trace.step()
        try:
            answer = await self.source.tail(url, length)
        except BinderyError as error:
            self.trace.tail(url, depth, None, failed=error.reason)
            raise
        self.trace.tail(url, depth, answer)
        return answer

    async def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        requests = plan(of, spans).spans
        depth = self.trace.step() if requests else 0
        try:
            answer = await self.source.read(of, spans)
        except BinderyError as error:
            self.trace.read(of, depth, requests, failed=error.reason)
            raise
        self.trace.read(of, depth, requests)
        return answer

    async def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`: one step, whatever the source makes of it."""
        from indexer.source.together_async import read_together_async  # noqa: PLC0415 - asyncio takes 30 ms to load

        depth = self.trace.begin(needs)
        try:
            answers = await read_together_async(self.source, needs)
        except BinderyError as error:
            self.trace.together(needs, depth, failed=error.reason)
            raise
        self.trace.together(needs, depth)
        return answers

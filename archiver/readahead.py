"""A source for reading one archive from front to back: fetches long stretches before they are asked for."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from typing import Final

from indexer.asks import Head, Need, Tail
from indexer.limits import REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.source import Source
from indexer.source.together import read_together

STRETCHES_AHEAD: Final = 2
"""So many stretches are under way beyond the present one: on one connection each, they fill most lines."""


class ReadAhead:
    """A `Source` that answers reads of ascending spans from stretches of `REQUEST_BYTES`, others as `source` does.

    Memory: `STRETCHES_AHEAD` + 2 stretches.

    Args:
        source: Where the bytes come from.
        executor: Fetches the stretches.
    """

    def __init__(self, source: Source, executor: Executor) -> None:
        self._source = source
        self._executor = executor
        self._of: Identity | None = None
        self._stretches: deque[tuple[Span, Future[bytes]]] = deque()

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        return self._source.head(url)

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`."""
        return self._source.tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`."""
        if of != self._of:
            self._of = of
            self._stretches.clear()
        return [self._one(of, span) for span in spans]

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`: the first need is of the archive, what others want is not read from front to back."""
        archive, *others = needs
        return [self.read(archive.of, archive.spans), *read_together(self._source, tuple(others))]

    def _one(self, of: Identity, span: Span) -> bytes:
        if self._stretches and span.start < self._stretches[0][0].start:
            return self._source.read(of, (span,))[0]
        while self._stretches and self._stretches[0][0].stop <= span.start:
            self._stretches.popleft()
        if self._stretches and span.start > self._stretches[-1][0].stop:
            self._stretches.clear()
        self._extend(of, span)
        parts = []
        for (start, stop), future in self._stretches:
            if start >= span.stop:
                break
            data = future.result()
            whole = span.start <= start and stop <= span.stop
            parts.append(data if whole else data[max(span.start - start, 0) : span.stop - start])
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _extend(self, of: Identity, span: Span) -> None:
        """Begin stretches until `span` and a little more is covered."""
        at = self._stretches[-1][0].stop if self._stretches else span.start
        wanted = min(of.size, max(span.stop, span.start + 1) + STRETCHES_AHEAD * REQUEST_BYTES)
        while at < span.stop or (at < wanted and len(self._stretches) <= STRETCHES_AHEAD):
            stretch = Span(at, min(at + REQUEST_BYTES, of.size))
            self._stretches.append((stretch, self._executor.submit(self._fetch, of, stretch)))
            at = stretch.stop

    def _fetch(self, of: Identity, stretch: Span) -> bytes:
        return self._source.read(of, (stretch,))[0]

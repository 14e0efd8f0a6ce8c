"""Which ranged reads answer an ask: the one plan that every source carries out and that a trace reports.

Because all sources go through `RequestPlan`, a trace that works out the same plan tells the requests that were really sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer import ranges
from indexer.errors import ArchiveDamaged
from indexer.limits import COALESCE_GAP_BYTES, REQUEST_BYTES
from indexer.model import Identity, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PARALLEL_REQUESTS = 16
"""Requests of one ask under way at a time: one connection to S3 gives about 90 MB/s, so these fill the line of one machine."""


@dataclass(frozen=True, slots=True)
class RequestPlan:
    """The requests of one ask: neighbours joined, long spans cut to `REQUEST_BYTES`.

    Args:
        wanted: The spans of the ask, or the pieces of its long ones.
        owners: For each of `wanted`, which span of the ask it belongs to; None when they are the same.
        requests: What to fetch, in byte order; none when every span is empty.
    """

    wanted: Sequence[Span]
    owners: Sequence[int] | None
    requests: list[ranges.Request]

    @property
    def spans(self) -> list[Span]:
        """The ranges to fetch."""
        return [request.span for request in self.requests]

    def answer(self, fetched: Iterable[bytes]) -> list[bytes]:
        """The bytes of each span of the ask, from the bytes of each request in order, each exactly as long as its range."""
        parts = ranges.cut(self.wanted, self.requests, fetched)
        if self.owners is None:
            return parts
        answers: list[list[bytes]] = [[] for _ in range(self.owners[-1] + 1)]
        for owner, part in zip(self.owners, parts, strict=True):
            answers[owner].append(part)
        return [b"".join(of_one) for of_one in answers]


def plan(of: Identity, spans: Sequence[Span]) -> RequestPlan:
    """Plan the requests for an ask.

    Raises:
        ArchiveDamaged: A span lies outside the object. Its length is part of its identity, so whatever pointed there is wrong,
            and asking the store would only say so later.
    """
    for span in spans:
        if not 0 <= span.start <= span.stop <= of.size:
            raise ArchiveDamaged(
                "something points outside the object", object=of.url, offset=span.start, length=span.length, size=of.size
            )
    wanted: Sequence[Span] = spans
    owners: list[int] | None = None
    if any(span.length > REQUEST_BYTES for span in spans):
        cut = [(owner, piece) for owner, span in enumerate(spans) for piece in ranges.pieces(span, REQUEST_BYTES) or [span]]
        owners, wanted = [owner for owner, _ in cut], [piece for _, piece in cut]
    return RequestPlan(wanted, owners, ranges.coalesce(wanted, gap_bytes=COALESCE_GAP_BYTES, request_bytes=REQUEST_BYTES))

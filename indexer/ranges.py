"""Pure arithmetic on half-open byte ranges: which requests fetch which spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from indexer.model import Span


@dataclass(frozen=True, slots=True)
class Request:
    """One ranged read that answers several wanted spans.

    Args:
        span: The bytes to fetch.
        answers: Positions in the list of wanted spans that lie inside it.
    """

    span: Span
    answers: tuple[int, ...]


def coalesce(wanted: Sequence[Span], *, gap_bytes: int, request_bytes: int) -> list[Request]:
    """Plan the fewest requests for `wanted`, joining spans whose distance is at most `gap_bytes`.

    Args:
        wanted: Spans in any order; they may overlap or be empty.
        gap_bytes: Longest run of unwanted bytes that is worth reading through.
        request_bytes: No two spans are joined beyond this length; one longer span stays one request.

    Returns:
        Requests in byte order. An empty span is answered by no request. Every other position appears exactly once.
    """
    order = sorted((position for position, span in enumerate(wanted) if span.length > 0), key=lambda at: wanted[at])
    requests: list[Request] = []
    answers: list[int] = []
    start = stop = 0
    for position in order:
        span = wanted[position]
        joined = max(stop, span.stop)
        if answers and span.start - stop <= gap_bytes and joined - start <= request_bytes:
            stop = joined
        else:
            if answers:
                requests.append(Request(Span(start, stop), tuple(answers)))
            start, stop, answers = span.start, span.stop, []
        answers.append(position)
    if answers:
        requests.append(Request(Span(start, stop), tuple(answers)))
    return requests


def cut(wanted: Sequence[Span], requests: Iterable[Request], fetched: Iterable[bytes]) -> list[bytes]:
    """Cut the bytes of `requests` back into the `wanted` spans.

    Args:
        wanted: As given to `coalesce`.
        requests: As `coalesce` returned them.
        fetched: The bytes of each request, each exactly as long as its span.

    Returns:
        One `bytes` for each wanted span, in the order of `wanted`.
    """
    parts = [b""] * len(wanted)
    for request, data in zip(requests, fetched, strict=True):
        for position in request.answers:
            start, stop = wanted[position]
            whole = start == request.span.start and stop == request.span.stop
            parts[position] = data if whole else data[start - request.span.start : stop - request.span.start]
    return parts


def pieces(span: Span, piece_bytes: int) -> list[Span]:
    """Cut `span` into consecutive spans of `piece_bytes` each; the last may be shorter."""
    return [Span(at, min(at + piece_bytes, span.stop)) for at in range(span.start, span.stop, piece_bytes)]

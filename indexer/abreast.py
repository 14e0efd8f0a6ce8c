"""Several computations at once: what they ask in the same step is asked together, and so costs one dependent step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from indexer.asks import Ask, Need, Steps, Together, together

T = TypeVar("T")


def abreast(computations: Sequence[Steps[T]]) -> Steps[list[T]]:
    """Run computations side by side.

    Args:
        computations: None of them begun. What they read (`Need`, `Together`) is asked together; any other ask is put alone.

    Returns:
        What each of them returns.

    Raises:
        Whatever one of them raises, or the source; the others are given up then.

    Cost:
        As many dependent steps as the longest of them.
    """
    if len(computations) == 1:
        return [(yield from computations[0])]
    ended: dict[int, T] = {}
    asks: dict[int, Ask] = {}

    def advance(place: int, reply: object) -> None:
        asks.pop(place, None)
        try:
            asks[place] = computations[place].send(reply)
        except StopIteration as end:
            ended[place] = end.value

    try:
        for place in range(len(computations)):
            advance(place, None)
        while asks:
            replies = yield from _answers(asks)
            for place, reply in replies.items():
                advance(place, reply)
    finally:
        for computation in computations:
            computation.close()
    return [ended[place] for place in range(len(computations))]


def _answers(asks: dict[int, Ask]) -> Steps[dict[int, object]]:
    """Have the reads among asks answered in one step; where there are none, one ask of another sort."""
    needs: list[Need] = []
    parts: dict[int, slice] = {}
    for place, ask in asks.items():
        if isinstance(ask, Need | Together):
            mine = ask.needs if isinstance(ask, Together) else (ask,)
            parts[place] = slice(len(needs), len(needs) + len(mine))
            needs += mine
    if not parts:
        place, ask = next(iter(asks.items()))
        reply: Any = yield ask
        return {place: reply}
    if len(needs) == 1:
        answers: list[list[bytes]] = [(yield needs[0])]
    else:
        answers = yield from together(*needs)
    return {place: answers[part] if isinstance(asks[place], Together) else answers[part][0] for place, part in parts.items()}

"""Which units answer an ask: spans cut into what the cache stores, and put together again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from indexer import ranges

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from indexer.model import Span


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """The units that answer an ask.

    Args:
        units: The distinct units, none empty, in the order they are first wanted.
        parts: For each span of the ask, the units it consists of, in order; none for an empty span.
    """

    units: tuple[Span, ...]
    parts: tuple[tuple[Span, ...], ...]

    def answer(self, found: Mapping[Span, bytes]) -> list[bytes]:
        """The bytes of each span of the ask, from the bytes of each unit. A span of one unit is not copied."""
        return [found[units[0]] if len(units) == 1 else b"".join([found[unit] for unit in units]) for units in self.parts]


def plan(spans: Sequence[Span], unit_bytes: int) -> UnitPlan:
    """Cut `spans` into units of at most `unit_bytes`.

    A page or a frame that is asked for as one span is one unit, so that the same ask finds it again; only spans longer than that
    are cut, from their own start.
    """
    parts = tuple(tuple(ranges.pieces(span, unit_bytes)) for span in spans)
    return UnitPlan(tuple(dict.fromkeys(unit for units in parts for unit in units)), parts)

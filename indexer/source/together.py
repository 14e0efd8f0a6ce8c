"""Several objects read in one dependent step: a member's frame and the context its decoding begins with, above all.

Most sources need nothing for it: those whose answers take no time answer one need after the other. The others are `SideBySide`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from indexer.asks import Need
    from indexer.source import Source

    Needs = tuple[Need, ...]


@runtime_checkable
class SideBySide(Protocol):
    """A source that can have requests for several objects under way at once."""

    def read_together(self, needs: Needs) -> list[list[bytes]]:
        """Answer each of `needs` as `Source.read` does, all of them in the time of one.

        Raises:
            As `Source.read`; when several fail, one of their errors.
        """
        ...


def read_together(source: Source, needs: Needs) -> list[list[bytes]]:
    """Have a source answer several needs: side by side if it can, else one after the other. As `SideBySide.read_together`."""
    if len(needs) > 1 and isinstance(source, SideBySide):
        return source.read_together(needs)
    return [source.read(need.of, need.spans) for need in needs]

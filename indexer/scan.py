"""What a scanner is: a generator that reads one archive and tells its members.

There is one scanner for each kind of archive in `indexer/formats/`; none knows another. Shared pieces (tar headers, zip
structures) lie beside this module.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from indexer.asks import Ask
from indexer.limits import REQUEST_BYTES
from indexer.model import Member, Span
from indexer.names import NameFault, shown

SCAN_BATCH_MEMBERS = 4096
"""Members in one batch at most: large enough to make the hand-over free, small enough to hold."""


@dataclass(slots=True)
class ScanSummary:
    """What a scan found beside the members, for people and for `--json`.

    Args:
        kind: The archive's kind, as `formats.KINDS` names it.
        left_out: How many names were refused, by fault.
        examples: Up to ten refused or odd names, each with its fault, as text.
        entries: Entries seen in all, directories and the like included.
        facts: Further facts of the kind (such as `seek_table`), flat and JSON-ready.
    """

    kind: str
    left_out: dict[NameFault, int] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    entries: int = 0
    facts: dict[str, str | int | bool] = field(default_factory=dict)

    def refuse(self, raw: bytes, fault: NameFault) -> None:
        """Count a name that was left out, and keep it as an example."""
        self.left_out[fault] = self.left_out.get(fault, 0) + 1
        if len(self.examples) < 10:
            self.examples.append(f"{fault.value}: {shown(raw)}")


@dataclass(frozen=True, slots=True)
class Keep:
    """Wanted of a build: that it keeps these bytes in the index file, as a frame's context. Answered with their `Span` there."""

    data: bytes


Scan = Generator[Ask | Keep | list[Member], Any, ScanSummary]
"""Yields asks, contexts to keep, and batches of members in archive order; returns the summary.

Member names are already clean (`names.clean`). Directories are no members unless the archive says that they stand for an object.
A name that appears twice is yielded twice; the later one counts.
"""


def in_turn(span: Span) -> Iterator[tuple[Span, tuple[Span, ...]]]:
    """Cut a span that is to be read from end to end into requests, each with what to fetch meanwhile (`Need.ahead`)."""
    for start in range(span.start, span.stop, REQUEST_BYTES):
        stop = min(start + REQUEST_BYTES, span.stop)
        yield Span(start, stop), (Span(stop, min(stop + REQUEST_BYTES, span.stop)),) if stop < span.stop else ()

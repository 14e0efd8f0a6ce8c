"""What a pack tells of its progress, so that a terminal can show it; here nothing is printed."""

from __future__ import annotations

import enum
from typing import Final, Protocol

from indexer.limits import MIB

TOLD_MEMBERS: Final = 500
TOLD_BYTES: Final = 4 * MIB
"""A word of progress comes when so much was done since the last one: drawing a bar costs more than packing a small member."""


class Phase(enum.StrEnum):
    """The steps of a pack, in order."""

    SELECT = "select"
    PACK = "pack"
    INDEX = "index"
    VERIFY = "verify"
    UPLOAD = "upload"
    """Of `archiver.install` alone, before INDEX."""


class Progress(Protocol):
    """Is told of the work as it is done, on the thread that packs."""

    def begin(self, phase: Phase, members: int | None, member_bytes: int | None) -> None:
        """A step begins; members and bytes it will have, where that is known."""
        ...

    def advance(self, members: int, member_bytes: int) -> None:
        """So many more members and bytes of the step are done."""
        ...


class Silent:
    """Takes no notice."""

    def begin(self, phase: Phase, members: int | None, member_bytes: int | None) -> None:
        """As `Progress.begin`."""

    def advance(self, members: int, member_bytes: int) -> None:
        """As `Progress.advance`."""


class Tally:
    """Counts the work of one step, and tells of it now and then."""

    def __init__(self, progress: Progress, phase: Phase, members: int | None = None, member_bytes: int | None = None) -> None:
        self._progress = progress
        self._members = self._bytes = self._all_members = 0
        progress.begin(phase, members, member_bytes)

    def add(self, members: int, member_bytes: int) -> None:
        """So much more is done."""
        self._members += members
        self._all_members += members
        self._bytes += member_bytes
        if self._members >= TOLD_MEMBERS or self._bytes >= TOLD_BYTES:
            self.tell()

    def reach(self, members: int) -> None:
        """So many members of the step are done by now."""
        self.add(members - self._all_members, 0)

    def tell(self) -> None:
        """Tell what was not told yet."""
        self._progress.advance(self._members, self._bytes)
        self._members = self._bytes = 0

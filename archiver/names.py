"""Which keys can become members, and which archive a derived name stands for."""

from __future__ import annotations

import re
from typing import Final

from archiver.settings import Format
from indexer.errors import SourceUnpackable
from indexer.limits import FRAME_RAW_BYTES, MEMBER_EXTENTS
from indexer.names import NameFault, clean

EXAMPLES: Final = 5

FAULTS: Final = {
    NameFault.EMPTY: "nothing is left of the key",
    NameFault.PARENT_SEGMENT: "a '..' segment",
    NameFault.NUL: "a NUL",
    NameFault.TOO_LONG: "longer than 1,024 bytes",
}
ALTERED: Final = "a leading '/' or './', or bytes that are not UTF-8"
MEMBER_BYTES: Final = (MEMBER_EXTENTS - 1) * FRAME_RAW_BYTES
"""Largest member whose frames an index can tell: refused before it is fetched, not when it is read back."""
TOO_LARGE: Final = f"longer than {MEMBER_BYTES:,} bytes"
FOLDER_WITH_BYTES: Final = "ends in '/' and is not empty"


def fault(name: bytes, size: int) -> str | None:
    """Why an object cannot become a member of this name, in words; None when it can.

    A name must come back from any tar or zip as it went in: what a reader would clean or refuse is refused here.
    """
    if name.endswith(b"/") and size:
        return FOLDER_WITH_BYTES
    if size > MEMBER_BYTES:
        return TOO_LARGE
    cleaned = clean(name)
    if isinstance(cleaned, NameFault):
        return FAULTS[cleaned]
    return None if cleaned == name else ALTERED


class LeftOut:
    """What was not selected: counts by reason, and some examples."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.examples: list[str] = []

    def add(self, key: str, why: str) -> None:
        """Count one."""
        self.counts[why] = self.counts.get(why, 0) + 1
        if self.counts[why] <= EXAMPLES:
            self.examples.append(f"{key!r}: {why}")

    @property
    def count(self) -> int:
        """How many in all."""
        return sum(self.counts.values())

    def refuse(self) -> None:
        """Raise one error for all of them, if there are any.

        Raises:
            SourceUnpackable: Some keys cannot be packed.
        """
        if self.counts:
            keys = "key" if self.count == 1 else "keys"
            raise SourceUnpackable(
                f"{self.count} {keys} cannot be packed, such as {'; '.join(self.examples[:EXAMPLES])}",
                hint="Rename them, or leave them out with --leave-out-unpackable",
            )


def derived(stem: str, sources: str, kind: Format) -> str:
    """The name of the archive of these sources: a retry finds its own work by it.

    Args:
        stem: What the source is called.
        sources: Hash over key, ETag and size of them all, in hexadecimal.
        kind: What kind of archive.
    """
    plain = re.sub(r"[^A-Za-z0-9._=-]+", "-", stem).strip("-.") or "archive"
    return f"{plain[:100]}-{sources[:8]}.{kind}"

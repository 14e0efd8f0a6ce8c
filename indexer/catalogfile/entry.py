"""What a catalog says of one archive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from indexer.indexfile.directory import Children
from indexer.model import Identity


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """An archive bound under a catalog's prefix. Two are equal when they tell the same of the same archive, whenever it was bound.

    Args:
        archive: Which version of the archive.
        index: Which version of its index.
        kind: What sort of archive, as `formats.KINDS` names it.
        prefix: What stands before each member's name to make its key.
        first: The least of its members' names.
        last: The greatest.
        members: How many there are, at least 1.
        member_bytes: Their length in all.
        unreadable: How many of them cannot be read.
        sequence: When it was bound: of two archives with one key, that with the greater number answers.
        table: Where the pages of its index lie; None when they are too many to be told here.
        filter: A filter over its keys (`catalogfile.filter`); None where none was needed, or it would be too large.
    """

    archive: Identity
    index: Identity
    kind: str
    prefix: bytes
    first: bytes
    last: bytes
    members: int
    member_bytes: int
    unreadable: int
    sequence: int = field(default=0, compare=False)
    table: Children | None = field(default=None, compare=False, repr=False)
    filter: bytes | None = field(default=None, compare=False, repr=False)

    @property
    def low(self) -> bytes:
        """Its least key."""
        return self.prefix + self.first

    @property
    def high(self) -> bytes:
        """Its greatest key."""
        return self.prefix + self.last


@dataclass(frozen=True, slots=True)
class CatalogState:
    """All that one commit of a catalog says.

    Args:
        entries: In any order; no archive twice.
        sequence: The greatest that was ever given.
        commit: Names this commit; empty before the first.
        before: Names the commits before it, the latest first; at most `COMMITS_TOLD`.
    """

    entries: tuple[CatalogEntry, ...] = ()
    sequence: int = 0
    commit: str = ""
    before: tuple[str, ...] = ()


def ordered(entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
    """Entries as they lie in a catalog: by their least keys, of equal ones the older first."""
    return sorted(entries, key=lambda entry: (entry.low, entry.sequence))

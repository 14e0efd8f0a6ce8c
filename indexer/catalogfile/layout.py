"""The frame of a catalog: its first and last bytes, and blocks that tell their faults as a catalog's.

magic and version (16 bytes) | shelves | root | trailer (64 bytes)
"""

from __future__ import annotations

import enum
import hashlib
import struct
from dataclasses import dataclass
from typing import ClassVar, Final

from indexer.errors import BinderyError, CatalogDamaged, CatalogUnsupported
from indexer.indexfile.block import Block
from indexer.indexfile.columns import ColumnUnknown
from indexer.indexfile.layout import MAJOR, MINOR, Trailer

MAGIC: Final = b"BINDERYC"
HEADER: Final = MAGIC + struct.pack("<HHI", MAJOR, MINOR, 0)
REBUILD: Final = "Make it anew with `bindery catalog rebuild`."
LATER: Final = "Use a later version of bindery."


class CatalogBlockKind(enum.IntEnum):
    """What a block holds; no number of the index file's is used again."""

    SHELF = 16
    CATALOG = 17


class CatalogColumn(enum.IntEnum):
    """All columns of all blocks. A number is never used again."""

    COUNTS = 1
    URL_SHARED = 2
    URL_REST = 3
    URLS = 4
    SEQUENCE = 5
    KIND = 6
    KIND_TEXTS = 7
    PREFIX = 8
    PREFIX_TEXTS = 9
    ETAG = 10
    SIZE = 11
    INDEX = 12
    INDEX_TEXTS = 13
    INDEX_ETAG = 14
    INDEX_SIZE = 15
    MEMBERS = 16
    BYTES = 17
    UNREADABLE = 18
    RANGE_SHARED = 20
    RANGE_REST = 21
    RANGES = 22
    PAGES = 30
    PAGES_START = 31
    PAGE_SHARED = 32
    PAGE_REST = 33
    PAGE_KEYS = 34
    PAGE_BYTES = 35
    PAGE_MEMBERS = 36
    FILTER_BYTES = 40
    FILTERS = 41
    SHELF_BYTES = 50
    SHELF_ARCHIVES = 51
    FACTS = 60


def tag_of(commit: str) -> int:
    """64 bits that stand for one commit, so that a shelf of another one is noticed."""
    return int.from_bytes(hashlib.sha256(commit.encode()).digest()[:8], "little")


class CatalogBlock(Block):
    """A block of a catalog; as `Block`, with a catalog's columns and errors."""

    __slots__ = ()

    known: ClassVar[frozenset[int]] = frozenset(int(column) for column in CatalogColumn)

    def error(self, fault: Exception) -> BinderyError:
        """As `Block.error`."""
        if not isinstance(fault, ColumnUnknown):
            return self.damaged(str(fault))
        what = f"the catalog has {fault}, which this program does not know"
        return CatalogUnsupported(what, hint=LATER, catalog=self.index, section=self.section)

    def damaged(self, what: str) -> BinderyError:
        """As `Block.damaged`."""
        return CatalogDamaged(f"the catalog is damaged: {what}", hint=REBUILD, catalog=self.index, section=self.section)


@dataclass(frozen=True, slots=True)
class CatalogTrailer(Trailer):
    """The last 64 bytes of a catalog: those of an index file with a magic of their own. `members` counts those of all archives."""

    MAGIC: ClassVar[bytes] = MAGIC

    @classmethod
    def damaged(cls, what: str, url: str) -> BinderyError:
        """As `Trailer.damaged`."""
        return CatalogDamaged(what.format("catalog"), hint=REBUILD, catalog=url, section="trailer")

    @classmethod
    def unsupported(cls, what: str, url: str) -> BinderyError:
        """As `Trailer.unsupported`."""
        return CatalogUnsupported(what.format("catalog"), hint=LATER, catalog=url, section="trailer")

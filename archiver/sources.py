"""What the packer knows of its sources, wherever they lie."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from archiver.writers import Data
from indexer.model import Attributes


class Chosen(NamedTuple):
    """One source that was selected.

    Attributes:
        name: What the member will be called.
        url: Where it is.
        size: Its length in bytes.
        version: Which version it is: the ETag of an object; length and time of change of a file.
        mtime_s: Last-Modified.
        lies: Of a member of another archive, its row (`indexer.rows`), which says where its bytes lie.
    """

    name: bytes
    url: str
    size: int
    version: str
    mtime_s: int
    lies: tuple[Any, ...] | None = None


class Fetched(NamedTuple):
    """Bytes of a source, and what its store tells of it with them."""

    data: Data
    attributes: Attributes
    mtime_s: int


class Reader(Protocol):
    """Reads sources; safe for threads."""

    @property
    def requests(self) -> int:
        """How many reads under way are worth while."""
        ...

    def etag(self, chosen: Chosen) -> str | None:
        """The ETag that the source has; None where it has none, and the MD5 of its bytes stands for it."""
        ...

    def read(self, chosen: Chosen, start: int, stop: int) -> Fetched:
        """Read `[start, stop)` of a source. Costs one request.

        Raises:
            SourceChanged: It is gone, or another version than was selected.
            AccessRefused, StoreFailed: It cannot be read.
        """
        ...

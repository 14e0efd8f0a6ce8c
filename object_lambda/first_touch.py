"""Indexes made on first touch: an archive without an index gets one, kept on local disk, when it is first asked for.

Making one is work for a thread, not for a parser: so the service asks for the tail of `touch:` and the archive's URL, and a source
laid over the others makes the index, or finds the one made before (`touched_indexes`), and answers with its tail. Its other bytes
are asked of the local file itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cachetools import LRUCache

from indexer.asks import Head, Need, Steps, Tail, head
from indexer.indexfile.reader import Index, open_index
from indexer.source.local import LocalSource
from indexer.source.together import read_together

if TYPE_CHECKING:
    from collections.abc import Callable

    from indexer.model import Identity, Span
    from indexer.source import Source
    from object_lambda.mounts import Mount

TOUCH: Final = "touch:"
"""Stands before an archive's URL to mean the index that is made of it."""

PAGES_KEPT: Final = 64


def touched(mount: Mount) -> Steps[Index]:
    """Open the index that is made of a mounted archive; a `roots.FirstTouch`.

    Raises:
        ObjectMissing: The archive is not there.
        IndexMissing: Making its index would mean to read all of a large archive.

    Cost:
        A HEAD, and the first time what the scanner reads.
    """
    yield from head(mount.archive)
    return (yield from open_index(TOUCH + mount.archive, pages=LRUCache(PAGES_KEPT)))


class TouchingSource:
    """A `Source` over another one, which knows the indexes made on first touch.

    Args:
        source: Is asked for everything else.
        folder: Absolute path of the folder in which they lie.
        ensure: Makes the index of an archive's URL, or finds it; returns its own (`TouchedIndexes.ensure`).
    """

    def __init__(self, source: Source, *, folder: str, ensure: Callable[[str], str]) -> None:
        self._source = source
        self._made_here = f"file://{folder}/"
        self._ensure = ensure
        self._local = LocalSource()

    def head(self, url: str) -> Head:
        """As `Source.head`."""
        return self._source.head(url)

    def tail(self, url: str, length: int) -> Tail:
        """As `Source.tail`; of a `touch:` URL, the tail of the index it stands for."""
        if url.startswith(TOUCH):
            return self._local.tail(self._ensure(url.removeprefix(TOUCH)), length)
        return self._source.tail(url, length)

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        """As `Source.read`; an index made here is read from the disk it lies on, past any cache."""
        return (self._local if of.url.startswith(self._made_here) else self._source).read(of, spans)

    def read_together(self, needs: tuple[Need, ...]) -> list[list[bytes]]:
        """As `SideBySide.read_together`."""
        if any(need.of.url.startswith(self._made_here) for need in needs):
            return [self.read(need.of, need.spans) for need in needs]
        return read_together(self._source, needs)

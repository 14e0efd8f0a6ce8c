"""Makes an archive's entry for a catalog out of its index."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from indexer.abreast import abreast
from indexer.asks import Steps, head
from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.filter import make_filter
from indexer.catalogfile.keyranges import KeyRange
from indexer.errors import IndexStale, LimitExceeded, SourceEmpty
from indexer.indexfile.reader import open_index
from indexer.limits import ARCHIVE_PAGES, FILTER_MEMBERS, NAME_BYTES

FILTER_RANGES: Final = 64
"""Most parts of a large archive that are read for its filter, each with a request of its own."""


def describe(archive_url: str, index_url: str, prefix: bytes) -> Steps[CatalogEntry]:
    """Tell all that a catalog says of an archive, save its sequence and filter.

    Args:
        archive_url: The archive.
        index_url: Its index.
        prefix: What stands before each member's name to make its key.

    Raises:
        IndexMissing, IndexDamaged, IndexUnsupported: There is no index that can be used.
        IndexStale: The index is of another version of the archive than the one that is there.
        ObjectMissing: There is no archive.
        SourceEmpty: It has no members.
        LimitExceeded: The prefix makes keys of more than 1,024 bytes.

    Cost:
        Four requests: the index's tail, its directories, its first and last page together, the archive's head.
    """
    index = yield from open_index(index_url)
    archive = index.archive(archive_url)
    if (yield from head(archive_url)).identity != archive:
        raise IndexStale("the index describes another version of the archive", hint="Run `bindery index`.", archive=archive_url)
    if index.members == 0:
        raise SourceEmpty("this archive has no members: there is nothing to bind", archive=archive_url)
    table = yield from index.table()
    least, most = yield from abreast([index.window(b"", 1), index.window(table.keys[-1], 1)])
    first, last = least[0].name, most[-1].name
    if len(prefix) + max(len(first), len(last)) > NAME_BYTES:
        raise LimitExceeded("with this prefix, keys are longer than S3 takes", hint="Choose a shorter one", archive=archive_url)
    return CatalogEntry(
        archive=archive,
        index=index.identity,
        kind=index.kind,
        prefix=prefix,
        first=first,
        last=last,
        members=index.members,
        member_bytes=index.bytes,
        unreadable=index.unreadable,
        table=table if len(table) <= ARCHIVE_PAGES else None,
    )


def filter_of(entry: CatalogEntry, shared: Sequence[KeyRange]) -> Steps[bytes | None]:
    """Make the filter of an archive about to be bound, over those of its keys that older archives may have too.

    Args:
        entry: The archive.
        shared: What its range has in common with those of older archives (`KeyRanges.shared`).

    Returns:
        The filter. None where it would be of no use, because nothing is shared, or too large: then the archive itself is asked.

    Raises:
        As `describe`; IndexStale when the index was replaced meanwhile.

    Cost:
        Two requests for an archive of up to `FILTER_MEMBERS`: all of its index. For a larger one, the parts that hold those keys.
    """
    if not shared or (entry.members > FILTER_MEMBERS and len(shared) > FILTER_RANGES):
        return None
    index = yield from open_index(entry.index.url)
    if index.identity != entry.index:
        raise IndexStale("the index was replaced meanwhile", hint="Try again", index=entry.index.url)
    keys: list[bytes] = []
    if entry.members <= FILTER_MEMBERS:
        names = [member.name for member in (yield from index.window(b"", entry.members))]
        for low, high in shared:
            keys += _within(names, entry.prefix, low, high)
    else:
        for low, high in shared:
            members = yield from index.window(low[len(entry.prefix) :], FILTER_MEMBERS + 1 - len(keys))
            keys += _within([member.name for member in members], entry.prefix, low, high)
            if len(keys) > FILTER_MEMBERS:
                return None
    return make_filter(keys, max(len(keys), 1))


def _within(names: Sequence[bytes], prefix: bytes, low: bytes, high: bytes) -> list[bytes]:
    """The keys from `low` to `high`, which begin with the prefix as all of the archive's do."""
    first, stop = bisect_left(names, low[len(prefix) :]), bisect_right(names, high[len(prefix) :])
    return [prefix + name for name in names[first:stop]]

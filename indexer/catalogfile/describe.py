"""Makes an archive's entry for a catalog out of its index."""

from __future__ import annotations

from collections.abc import Iterable

from indexer.abreast import abreast
from indexer.asks import Steps, head
from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.filter import make_filter
from indexer.errors import IndexStale, LimitExceeded, SourceEmpty
from indexer.indexfile.reader import open_index
from indexer.limits import ARCHIVE_PAGES, FILTER_MEMBERS, NAME_BYTES


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


def needs_filter(entry: CatalogEntry, others: Iterable[CatalogEntry]) -> bool:
    """Whether a filter saves requests for an archive about to be bound: an older one answers for keys in its range, too.

    An archive without an older one beneath it needs none: what it has not, no one has. Nor does any that is bound already need one
    because of the new one, which is asked first.
    """
    return entry.members <= FILTER_MEMBERS and any(entry.overlaps(other) for other in others)


def filter_of(entry: CatalogEntry) -> Steps[bytes]:
    """The filter of an archive.

    Raises:
        As `describe`.

    Cost:
        All of its index: at most `FILTER_MEMBERS`.
    """
    index = yield from open_index(entry.index.url)
    if index.identity != entry.index:
        raise IndexStale("the index was replaced meanwhile", hint="Try again", index=entry.index.url)
    members = yield from index.window(b"", entry.members)
    return make_filter((entry.prefix + member.name for member in members), entry.members)

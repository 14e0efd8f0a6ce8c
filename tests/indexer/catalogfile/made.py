"""Archives with their indexes, bound into catalogs, all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import md5

import pytest

from indexer.catalogfile import describe as describing
from indexer.catalogfile import reader, writer
from indexer.catalogfile.describe import describe, filter_of
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.keyranges import KeyRanges
from indexer.catalogfile.reader import Catalog, open_catalog
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.model import Codec, Extent, Frame, Member
from indexer.source.memory import MemorySource

CATALOG = "s3://archives/logs/catalog.bindery-catalog"
MTIME_S = 1_700_000_000


@dataclass
class Shop:
    """A bucket of archives and a catalog of them.

    Args:
        objects: All that is in it, by URL.
        state: What the catalog says, or will.
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    state: CatalogState = field(default_factory=CatalogState)

    @property
    def source(self) -> MemorySource:
        return MemorySource(self.objects)

    def put(self, url: str, contents: Mapping[bytes, bytes], *, etags: bool = True) -> None:
        """Put an archive of plain bytes and its index; an ETag is the MD5 of the bytes, if there are any."""
        archive = b"archive " + url.encode()
        members = []
        for name in sorted(contents):
            data = contents[name]
            frame = Frame(len(archive), len(data), len(data), Codec.STORED)
            extents = (Extent(frame, 0, len(data)),) if data else ()
            members.append(Member(name, len(data), MTIME_S, extents, etag=md5(data).hexdigest() if etags else None))
            archive += data
        self.objects[url] = archive
        index = bytearray()
        write_index(members, ArchiveFacts(md5(archive).hexdigest(), len(archive), "tar"), index.extend)
        self.objects[url + ".bindery"] = bytes(index)

    def bind(self, url: str, prefix: bytes = b"") -> CatalogEntry:
        """Add an archive to the state, with a filter where it needs one."""
        described = run(describe(url, url + ".bindery", prefix), self.source)
        entry = replace(described, sequence=self.state.sequence + 1)
        others = tuple(one for one in self.state.entries if one.archive.url != url)
        entry = replace(entry, filter=run(filter_of(entry, KeyRanges(others).shared(entry)), self.source))
        self.state = CatalogState(
            (*others, entry), entry.sequence, f"{entry.sequence:016x}", tuple(filter(None, [self.state.commit]))
        )
        return entry

    def commit(self) -> Catalog:
        """Write the catalog and open it."""
        self.objects[CATALOG] = write_catalog(self.state if self.state.commit else replace(self.state, commit="0"), CATALOG)
        return run(open_catalog(CATALOG), self.source)


def bound(archives: Sequence[Mapping[bytes, bytes]], prefixes: Sequence[bytes] = ()) -> Shop:
    """Archives bound one after the other, the oldest first."""
    shop = Shop()
    for number, contents in enumerate(archives):
        url = f"s3://archives/logs/{number:03}.tar"
        shop.put(url, contents)
        if contents:
            shop.bind(url, prefixes[number] if prefixes else b"")
    return shop


@contextmanager
def shaped(
    *,
    shelf_archives: int = 128,
    shelf_pages: int = 4096,
    tail_bytes: int = 2**21,
    archive_pages: int = 2**14,
    filtered: int = 2**16,
) -> Iterator[None]:
    """Have small shelves written and a short tail read, so that few archives take every path."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "SHELF_ARCHIVES", shelf_archives)
        patch.setattr(writer, "SHELF_PAGES", shelf_pages)
        patch.setattr(reader, "CATALOG_TAIL_BYTES", tail_bytes)
        patch.setattr(describing, "ARCHIVE_PAGES", archive_pages)
        patch.setattr(describing, "FILTER_MEMBERS", filtered)
        yield

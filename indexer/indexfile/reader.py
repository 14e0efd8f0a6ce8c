"""Reads an index file: one read of the tail opens it, one more finds any name, one more lists any thousand names.

Sans-IO: everything here asks (`indexer.asks`) and is driven from outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from types import MappingProxyType
from typing import Final

from indexer.asks import Steps, spans, tail
from indexer.errors import IndexMissing, ObjectMissing
from indexer.indexfile.block import Block, BlockKind, tag_of
from indexer.indexfile.columns import Column
from indexer.indexfile.directory import Children
from indexer.indexfile.layout import HEADER, Trailer
from indexer.indexfile.page import Page
from indexer.limits import FACTS_BYTES, OBJECT_BYTES, TAIL_BYTES
from indexer.model import Identity, Member, Span

PageKey = tuple[str, int]
"""An index's digest and the offset of a page in it."""

TEXT_FACTS: Final = ("archive_etag", "kind")
NOTHING_KNOWN: Final[Mapping[int, Children]] = MappingProxyType({})
NUMBER_FACTS: Final = ("archive_size", "bytes", "members", "pages", "unreadable")


def open_index(url: str, *, pages: MutableMapping[PageKey, Page] | None = None) -> Steps[Index]:
    """Open the index at `url`.

    Args:
        url: Where the index file is.
        pages: Where decoded pages are kept; a fresh dict of its own when None. It may be shared by many indexes and may forget.

    Returns:
        The index, ready for look-ups.

    Raises:
        IndexMissing: There is nothing at `url`.
        IndexDamaged, IndexUnsupported: What is there cannot be used.

    Cost:
        One request of at most `TAIL_BYTES` (128 KiB) up to some 10^8 members, one more beyond.
    """
    try:
        identity, data = yield from tail(url, TAIL_BYTES)
    except ObjectMissing:
        raise IndexMissing("there is no index", hint="Build it with `bindery index`.", index=url) from None
    trailer = Trailer.decode(data, file_bytes=identity.size, index=url)
    held = Span(identity.size - len(data), identity.size)
    root_span = Span(trailer.root_start, trailer.root_start + trailer.root_bytes)
    if root_span.start >= held.start:
        root = data[root_span.start - held.start : root_span.stop - held.start]
    else:
        (root,) = yield from spans(identity, root_span)
    block = Block(root, BlockKind.ROOT, trailer.tag, index=url, section="root")
    directories = Children.decode(block, within=Span(len(HEADER), trailer.root_start))
    index = Index(identity, _facts(block), directories, held=data, pages={} if pages is None else pages)
    if index.tag != trailer.tag or not index.members == trailer.members == sum(directories.members):
        raise block.damaged("it contradicts itself")
    return index


class Index:
    """An open index of one archive.

    Args:
        identity: Which version of which object the index is.
        facts: What it says of its archive, checked.
        directories: Its root table.
        held: The last bytes of the file, as read; what lies in them is never asked for.
        pages: Where decoded pages are kept.
        known: Directories that are known already, by their place in the root table.
    """

    __slots__ = (
        "_directories",
        "_directory_cache",
        "_held",
        "_held_start",
        "_pages",
        "archive_etag",
        "archive_size",
        "bytes",
        "digest",
        "facts",
        "identity",
        "kind",
        "members",
        "tag",
        "unreadable",
    )

    def __init__(
        self,
        identity: Identity,
        facts: Mapping[str, str | int | bool],
        directories: Children,
        *,
        held: bytes = b"",
        pages: MutableMapping[PageKey, Page],
        known: Mapping[int, Children] = NOTHING_KNOWN,
    ) -> None:
        self.identity = identity
        self.digest = identity.digest
        self.facts = facts
        self.archive_etag = str(facts["archive_etag"])
        self.archive_size = int(facts["archive_size"])
        self.kind = str(facts["kind"])
        self.members = int(facts["members"])
        self.bytes = int(facts["bytes"])
        self.unreadable = int(facts["unreadable"])
        self.tag = tag_of(self.archive_etag, self.archive_size)
        self._held, self._held_start = held, identity.size - len(held)
        self._pages = pages
        self._directories = directories
        self._directory_cache = dict(known)

    def archive(self, url: str) -> Identity:
        """The version of the archive at `url` that this index describes: what to read its members with."""
        return Identity(url, self.archive_etag, self.archive_size)

    def find(self, name: bytes) -> Steps[Member | None]:
        """Find the member of this name.

        Args:
            name: UTF-8 bytes.

        Returns:
            The member, or None if the archive has none of this name.

        Raises:
            IndexDamaged: What was read does not prove itself.

        Cost:
            No request when the page is known or lies in the tail; else one for the page (about 20 KiB); one more before it when the
            index has more than about 10^7 members and the directory block is not known yet.
        """
        if len(self._directories) == 0:
            return None
        place = self._directories.holding(name)
        directory = yield from self._directory(place)
        (page,) = yield from self._read_pages(place, directory, directory.holding(name), 1)
        return page.find(name)

    def window(self, start: bytes, want: int) -> Steps[list[Member]]:
        """Read members in name order.

        Args:
            start: The first name wanted; members with lesser names are left out.
            want: How many are wanted, at least 1.

        Returns:
            Members with names >= `start`: at least `want` of them unless the archive ends before, more where a page has more.

        Raises:
            IndexDamaged: What was read does not prove itself.

        Cost:
            One request for all pages it takes that are not known yet (they lie side by side), where `want` members lie under one
            directory block; one more for each further directory block.
        """
        found: list[Member] = []
        if len(self._directories) == 0:
            return found
        place = self._directories.holding(start)
        first: int | None = None
        while len(found) < want and place < len(self._directories):
            directory = yield from self._directory(place)
            if first is None:
                first = directory.holding(start)
            pages = self._pages_for(directory, first, start, want - len(found))
            for page in (yield from self._read_pages(place, directory, first, pages)):
                members = page.members()
                found.extend(members if members[0].name >= start else [member for member in members if member.name >= start])
            first += pages
            if first == len(directory):
                place, first = place + 1, 0
        return found

    def table(self) -> Steps[Children]:
        """All pages in one table: what a catalog tells of this index, so that it need not be opened.

        Raises:
            IndexDamaged: What was read does not prove itself.

        Cost:
            One request for all directories that are not known yet and do not lie in the tail.
        """
        places = [place for place in range(len(self._directories)) if place not in self._directory_cache]
        if places:
            blocks = yield from self._blocks([self._directories.spans[place] for place in places])
            for place, data in zip(places, blocks, strict=True):
                self._keep_directory(place, data)
        tables = [self._directory_cache[place] for place in range(len(self._directories))]
        keys = [key for one in tables for key in one.keys]
        spans = [span for one in tables for span in one.spans]
        return Children(keys, spans, [count for one in tables for count in one.members], [1] * len(keys))

    def read_pages(self, first: int, count: int) -> Steps[list[Page]]:
        """Read the pages `[first, first + count)` of an index whose pages are all told by one directory.

        Raises:
            IndexDamaged: What was read does not prove itself.

        Cost:
            One request for those that are not known yet.
        """
        directory = yield from self._directory(0)
        return (yield from self._read_pages(0, directory, first, count))

    @staticmethod
    def _pages_for(directory: Children, first: int, start: bytes, want: int) -> int:
        """How many pages from `first` surely hold `want` members, when the first one may hold only one that counts."""
        sure = directory.members[first] if directory.keys[first] >= start else 1
        pages = 1
        while sure < want and first + pages < len(directory):
            sure += directory.members[first + pages]
            pages += 1
        return pages

    def _directory(self, place: int) -> Steps[Children]:
        known = self._directory_cache.get(place)
        if known is None:
            (data,) = yield from self._blocks([self._directories.spans[place]])
            known = self._keep_directory(place, data)
        return known

    def _keep_directory(self, place: int, data: bytes) -> Children:
        block = Block(data, BlockKind.DIRECTORY, self.tag, index=self.identity.url, section=f"directory {place}")
        known = Children.decode(block, within=Span(len(HEADER), self._directories.spans[0].start))
        whole = len(known) == self._directories.pages[place] and sum(known.members) == self._directories.members[place]
        if not whole or not self._directories.parts(place, known.keys[0], known.keys[-1]):
            raise block.damaged("the block belongs elsewhere")
        self._directory_cache[place] = known
        return known

    def _read_pages(self, place: int, directory: Children, first: int, count: int) -> Steps[list[Page]]:
        wanted = directory.spans[first : first + count]
        pages = {span: self._pages.get((self.digest, span.start)) for span in wanted}
        missing = [span for span, page in pages.items() if page is None]
        if missing:
            blocks = dict(zip(missing, (yield from self._blocks(missing)), strict=True))
            for at, span in enumerate(wanted, first):
                if span in blocks:
                    section = f"page at {span.start} of directory {place}"
                    page = Page(blocks[span], self.tag, index=self.identity.url, section=section)
                    self._check_place(page, place, directory, at)
                    pages[span] = self._pages[self.digest, span.start] = page
        return [page for page in pages.values() if page is not None]

    def _check_place(self, page: Page, place: int, directory: Children, at: int) -> None:
        """Make sure that a page, sound by itself, is the one that the directory tells of: else names would seem absent."""
        inside = directory.parts(at, page.names[0], page.names[-1])
        if at + 1 == len(directory) and place + 1 < len(self._directories):
            inside = inside and page.names[-1] < self._directories.keys[place + 1]
        if not inside or len(page) != directory.members[at]:
            raise page.damaged("the block belongs elsewhere")

    def _blocks(self, wanted: list[Span]) -> Steps[list[bytes]]:
        """Read blocks, from the tail where they lie in it."""
        blocks = [self._from_held(span) for span in wanted]
        missing = [span for span, data in zip(wanted, blocks, strict=True) if data is None]
        if not missing:
            return [data for data in blocks if data is not None]
        fetched = iter((yield from spans(self.identity, *missing)))
        return [next(fetched) if data is None else data for data in blocks]

    def _from_held(self, span: Span) -> bytes | None:
        if span.start < self._held_start:
            return None
        return self._held[span.start - self._held_start : span.stop - self._held_start]


def _facts(root: Block) -> Mapping[str, str | int | bool]:
    spelled = root[Column.FACTS]
    if len(spelled) > FACTS_BYTES:
        raise root.damaged(f"its facts take {len(spelled)} bytes")
    try:
        facts: Mapping[str, str | int | bool] = json.loads(spelled)
        whole = all(isinstance(facts[name], str) for name in TEXT_FACTS) and all(
            type(facts[name]) is int and int(facts[name]) >= 0 for name in NUMBER_FACTS
        )
        whole = whole and facts["archive_etag"] != "" and int(facts["archive_size"]) <= OBJECT_BYTES
        str(facts["archive_etag"]).encode()  # JSON can tell what is no text
    except (ValueError, KeyError, TypeError, RecursionError):
        whole, facts = False, {}
    if not whole:
        raise root.damaged("its facts are not told")
    return facts

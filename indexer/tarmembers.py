"""From the entries of a tar to members: names, links, sparse files. The same for every kind of archive that holds a tar.

Links are members too, because S3 has none: a hard link has the bytes of the member it names, a symbolic link those of the member it
leads to inside the archive. The targets of a tar with many members are not all held: what is missing at the end is looked up by
going through the archive a second time, and only if there are links to look up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

from indexer.asks import Ask, until
from indexer.limits import LINK_HOPS, LINK_PATH_BYTES, LINK_STEPS, LINK_TARGETS, LINKS
from indexer.model import Extent, Member
from indexer.names import NameFault, clean, shown
from indexer.scan import SCAN_BATCH_MEMBERS, Keep, Scan, ScanSummary
from indexer.tarheaders import EntryType
from indexer.tarstream import Entry

Placed = tuple[Entry, tuple[Extent, ...]]
"""An entry and where its bytes lie."""

EntrySteps = Generator[Ask | Keep | list[Placed], Any, None]
"""Reads an archive once: asks, has contexts kept, and tells its entries in order."""

Locate = Callable[[int, int], Iterable[Extent]]
"""Tells where the bytes `[start, stop)` of the decoded stream lie."""


class Waiting(NamedTuple):
    """A link that waits for the end of the archive."""

    target: bytes
    mtime_s: int


def scan_entries(summary: ScanSummary, read: Callable[[], EntrySteps]) -> Scan:
    """Scan an archive that holds a tar.

    Args:
        summary: Takes what is found beside the members.
        read: Begins to read the archive from its start; called a second time when links make it necessary.
    """
    members = TarMembers(summary)
    yield from _driven(read(), members.take)
    if members.missing():
        yield from _driven(read(), members.take_again)
    yield from members.settle()
    return summary


def _driven(steps: EntrySteps, take: Callable[[list[Placed]], list[Member]]) -> Generator[Ask | Keep | list[Member], Any, None]:
    """Pass on the asks of `steps`, and what `take` makes of its entries."""
    while (told := (yield from until(list, steps))) is not None:
        for at in range(0, len(told), SCAN_BATCH_MEMBERS):
            if batch := take(told[at : at + SCAN_BATCH_MEMBERS]):
                yield batch


def extents_of(entry: Entry, locate: Locate) -> tuple[Extent, ...]:
    """The extents of an entry: where its bytes lie, with runs of zeros between them when it is sparse."""
    if entry.runs is None:
        return tuple(locate(entry.start, entry.start + entry.stored_bytes)) if entry.stored_bytes else ()
    extents: list[Extent] = []
    at, position = entry.start, 0
    for offset, length in entry.runs:
        if offset > position:
            extents.append(Extent(None, 0, offset - position))
        extents += locate(at, at + length)
        at += length
        position = offset + length
    if entry.size > position:
        extents.append(Extent(None, 0, entry.size - position))
    return tuple(extents)


class TarMembers:
    """Makes members of entries, and keeps what links need.

    Args:
        summary: Takes refused names and counts.
    """

    def __init__(self, summary: ScanSummary) -> None:
        self._summary = summary
        self._targets: dict[bytes, Member | None] = {}  # by name; None for a directory
        self._targets_left_out = False
        self._wanted: frozenset[bytes] = frozenset()
        self._hard_links: dict[bytes, Waiting] = {}  # those whose target was not at hand
        self._symbolic_links: dict[bytes, Waiting] = {}
        self._steps = 0

    def take(self, entries: list[Placed]) -> list[Member]:
        """Make members of the next entries."""
        members = []
        self._summary.entries += len(entries)
        for entry, extents in entries:
            name = clean(entry.name)
            if isinstance(name, NameFault):
                if name is not NameFault.EMPTY or entry.type is not EntryType.DIRECTORY:  # `./` is nothing to report
                    self._summary.refuse(entry.name, name)
                continue
            member = self._member(entry, name, extents)
            if member is not None:
                members.append(member)
        return members

    def take_again(self, entries: list[Placed]) -> list[Member]:
        """See the entries a second time: keep the targets that were missing, give the hard links that have one by now."""
        if not self._wanted:
            self._wanted = self.missing()
        members = []
        for entry, extents in entries:
            name = clean(entry.name)
            if isinstance(name, NameFault):
                continue
            if entry.type is EntryType.FILE:
                self._want(name, entry, extents)
            elif entry.type is EntryType.HARD_LINK and name in self._hard_links:
                target = self._targets.get(self._hard_links[name].target)
                if target is not None:
                    del self._hard_links[name]
                    members.append(target._replace(name=name))
                    if name in self._wanted:
                        self._targets[name] = members[-1]
        return members

    def missing(self) -> frozenset[bytes]:
        """The targets that were not at hand although the archive may hold them."""
        if not self._targets_left_out:
            return frozenset()
        wanted = {link.target for link in self._hard_links.values()}
        for name in self._symbolic_links:
            path = self._follow(name)
            if isinstance(path, bytes):
                wanted.add(path)
        return frozenset(wanted - self._targets.keys())

    def settle(self) -> Iterator[list[Member]]:
        """Give the links that waited for the end; one whose target is not there is listed as unreadable."""
        folders = {name for name, member in self._targets.items() if member is None}
        for name in self._targets if self._symbolic_links else ():
            while name := name.rpartition(b"/")[0]:
                if name in folders:
                    break
                folders.add(name)
        batch: list[Member] = []
        for name in (*self._hard_links, *self._symbolic_links):
            member = self._settled(name, folders)
            if member is not None:
                batch.append(member)
            if len(batch) == SCAN_BATCH_MEMBERS:
                yield batch
                batch = []
        if batch:
            yield batch

    def _member(self, entry: Entry, name: bytes, extents: tuple[Extent, ...]) -> Member | None:
        """Make a member of an entry; None for what is none, and for a link whose target is not known yet."""
        if entry.type is EntryType.FILE:
            member = Member(
                name, entry.size, entry.mtime_s, extents, entry.crc32, entry.etag, entry.attributes, entry.fault or None
            )
            self._learn(name, member)
            return member
        if entry.type is EntryType.HARD_LINK:
            return self._hard_link(entry, name)
        if entry.type is EntryType.SYMBOLIC_LINK:
            if len(self._symbolic_links) >= LINKS:
                return Member(name, 0, entry.mtime_s, (), unreadable=f"symbolic link: there are more than {LINKS}")
            self._symbolic_links[name] = Waiting(entry.link, entry.mtime_s)
            self._hard_links.pop(name, None)
            return None
        if entry.type is EntryType.DIRECTORY:
            self._learn(name.rstrip(b"/"), None)
            if entry.is_object:
                return Member(name, 0, entry.mtime_s, (), 0, entry.etag, entry.attributes)
            return None
        if entry.type is EntryType.CONTINUED:
            return Member(name, 0, entry.mtime_s, (), unreadable="split: it is continued from another volume")
        self._count("special_files")
        return None

    def _hard_link(self, entry: Entry, name: bytes) -> Member | None:
        """Give a hard link the bytes of its target, if that is at hand."""
        path = clean(entry.link)
        if isinstance(path, NameFault):
            return Member(name, 0, entry.mtime_s, (), unreadable=f"hard link: its target is refused ({path.value})")
        if path in self._symbolic_links:
            self._symbolic_links[name] = self._symbolic_links[path]
            return None
        target = self._targets.get(path)
        if target is not None:
            member = target._replace(name=name)
            self._learn(name, member)
            return member
        if len(self._hard_links) >= LINKS:
            return Member(name, 0, entry.mtime_s, (), unreadable=f"hard link: more than {LINKS} wait for their target")
        self._hard_links[name] = Waiting(path, entry.mtime_s)
        self._symbolic_links.pop(name, None)
        return None

    def _learn(self, name: bytes, member: Member | None) -> None:
        """Keep a member as a target; it replaces whatever had its name."""
        if len(self._targets) < LINK_TARGETS or name in self._targets:
            self._targets[name] = member
        else:
            self._targets_left_out = True
        if self._symbolic_links:
            self._symbolic_links.pop(name, None)
        if self._hard_links:
            self._hard_links.pop(name, None)

    def _want(self, name: bytes, entry: Entry, extents: tuple[Extent, ...]) -> None:
        """Keep a file, or the folders above it, if a link leads there."""
        if name in self._wanted:
            self._targets[name] = Member(
                name, entry.size, entry.mtime_s, extents, entry.crc32, entry.etag, entry.attributes, entry.fault or None
            )
        while name := name.rpartition(b"/")[0]:
            if name in self._wanted:
                self._targets.setdefault(name, None)

    def _settled(self, name: bytes, folders: set[bytes]) -> Member | None:
        """Give the link called `name` what it leads to; None when that is a folder."""
        if name in self._hard_links:
            path, mtime_s = self._hard_links[name]
            reason = f"hard link: {shown(path)} is not in the archive"
        else:
            followed, mtime_s = self._follow(name), self._symbolic_links[name].mtime_s
            if isinstance(followed, str):
                return Member(name, 0, mtime_s, (), unreadable=f"symbolic link: {followed}")
            path = followed
            reason = f"symbolic link: {shown(path)} is not in the archive"
        target = self._targets.get(path)
        if target is not None:
            return target._replace(name=name)
        if path in folders or not path:
            self._count("folder_links")
            return None
        return Member(name, 0, mtime_s, (), unreadable=reason)

    def _follow(self, name: bytes) -> bytes | str:
        """Follow a symbolic link, and those on its way, to a path inside the archive; or say why that cannot be.

        A target that begins with `/` is taken from the archive's root, because names lose their `/` too.
        """
        path = name.rpartition(b"/")[0]
        way = [self._symbolic_links[name].target]  # what is still to walk, the next one last
        hops = 1
        while way:
            target = way.pop()
            if len(target) > LINK_PATH_BYTES:
                return f"its target is longer than {LINK_PATH_BYTES} bytes"
            if target.startswith(b"/"):
                path = b""
            parts = target.split(b"/")
            self._steps += len(parts)
            if self._steps > LINK_STEPS:
                return f"the links of this archive take more than {LINK_STEPS} steps to follow"
            for position, part in enumerate(parts):
                if part in (b"", b"."):
                    continue
                if part == b"..":
                    if not path:
                        return f"{shown(target)} leads out of the archive"
                    path = path.rpartition(b"/")[0]
                    continue
                here = path + b"/" + part if path else part
                if here in self._symbolic_links:
                    hops += 1
                    way += (b"/".join((b".", *parts[position + 1 :])), self._symbolic_links[here].target)
                    break
                path = here
            if hops > LINK_HOPS:
                return f"a chain of more than {LINK_HOPS} links"
        return path

    def _count(self, what: str) -> None:
        self._summary.facts[what] = int(self._summary.facts.get(what, 0)) + 1

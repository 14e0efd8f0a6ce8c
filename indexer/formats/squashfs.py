"""Squashfs 4.0: the superblock and the tables behind the files' bytes are read, the bytes never.

A file's blocks become frames; its tail lies in a fragment block that it shares with others, which is a frame too. So reading a
member needs no code of this module. The tables are walked here rather than by PySquashfsImage, which holds the whole tree in memory
(1.1 KB a member) and trusts what the image says of itself (docs/decisions/0012).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from indexer.asks import Steps, span, spans
from indexer.errors import LimitExceeded
from indexer.limits import LINK_HOPS, LINK_PATH_BYTES, LINK_STEPS, NAME_BYTES, SQUASHFS_EXTENTS, SQUASHFS_METADATA_BYTES
from indexer.model import Codec, Extent, Frame, Identity, Member, Span
from indexer.names import NameFault, clean
from indexer.scan import SCAN_BATCH_MEMBERS, Scan, ScanSummary, in_turn
from indexer.squashfs import (
    BLOCK_PLAIN,
    DIRECTORY,
    FILE,
    NO_FRAGMENT,
    SPECIAL,
    SUPERBLOCK_BYTES,
    SYMLINK,
    DirectoryEntry,
    Inode,
    Metadata,
    Superblock,
)

KIND: Final = "squashfs"


def scan(of: Identity) -> Scan:
    """Read the members of a squashfs image.

    Costs two dependent steps, and one more for each `REQUEST_BYTES` of tables. Memory: the tables as they are stored (13 bytes a
    member) and one batch.

    Raises:
        ArchiveDamaged: The image contradicts itself.
        ArchiveUnsupported: Another version than 4.0.
        LimitExceeded: Its tables are larger than any memory should hold, or tell of more than any image can.
    """
    head = yield from span(of, 0, min(SUPERBLOCK_BYTES, of.size))
    superblock = Superblock.decode(head, archive=of.url, archive_bytes=of.size)
    tables = yield from _tables(of, superblock)
    walk = Walk(Metadata(tables, superblock, archive=of.url))
    batch: list[Member] = []
    for member in walk.members():
        batch.append(member)
        if len(batch) == SCAN_BATCH_MEMBERS:
            yield batch
            batch = []
    if batch:
        yield batch
    return walk.summary


def _tables(of: Identity, superblock: Superblock) -> Steps[bytes]:
    """Everything from the inode table to the end of the image."""
    wanted = Span(superblock.inode_table, superblock.stop)
    if wanted.length > SQUASHFS_METADATA_BYTES:
        raise LimitExceeded(
            f"the tables of this squashfs are {wanted.length} bytes long, the limit is {SQUASHFS_METADATA_BYTES}", archive=of.url
        )
    parts = []
    for piece, ahead in in_turn(wanted):
        parts += yield from spans(of, piece, ahead=ahead)
    return b"".join(parts)


class Walk:
    """Goes through the directories of an image and tells its files.

    Args:
        metadata: The tables of the image.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        self._superblock = metadata.superblock
        self.summary = ScanSummary(KIND)
        self.summary.facts["block_bytes"] = self._superblock.block_bytes
        self._fragments = self._fragment_frames()
        self._extents_left = SQUASHFS_EXTENTS
        self._link_steps_left = LINK_STEPS

    def members(self) -> Iterator[Member]:
        """All files, and the links to them, in the order of directories."""
        root = self._directory_at(*self._root())
        walked = {self._root()}
        way: list[tuple[bytes, Iterator[DirectoryEntry]]] = [(b"", self._metadata.entries(root))]
        while way:
            path, entries = way[-1]
            entry = next(entries, None)
            if entry is None:
                way.pop()
                continue
            self.summary.entries += 1
            name = path + entry.name
            if b"/" in entry.name or entry.name in (b".", b".."):
                self.summary.refuse(name, NameFault.PARENT_SEGMENT)
                continue
            inode, _ = self._metadata.inode(entry.block, entry.offset)
            if inode.type != DIRECTORY:
                member = self._member(name, inode)
                if member is not None:
                    yield member
            elif len(name) >= NAME_BYTES:
                self.summary.refuse(name, NameFault.TOO_LONG)  # and with it everything below
            else:
                place = (entry.block, entry.offset)
                if place in walked:
                    raise self._metadata.damaged("a directory is in two places, or in itself", entry.block)
                walked.add(place)
                way.append((name + b"/", self._metadata.entries(inode)))

    def _root(self) -> tuple[int, int]:
        return self._superblock.inode_table + (self._superblock.root >> 16), self._superblock.root & 0xFFFF

    def _directory_at(self, block: int, offset: int) -> Inode:
        inode, _ = self._metadata.inode(block, offset)
        if inode.type != DIRECTORY:
            raise self._metadata.damaged("the root is no directory", block)
        return inode

    def _member(self, path: bytes, inode: Inode) -> Member | None:
        """The member that a name stands for; None when it is refused or leads to a directory."""
        name = clean(path)
        if isinstance(name, NameFault):
            self.summary.refuse(path, name)
            return None
        if inode.type == SYMLINK:
            found = self._follow(path, inode)
            if isinstance(found, str):
                return Member(name, 0, inode.mtime_s, (), unreadable=f"symbolic link: {found}")
            if found.type == DIRECTORY:
                self.summary.facts["folder_links"] = int(self.summary.facts.get("folder_links", 0)) + 1
                return None
            inode = found
        if inode.type != FILE:
            return Member(name, 0, inode.mtime_s, (), unreadable=f"{SPECIAL[inode.type]}: it has no bytes of its own")
        extents = tuple(self._extents(inode))
        stop = self._superblock.stop
        if any(frame is not None and frame.start + frame.stored_bytes > stop for frame, _, _ in extents):
            return Member(name, inode.size, inode.mtime_s, (), unreadable="damaged: its blocks lie outside of the image")
        return Member(name, inode.size, inode.mtime_s, extents)

    def _extents(self, inode: Inode) -> Iterator[Extent]:
        """Where a file's bytes lie."""
        self._extents_left -= len(inode.blocks) + 1
        if self._extents_left < 0:
            raise LimitExceeded(
                f"this squashfs tells of more than {SQUASHFS_EXTENTS} blocks of files", archive=self._metadata.archive
            )
        block_bytes, at, left = self._superblock.block_bytes, inode.start, inode.size
        for word in inode.blocks:
            length = min(block_bytes, left)
            left -= length
            stored_bytes = word & (BLOCK_PLAIN - 1)
            if not stored_bytes:
                yield Extent(None, 0, length)
                continue
            yield Extent(Frame(at, stored_bytes, length, self._codec(word)), 0, length)
            at += stored_bytes
        if left:
            if inode.fragment >= len(self._fragments):
                raise self._metadata.damaged("a file's tail lies in a fragment that is not there", self._superblock.inode_table)
            yield Extent(self._fragments[inode.fragment], inode.offset, left)

    def _codec(self, word: int) -> Codec:
        return Codec.STORED if word & BLOCK_PLAIN else self._superblock.codec

    def _fragment_frames(self) -> list[Frame]:
        """The fragment blocks as frames. How long one is once decoded is told nowhere: it ends with the last tail in it."""
        places = self._metadata.fragments()
        ends = [0] * len(places)
        if places:
            block_bytes = self._superblock.block_bytes
            for inode in self._metadata.inodes():
                if inode.type == FILE and inode.fragment != NO_FRAGMENT and inode.fragment < len(ends):
                    end = inode.offset + inode.size % block_bytes
                    if end > block_bytes:
                        raise self._metadata.damaged("a file's tail runs out of its fragment", self._superblock.inode_table)
                    ends[inode.fragment] = max(ends[inode.fragment], end)
        return [
            Frame(start, word & (BLOCK_PLAIN - 1), end, self._codec(word)) for (start, word), end in zip(places, ends, strict=True)
        ]

    def _follow(self, path: bytes, link: Inode) -> Inode | str:
        """Follow a symbolic link, and those on its way, inside the image; or say why that cannot be.

        A target that begins with `/` is taken from the image's root.
        """
        above = path.split(b"/")[:-1]  # the directory that the way so far has led to
        ahead = _segments(link.target)
        if link.target.startswith(b"/"):
            above = []
        hops = 1
        while ahead:
            segment = ahead.pop()
            if segment == b"..":
                if not above:
                    return f"{_text(link.target)} leads out of the archive"
                above.pop()
                continue
            found = self._look_up([*above, segment])
            if isinstance(found, str):
                return found
            if found is None:
                return f"{_text(b'/'.join((*above, segment)))} is not in the archive"
            if found.type == SYMLINK:
                hops += 1
                if hops > LINK_HOPS:
                    return f"a chain of more than {LINK_HOPS} links"
                if len(found.target) > LINK_PATH_BYTES:
                    return f"its target is longer than {LINK_PATH_BYTES} bytes"
                if found.target.startswith(b"/"):
                    above = []
                ahead += _segments(found.target)
                continue
            if found.type != DIRECTORY:
                return found if not ahead else f"{_text(b'/'.join((*above, segment)))} is no directory"
            above.append(segment)
        found = self._look_up(above)
        return found if found is not None else f"{_text(link.target)} is not in the archive"

    def _look_up(self, segments: list[bytes]) -> Inode | str | None:
        """The inode at a path, links not followed; None when there is none."""
        inode = self._directory_at(*self._root())
        for segment in segments:
            if inode.type != DIRECTORY:
                return None
            for entry in self._metadata.entries(inode):
                self._link_steps_left -= 1
                if self._link_steps_left < 0:
                    return f"the links of this archive take more than {LINK_STEPS} steps to follow"
                if entry.name == segment:
                    inode, _ = self._metadata.inode(entry.block, entry.offset)
                    break
            else:
                return None
        return inode


def _segments(target: bytes) -> list[bytes]:
    """The segments of a link's target, the first one last."""
    return [segment for segment in target.split(b"/") if segment not in (b"", b".")][::-1]


def _text(path: bytes) -> str:
    """A path as text for a reason."""
    return path[:200].decode(errors="backslashreplace")

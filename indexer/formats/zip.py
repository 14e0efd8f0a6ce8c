"""Zip: only the end of the file and the central directory are read, never the members (APPNOTE 6.3.10).

The local headers are not read either: how long each one is can be guessed from the directory, and the true length is taken from the
header when the member itself is read (`Frame.lead_bytes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final, NamedTuple

from indexer.asks import Steps, span, spans
from indexer.errors import ArchiveDamaged, ArchiveUnsupported
from indexer.limits import OBJECT_BYTES
from indexer.model import NO_CONTEXT, Extent, Frame, Identity, Member, Span
from indexer.names import NameFault, clean
from indexer.scan import SCAN_BATCH_MEMBERS, Scan, ScanSummary, in_turn
from indexer.zipstructs import (
    AES,
    CENTRAL,
    CENTRAL_MAGIC,
    COMMENT_BYTES,
    ENCRYPTED,
    END,
    END64,
    END64_LOCATOR,
    END64_LOCATOR_MAGIC,
    END64_MAGIC,
    END_MAGIC,
    EXPANSION_MOST,
    FULL32,
    HOSTS_UNIX,
    LOCAL_HEADER_BYTES,
    METHOD_NAMES,
    METHODS,
    NO_EXTRA,
    REGULAR_MODES,
    SPECIAL_MODES,
    Extra,
    dos_time,
    entry_name,
    read_extra,
)

KIND: Final = "zip"

TAIL_BYTES: Final = END.size + COMMENT_BYTES + END64_LOCATOR.size + END64.size
"""What surely holds the end, the zip64 locator and, where nothing lies between them, the zip64 end."""

END_CANDIDATES: Final = 16
"""How many places that look like the end are tried: an archive comment may hold any bytes, a hostile one thousands of them."""

STAMPS_KEPT: Final = 65_536
"""DOS times whose epoch is remembered."""

new = tuple.__new__

WIDE: Final = Struct("<Q")


class Place(NamedTuple):
    """Where the central directory is.

    Attributes:
        start, stop: Its bytes in the file.
        entries: How many entries the end tells.
        shift: What to add to the offsets in it: the length of whatever was put before the archive.
        zip64: Whether a zip64 end tells so; otherwise the count is known modulo 65,536 only, as some writers let it overflow.
        comment_bytes: Length of the archive comment.
    """

    start: int
    stop: int
    entries: int
    shift: int
    zip64: bool
    comment_bytes: int


def scan(of: Identity) -> Scan:
    """Read the members of a zip file.

    Costs two dependent steps and one more for each `REQUEST_BYTES` of directory; one step when the directory lies in the last
    64 KiB. Memory: one request and one batch.

    Raises:
        ArchiveDamaged: No directory, or one that contradicts itself or the file.
        ArchiveUnsupported: The archive is split over several files.
    """
    tail_start = max(0, of.size - TAIL_BYTES)
    tail = yield from span(of, tail_start, of.size)
    place = yield from find_directory(of, tail, tail_start)
    directory = Directory(of, place)
    if place.start >= tail_start:
        yield from directory.take(tail[place.start - tail_start : place.stop - tail_start])
    else:
        for piece, ahead in in_turn(Span(place.start, place.stop)):
            yield from directory.take((yield from spans(of, piece, ahead=ahead))[0])
    return directory.finish()


def find_directory(of: Identity, tail: bytes, tail_start: int) -> Steps[Place]:
    """Find the central directory: that of the last end in the file whose directory is really there, as unzip and 7-Zip do."""
    at = len(tail)
    fault = "it has no end of central directory"
    split = False
    for _ in range(END_CANDIDATES):
        at = tail.rfind(END_MAGIC, 0, at + len(END_MAGIC) - 1)
        if at < 0:
            break
        if at + END.size > len(tail):
            continue
        _, disk, directory_disk, here, entries, size, offset, comment_bytes = END.unpack_from(tail, at)
        if at + END.size + comment_bytes > len(tail):
            fault = "its comment is cut short"
            continue
        end = tail_start + at
        wide = yield from find_end64(of, tail, tail_start, at)
        if wide is not None:
            end, disk, directory_disk, here, entries, size, offset = wide
        if disk or directory_disk or here != entries:
            split = True
            continue
        # Mostly the directory ends where its end begins; where something lies between them, its offset is right as it stands.
        for start in (end - size, offset):
            if offset <= start <= end - size and (yield from directory_begins(of, tail, tail_start, start, entries)):
                return Place(start, start + size, entries, start - offset, wide is not None, comment_bytes)
        fault = "its end tells of a central directory that is not there"
    if split:
        raise ArchiveUnsupported(
            "the zip is one part of an archive that was split over several files",
            hint="Join the parts first: zip -s 0 split.zip --out whole.zip",
            archive=of.url,
        )
    raise ArchiveDamaged(
        f"this is no whole zip: {fault}", hint="It may have been cut short: compare its size", archive=of.url, offset=of.size
    )


def find_end64(of: Identity, tail: bytes, tail_start: int, at: int) -> Steps[tuple[int, int, int, int, int, int, int] | None]:
    """Find the zip64 end that belongs to the end at `tail[at]`.

    Returns:
        Where it begins in the file, disk, disk of the directory, entries here, entries, size, offset; None when there is none.
    """
    locator = at - END64_LOCATOR.size
    if locator < 0 or tail[locator : locator + 4] != END64_LOCATOR_MAGIC:
        return None
    _, _, offset, disks = END64_LOCATOR.unpack_from(tail, locator)
    begin = tail_start + locator - END64.size  # where it lies unless it is extended, whatever was put before the archive
    for start in (begin, offset):
        if 0 <= start <= begin:
            if start >= tail_start:
                data = tail[start - tail_start : start - tail_start + END64.size]
            else:
                data = yield from span(of, start, start + END64.size)
            if data[:4] == END64_MAGIC:
                _, _, _, _, disk, directory_disk, here, entries, size, directory = END64.unpack(data)
                return start, disk or disks > 1, directory_disk, here, entries, size, directory
    return None


def directory_begins(of: Identity, tail: bytes, tail_start: int, start: int, entries: int) -> Steps[bool]:
    """Tell whether the directory really begins at `start` in the file."""
    if not entries:
        return True
    if start >= tail_start:
        return tail.startswith(CENTRAL_MAGIC, start - tail_start)
    return (yield from span(of, start, start + 4)) == CENTRAL_MAGIC


class Directory:
    """Turns the bytes of the central directory, in any cut, into members.

    Args:
        of: The archive, for errors.
        place: Where the directory is.
    """

    def __init__(self, of: Identity, place: Place) -> None:
        self._of = of
        self._place = place
        self._summary = ScanSummary(KIND)
        self._held = b""
        self._at = place.start
        self._stamps: dict[int, int] = {}
        self._entries = 0
        self._shift, self._limit = place.shift, place.start
        # The entry before: mostly each one begins where the one before it ended.
        self._start = self._stop = 0
        self._stored_bytes = 0

    def take(self, data: bytes) -> Iterator[list[Member]]:
        """Read the entries that are whole with the next bytes of the directory.

        Yields:
            Members, `SCAN_BATCH_MEMBERS` at most at a time.

        Raises:
            ArchiveDamaged: There is something else than an entry.
        """
        data = self._held + data if self._held else data
        size = len(data)
        fixed = CENTRAL.size
        unpack = CENTRAL.unpack_from
        at = 0
        batch: list[Member] = []
        while at + fixed <= size:
            fields = unpack(data, at)
            magic, name_bytes, extra_bytes, comment_bytes = fields[0], fields[8], fields[9], fields[10]
            if magic != CENTRAL_MAGIC:
                raise self._damaged("the central directory holds something that is no entry", at)
            name_start = at + fixed
            extra_start = name_start + name_bytes
            stop = extra_start + extra_bytes + comment_bytes
            if stop > size:
                break
            raw_extra = data[extra_start : extra_start + extra_bytes] if extra_bytes else b""
            member = self._member(fields, data[name_start:extra_start], raw_extra, at)
            if member is not None:
                batch.append(member)
                if len(batch) == SCAN_BATCH_MEMBERS:
                    yield batch
                    batch = []
            self._entries += 1
            at = stop
        self._held = data[at:]
        self._at += at
        if batch:
            yield batch

    def finish(self) -> ScanSummary:
        """Check what only the whole directory tells, and sum up.

        Raises:
            ArchiveDamaged: It is cut short, holds another number of entries than its end tells, or its members together are longer
                than the file, so that they must lie over one another (a bomb).
        """
        place, summary = self._place, self._summary
        summary.entries = self._entries
        if self._held:
            raise self._damaged("the central directory is cut short", 0)
        if summary.entries != place.entries and (place.zip64 or summary.entries % 0x10000 != place.entries):
            raise self._damaged(f"the central directory holds {summary.entries} entries, its end tells of {place.entries}", 0)
        if self._stored_bytes > place.start:
            raise self._damaged(f"members of {self._stored_bytes} bytes overlap in the {place.start} bytes there are", 0)
        summary.facts.update(zip64=place.zip64, prefix_bytes=place.shift, comment_bytes=place.comment_bytes)
        return summary

    def _member(self, fields: tuple[Any, ...], raw_name: bytes, raw_extra: bytes, at: int) -> Member | None:
        """Make the member that an entry tells of; None for a directory and for a name that is left out."""
        _, made, flags, method, stamp, crc32, stored_bytes, size, name_bytes, extra_bytes, _, disk, external, offset = fields
        extra = self._extra(raw_extra, at) if extra_bytes else NO_EXTRA
        mtime_s, fault = extra.mtime_s, ""
        if FULL32 in (size, stored_bytes, offset):
            size, stored_bytes, offset, fault = widened(size, stored_bytes, offset, extra.wide)
        if extra.unicode_name is not None or b"\\" in raw_name or not raw_name.isascii():
            raw_name = entry_name(raw_name, flags, made >> 8, extra.unicode_name)
        if raw_name[-1:] == b"/" and not extra.is_object:
            return None
        name = clean(raw_name)
        if isinstance(name, NameFault):
            self._summary.refuse(raw_name, name)
            return None
        if mtime_s is None:
            mtime_s = self._stamps.get(stamp) or self._stamped(stamp)
        codec = METHODS.get(method)
        start = offset + self._shift
        stop = start + LOCAL_HEADER_BYTES + name_bytes + stored_bytes
        if stop > self._limit or start < self._stop or size > stored_bytes * EXPANSION_MOST.get(method, size):
            fault = fault or self._misplaced(start, stop, size, stored_bytes, method)
        if codec is None or flags & ENCRYPTED or disk or external >> 28 not in REGULAR_MODES:
            fault = fault or unreadable(flags, method, disk, external >> 28 if made >> 8 in HOSTS_UNIX else 0)
        if fault or codec is None:
            return Member(name, min(size, OBJECT_BYTES), mtime_s, (), None, extra.etag, extra.attributes, fault)
        self._start, self._stop = start, stop
        self._stored_bytes += stop - start
        if not size:
            return Member(name, 0, mtime_s, (), crc32, extra.etag, extra.attributes)
        lead_bytes = LOCAL_HEADER_BYTES + name_bytes
        if extra_bytes and stop + extra_bytes <= self._limit:
            lead_bytes += extra_bytes - extra.central_bytes  # local headers mostly have the same fields
        # Three named tuples for each of millions of entries: made without their keyword arguments they cost half as much.
        frame = new(Frame, (start, stored_bytes, size, codec, lead_bytes, NO_CONTEXT, 0))
        extents = (new(Extent, (frame, 0, size)),)
        return new(Member, (name, size, mtime_s, extents, crc32, extra.etag, extra.attributes, None))

    def _misplaced(self, start: int, stop: int, size: int, stored_bytes: int, method: int) -> str:
        """Say what is wrong with where an entry lies or how large it claims to be; empty when nothing is."""
        if stop > self._limit:
            return "damaged: it would lie outside the archive"
        if self._start <= start < self._stop:
            return "damaged: it lies over the entry before it"
        if size > stored_bytes * EXPANSION_MOST.get(method, size):
            return f"damaged: {stored_bytes} stored bytes cannot become {size}"
        return ""

    def _extra(self, raw_extra: bytes, at: int) -> Extra:
        """Read the extra fields of the entry at `at`."""
        try:
            return read_extra(raw_extra)
        except ValueError as error:
            raise self._damaged(f"the archive keeps something of an object that does not read ({error})", at) from None

    def _stamped(self, stamp: int) -> int:
        """Turn a DOS time into an epoch, and remember it."""
        if len(self._stamps) >= STAMPS_KEPT:
            self._stamps.clear()
        mtime_s = self._stamps[stamp] = dos_time(stamp)
        return mtime_s

    def _damaged(self, why: str, at: int) -> ArchiveDamaged:
        """The error for the place `at` bytes behind what was taken so far."""
        return ArchiveDamaged(why, archive=self._of.url, offset=self._at + at)


def widened(size: int, stored_bytes: int, offset: int, wide: bytes) -> tuple[int, int, int, str]:
    """Take from the zip64 extra those values whose 32-bit field is full, in the order of APPNOTE 4.5.3.

    Returns:
        Size, stored size, offset, and what is wrong with the entry (empty when nothing is).
    """
    values = [size, stored_bytes, offset]
    at = 0
    for position, value in enumerate(values):
        if value == FULL32:
            if at + 8 > len(wide):
                return 0, 0, 0, "damaged: its 64-bit sizes are missing"
            values[position] = WIDE.unpack_from(wide, at)[0]
            at += 8
    if max(values) > OBJECT_BYTES:
        return 0, 0, 0, "damaged: its sizes are beyond 2^63"
    return values[0], values[1], values[2], ""


def unreadable(flags: int, method: int, disk: int, mode: int) -> str:
    """Say why an entry cannot be read although it is sound; empty when it can."""
    if flags & ENCRYPTED or method == AES:
        return "encrypted: it needs a password"
    if method not in METHODS:
        return f"method {method}: {METHOD_NAMES.get(method, 'unknown')} is not supported"
    if disk:
        return f"split: it begins in part {disk + 1} of the archive"
    if mode in REGULAR_MODES:
        return ""
    return f"{SPECIAL_MODES.get(mode, 'special file')}: it has no bytes of its own"

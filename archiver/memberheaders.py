"""The tar headers of members: pax records where ustar has no room, and what S3 keeps of an object in records of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from archiver import tarheaders
from indexer.attributes import encode
from indexer.model import DEFAULT_ATTRIBUTES, Attributes

if TYPE_CHECKING:
    from archiver.writers import Entry

ATTRIBUTES_RUN: Final = 8
"""So many members in a row with the same attributes make them the ones in force. Below that each member carries its own: GNU tar
goes through all global headers so far for every member."""


class MemberHeaders:
    """Makes the headers of one archive's members, in their order."""

    def __init__(self) -> None:
        self._in_force = DEFAULT_ATTRIBUTES
        self._latest = DEFAULT_ATTRIBUTES
        self._run = 0

    def of(self, entry: Entry) -> bytes:
        """All headers of the next member."""
        records = []
        if entry.attributes is not self._in_force or self._run:
            before, own = self._attributes(entry.attributes)
        else:
            before, own = b"", None
        if own is not None:
            records.append((b"BINDERY.attributes", own))
        if entry.etag is not None:
            records.append((b"BINDERY.etag", entry.etag.encode()))
        if entry.name.endswith(b"/"):
            records.append((b"BINDERY.object", b"1"))
        return before + plain(entry, records)

    def _attributes(self, attributes: Attributes) -> tuple[bytes, bytes | None]:
        """A global header to write before the member, and attributes for its own header, each where it needs one."""
        self._run = self._run + 1 if attributes == self._latest else 1
        self._latest = attributes
        if attributes == self._in_force:
            self._run = 0
            return b"", None
        if self._run < ATTRIBUTES_RUN:
            return b"", encode(attributes)
        self._in_force = attributes
        self._run = 0
        return tarheaders.pax(tarheaders.PAX_GLOBAL, [(b"BINDERY.attributes", encode(attributes))]), None


def plain(entry: Entry, records: list[tuple[bytes, bytes]]) -> bytes:
    """The headers that any tar has for a member, with `records` added; a name that ends in `/` is told as a folder's."""
    kind = tarheaders.FOLDER if entry.name.endswith(b"/") else tarheaders.FILE
    fields = tarheaders.split(entry.name)
    if fields is None:
        records.append((b"path", entry.name))
        # For a reader without pax; it must not look like a folder when it is none.
        fields = entry.name[:100].decode(errors="ignore").encode("ascii", "replace").rstrip(b"/"), b""
    size, mtime_s = entry.size, entry.mtime_s
    if size >= tarheaders.USTAR_NUMBER:
        records.append((b"size", b"%d" % size))
        size = 0
    if not 0 <= mtime_s < tarheaders.USTAR_NUMBER:
        records.append((b"mtime", b"%d" % mtime_s))
        mtime_s = 0
    own_header = tarheaders.header(*fields, size, mtime_s, kind)
    return tarheaders.pax(tarheaders.PAX_MEMBER, records) + own_header if records else own_header

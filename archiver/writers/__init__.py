"""What every writer of archives does; one module for each kind of archive, none knows another."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from indexer.model import Attributes

Data = bytes | memoryview
"""Bytes as they came from a store, which are not copied on their way."""


class Entry(NamedTuple):
    """One member as it is to be written.

    Attributes:
        name: Its name, clean in the sense of `indexer.names`; one that ends in `/` is an empty object, not a folder.
        size: Its length in bytes.
        mtime_s: Last-Modified in seconds since 1970.
        etag: Its ETag where that is not the MD5 of its bytes; else None.
        attributes: Content-Type and the like.
    """

    name: bytes
    size: int
    mtime_s: int
    etag: str | None
    attributes: Attributes


class Sums(NamedTuple):
    """Checksums of a member's bytes: CRC-32 as zlib counts it, MD5 in hexadecimal."""

    crc32: int
    md5: str


class Writer(Protocol):
    """Writes one archive, members in the order they are given; what it is given alone decides its bytes."""

    def add(self, entry: Entry, data: Data, sums: Sums) -> None:
        """Write a member whose bytes are at hand."""
        ...

    def begin(self, entry: Entry) -> None:
        """Begin a member whose bytes follow with `feed`."""
        ...

    def feed(self, data: Data) -> None:
        """Write the next bytes of the member that was begun."""
        ...

    def end(self, sums: Sums) -> None:
        """End the member that was begun; all its `size` bytes have been fed."""
        ...

    def close(self) -> None:
        """Write what closes the archive; everything has been handed to the sink when this returns."""
        ...

    def discard(self) -> None:
        """Give up: end what was begun and leave nothing behind. Does nothing after `close`, and a second time."""
        ...

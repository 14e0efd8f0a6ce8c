"""Tar headers as POSIX.1-2017 describes them: ustar where a member fits, pax records where it does not.

Owner, mode and device are the same for all members: S3 keeps none, and what never changes costs nothing once compressed.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 512
END_OF_ARCHIVE: Final = bytes(2 * BLOCK)

NAME_FIELD: Final = 100
PREFIX_FIELD: Final = 155
USTAR_NUMBER: Final = 8**11
"""First size or time that eleven octal digits cannot write."""

FILE: Final = b"0"
FOLDER: Final = b"5"
PAX_MEMBER: Final = b"x"
PAX_GLOBAL: Final = b"g"

_MODES: Final = {FILE: b"0000644\0", FOLDER: b"0000755\0", PAX_MEMBER: b"0000644\0", PAX_GLOBAL: b"0000644\0"}
_OWNER: Final = b"0000000\0" * 2
_MAGIC: Final = b"ustar\x0000"
_DEVICES: Final = bytes(64) + b"0000000\0" * 2
"""Names of owner and group, empty, and the numbers of a device that is none."""

_CONSTANT_SUMS: Final = {
    kind: sum(mode) + sum(_OWNER) + 8 * ord(" ") + ord(kind) + sum(_MAGIC) + sum(_DEVICES) for kind, mode in _MODES.items()
}
"""What the fields that never change add to the checksum, whose own field counts as eight spaces."""

_TAILS: Final = {kind: kind + bytes(100) + _MAGIC + _DEVICES for kind in _MODES}
"""Type, name of a link (none), magic, devices."""


def header(name: bytes, prefix: bytes, size: int, mtime_s: int, kind: bytes) -> bytes:
    """One ustar header of 512 bytes.

    Args:
        name: At most 100 bytes.
        prefix: At most 155 bytes; a reader puts it and a slash before the name.
        size: Bytes that follow, below 8 GiB.
        mtime_s: Seconds since 1970, from 0 to the year 2242.
        kind: `FILE`, `FOLDER`, `PAX_MEMBER` or `PAX_GLOBAL`.
    """
    numbers = b"%011o\0%011o\0" % (size, mtime_s)
    checksum = sum(name) + sum(prefix) + sum(numbers) + _CONSTANT_SUMS[kind]
    return b"".join(
        (
            name.ljust(NAME_FIELD, b"\0"),
            _MODES[kind],
            _OWNER,
            numbers,
            b"%06o\0 " % checksum,
            _TAILS[kind],
            prefix.ljust(PREFIX_FIELD + 12, b"\0"),
        )
    )


def split(name: bytes) -> tuple[bytes, bytes] | None:
    """Cut a name into the fields `name` and `prefix` of a ustar header; None when only a pax record can carry it.

    Names that are not ASCII are left to pax, which says that they are UTF-8; so are long names with empty segments, which readers
    join differently.
    """
    if not name.isascii():
        return None
    if len(name) <= NAME_FIELD:
        return name, b""
    cut = name.find(b"/", len(name) - NAME_FIELD - 1, -1)
    if not 0 < cut <= PREFIX_FIELD or b"//" in name:
        return None
    return name[cut + 1 :], name[:cut]


def padding(size: int) -> bytes:
    """The zeros that fill `size` bytes up to whole blocks."""
    return bytes(-size % BLOCK)


def pax(kind: bytes, records: list[tuple[bytes, bytes]]) -> bytes:
    """An extended header with its records, for the next member (`PAX_MEMBER`) or all that follow (`PAX_GLOBAL`)."""
    body = b"".join(_record(keyword, value) for keyword, value in records)
    # The name that Python's tarfile gives such headers: a reader that knows no pax would extract a file of that name.
    return header(b"././@PaxHeader", b"", len(body), 0, kind) + body + padding(len(body))


def _record(keyword: bytes, value: bytes) -> bytes:
    """`length keyword=value` and a newline; the length counts its own digits."""
    rest = b" " + keyword + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    if len(str(length)) + len(rest) != length:
        length = len(rest) + len(str(length))
    return b"%d" % length + rest

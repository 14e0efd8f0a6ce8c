"""What one tar header says: ustar, v7, old GNU and star fields, and pax records, read from bytes that may be hostile.

The formats: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header"; GNU tar manual, "Basic Tar Format" and "Sparse
Formats"; libarchive's tar(5).
"""

from __future__ import annotations

import enum
import zlib
from struct import Struct
from typing import Final, NamedTuple

from indexer.limits import OBJECT_BYTES, SPARSE_RUNS

BLOCK: Final = 512

FIELDS: Final = Struct("<100s24x12s12s8sc100s6s82x155s12x")
"""Name, size, mtime, checksum, type, link, magic, prefix."""

STAR_MARK: Final = slice(508, 512)
"""Where xstar says `tar\\0`; its prefix is 131 bytes long, because two times follow it."""

ADLER_BASE: Final = 65_521
"""The low half of an Adler-32 is one plus the sum of the bytes, modulo this (RFC 1950): a sum at the speed of C."""

SPARSE_RUN: Final = 24
"""One run of an old GNU sparse map: offset and length as 12 bytes each."""


class EntryType(enum.Enum):
    """What an entry stands for."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMBOLIC_LINK = "symbolic link"
    HARD_LINK = "hard link"
    SPECIAL = "special file"
    CONTINUED = "continued from another volume"
    LABEL = "volume label"


TYPES: Final[dict[bytes, EntryType]] = {
    b"0": EntryType.FILE,
    b"\0": EntryType.FILE,
    b"7": EntryType.FILE,
    b"S": EntryType.FILE,
    b"1": EntryType.HARD_LINK,
    b"2": EntryType.SYMBOLIC_LINK,
    b"3": EntryType.SPECIAL,
    b"4": EntryType.SPECIAL,
    b"5": EntryType.DIRECTORY,
    b"6": EntryType.SPECIAL,
    b"D": EntryType.DIRECTORY,
    b"M": EntryType.CONTINUED,
    b"N": EntryType.LABEL,
    b"V": EntryType.LABEL,
}
"""By type flag; what is not here is a file, as POSIX asks."""

WITHOUT_BYTES: Final = frozenset((b"1", b"2", b"3", b"4", b"5", b"6"))
"""Types whose size field does not tell bytes that follow (GNU tar and Python's tarfile read them so)."""

Runs = tuple[tuple[int, int], ...]
"""Where the bytes of a sparse file belong: offset and length of each run, in order; the rest is zeros."""


class Header(NamedTuple):
    """The fields of a header block that matter, numbers read, texts without their padding."""

    name: bytes
    size: int
    mtime_s: int
    flag: bytes
    link: bytes
    old_gnu: bool


def number(field: bytes) -> int:
    """Read a numeric field: octal digits between blanks and NULs, or base-256 when its first bit is set (GNU, star).

    Raises:
        ValueError: It is neither.
    """
    digits = field.strip(b"\0 ")
    if not digits:
        return 0
    if field[0] & 0x80:
        bits = 8 * len(field) - 1
        value = int.from_bytes(field, "big") & ((1 << bits) - 1)
        return value - (1 << bits) if value >> (bits - 1) else value
    if not digits.isdigit():
        digits = digits.partition(b"\0")[0].rstrip(b" ")
    try:
        if digits.isdigit():  # int() takes signs and underscores too
            return int(digits, 8)
    except ValueError:
        pass
    raise ValueError("a number in a tar header is neither octal nor base-256")


def checksum_holds(block: bytes, field: bytes) -> bool:
    """Tell whether the sum of a header's bytes, its checksum taken as blanks, is what it says; old tars summed signed bytes."""
    try:
        told = number(field)
    except ValueError:
        return False
    # Two sums: adler32 has the second start where the first ended. 256 for the eight blanks, 1 for where Adler-32 begins.
    total = zlib.adler32(block[156:], zlib.adler32(block[:148])) & 0xFFFF
    if (told - 256 + 1 - total) % ADLER_BASE == 0:
        return True
    summed = block[:148] + block[156:]
    return told == 256 + sum(summed) - 256 * sum(byte > 127 for byte in summed)


def read_header(block: bytes) -> Header:
    """Read a header block.

    Raises:
        ValueError: Its checksum does not hold, or a number does not read.
    """
    name, size, mtime, checksum, flag, link, magic, prefix = FIELDS.unpack(block)
    if not checksum_holds(block, checksum):
        raise ValueError("there is no tar header here (its checksum does not hold)")
    name = name.partition(b"\0")[0]
    old_gnu = magic == b"ustar "
    if magic == b"ustar\0" and prefix[0]:
        if block[STAR_MARK] == b"tar\0":
            prefix = prefix[:131]
        name = prefix.partition(b"\0")[0] + b"/" + name
    size_bytes = 0 if flag in WITHOUT_BYTES else number(size)
    if not 0 <= size_bytes <= OBJECT_BYTES:
        raise ValueError(f"an entry cannot have {size_bytes} bytes")
    return Header(name, size_bytes, number(mtime), flag, link.partition(b"\0")[0] if link[0] else b"", old_gnu)


def old_gnu_runs(block: bytes) -> tuple[list[tuple[int, int]], int, bool]:
    """Read the part of a sparse map that stands in an old GNU header: runs, true size, whether more blocks of it follow."""
    return sparse_runs(block[386:482]), number(block[483:495]), bool(block[482])


def sparse_runs(data: bytes) -> list[tuple[int, int]]:
    """Read the runs of an old GNU sparse map; the first one without any text ends it."""
    runs = []
    for at in range(0, len(data) - SPARSE_RUN + 1, SPARSE_RUN):
        run = data[at : at + SPARSE_RUN]
        if not run[0]:
            break
        runs.append((number(run[:12]), number(run[12:])))
    return runs


def pax_records(data: bytes) -> list[tuple[bytes, bytes]]:
    """Read the records of a pax header: each `length key=value` and a line feed.

    They keep their order, because a key may come more than once (GNU.sparse 0.0).

    Raises:
        ValueError: A record's length contradicts it.
    """
    records = []
    at = 0
    while at < len(data):
        blank = data.find(b" ", at, at + 20)
        digits = data[at:blank] if blank > 0 else b""
        if not digits.isdigit():
            if not data[at:].strip(b"\0"):
                break
            raise ValueError("a pax record begins without its length")
        stop = at + int(digits)
        if stop > len(data) or stop <= blank + 1 or data[stop - 1] != 0x0A:
            raise ValueError("a pax record ends elsewhere than it says")
        key, equals, value = data[blank + 1 : stop - 1].partition(b"=")
        if not equals:
            raise ValueError("a pax record has no value")
        records.append((key, value))
        at = stop
    return records


def pax_number(value: bytes) -> int:
    """Read a decimal number; a fraction, as times have it, is cut off towards the past.

    Raises:
        ValueError: It is no such number.
    """
    whole, _, fraction = value.partition(b".")
    digits = whole.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 20 or (fraction and not fraction.isdigit()):
        raise ValueError("a number in a pax header is not decimal")
    amount = int(digits)
    return amount if digits == whole else -amount - bool(fraction.strip(b"0"))


def check_runs(runs: list[tuple[int, int]], size: int, stored_bytes: int) -> Runs:
    """Check a sparse map: runs in order, apart, inside the file, and together as long as what is stored.

    Raises:
        ValueError: They are not.
    """
    if len(runs) > SPARSE_RUNS:
        raise ValueError(f"a sparse map has {len(runs)} runs, the limit is {SPARSE_RUNS}")
    end = told = 0
    for offset, length in runs:
        if offset < end or length < 0 or offset + length > size:
            raise ValueError("the runs of a sparse map lie over one another or outside the file")
        end = offset + length
        told += length
    if told != stored_bytes:
        raise ValueError(f"a sparse map tells of {told} bytes, {stored_bytes} are stored")
    return tuple(run for run in runs if run[1])

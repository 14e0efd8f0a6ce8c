"""The structures of a zip file that tell where things lie (APPNOTE 6.3.10), read from bytes that may be hostile."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from indexer.attributes import decode as decode_attributes
from indexer.attributes import decode_etag
from indexer.limits import MTIME_S_MOST
from indexer.model import DEFAULT_ATTRIBUTES, Attributes, Codec

CENTRAL_MAGIC: Final = b"PK\x01\x02"
END_MAGIC: Final = b"PK\x05\x06"
END64_MAGIC: Final = b"PK\x06\x06"
END64_LOCATOR_MAGIC: Final = b"PK\x06\x07"

CENTRAL: Final = Struct("<4sHxxHHIIIIHHHHxxII")
"""A directory entry (APPNOTE 4.3.12) up to its name: magic, made by, flags, method, time and date as one number, CRC-32, stored
size, raw size, lengths of name, extra and comment, disk, external attributes, offset of the local header."""

END: Final = Struct("<4sHHHHIIH")
"""The end of the directory (APPNOTE 4.3.16): magic, disk, disk of the directory, entries here, entries, size, offset, comment."""

END64_LOCATOR: Final = Struct("<4sIQI")
"""Where the zip64 end lies (APPNOTE 4.3.15): magic, disk, offset, disks."""

END64: Final = Struct("<4sQHHIIQQQQ")
"""The zip64 end (APPNOTE 4.3.14): magic, length, made by, needed, disk, disk of the directory, entries here, entries, size,
offset."""

LOCAL_HEADER_BYTES: Final = 30
"""A local header without name and extra (APPNOTE 4.3.7)."""

COMMENT_BYTES: Final = 0xFFFF
"""Longest archive comment."""

FULL32: Final = 0xFFFFFFFF
"""In a 32-bit field: the value stands in the zip64 extra (APPNOTE 4.5.3)."""

ENCRYPTED: Final = 0x0001 | 0x0040 | 0x2000
"""Flags: encrypted, strongly encrypted, local headers masked (APPNOTE 4.4.4)."""

UTF8: Final = 0x0800
"""Flag: name and comment are UTF-8."""

HOST_FAT: Final = 0
HOSTS_UNIX: Final = frozenset((3, 19))
"""Hosts (high byte of "made by") whose external attributes carry a Unix mode: Unix and OS X (APPNOTE 4.4.2)."""

METHODS: Final[dict[int, Codec]] = {
    0: Codec.STORED,
    8: Codec.DEFLATE,
    9: Codec.DEFLATE64,
    12: Codec.BZIP2,
    14: Codec.LZMA,
    20: Codec.ZSTD,
    93: Codec.ZSTD,
    95: Codec.XZ,
}
"""Compression methods we know (APPNOTE 4.4.5); 20 is zstd's first, deprecated number."""

METHOD_NAMES: Final[dict[int, str]] = {
    1: "shrink",
    2: "reduce",
    3: "reduce",
    4: "reduce",
    5: "reduce",
    6: "implode",
    10: "PKWARE implode",
    16: "z/OS CMPSC",
    18: "IBM TERSE",
    19: "IBM LZ77",
    94: "mp3",
    96: "jpeg",
    97: "WavPack",
    98: "PPMd",
    99: "AES",
}
"""What to call the methods that we cannot decode."""

AES: Final = 99
"""The method that stands in place of the true one when WinZip's encryption is used (APPNOTE appendix E)."""

EXPANSION_MOST: Final = {0: 1, 8: 1032}
"""By method: how many bytes a stored byte can become, where the format bounds it usefully (in deflate 258 bytes for two bits)."""

REGULAR_MODES: Final = frozenset((0, 4, 8))
"""Upper four bits of a Unix mode: not told, a directory, a regular file."""

SPECIAL_MODES: Final = {1: "pipe", 2: "device", 6: "device", 10: "symbolic link", 12: "socket"}
"""Upper four bits of the Unix modes that are no files."""

TAG: Final = Struct("<HH")
"""What each extra field begins with: which it is, and its length (APPNOTE 4.5.1)."""

ZIP64_EXTRA: Final = 0x0001
NTFS_EXTRA: Final = 0x000A
TIMES_EXTRA: Final = 0x5455
UNIX_EXTRA: Final = 0x5855
UNICODE_PATH_EXTRA: Final = 0x7075
BINDERY_EXTRA: Final = 0x4242

NTFS_EPOCH_S: Final = 11_644_473_600
"""Seconds from 1601 to 1970."""

DOS_EPOCH_S: Final = 315_532_800
"""1980-01-01: what a time before or beyond the calendar becomes."""


class Extra(NamedTuple):
    """What the extra fields of one entry tell beyond its fixed fields; None where they are silent.

    Attributes:
        wide: The 64-bit values of the zip64 extra, in its order.
        mtime_s: The most exact modification time.
        unicode_name: The name in UTF-8, with the CRC-32 of the name it stands for (APPNOTE 4.6.9).
        etag: ETag of the object (Bindery's own extra).
        attributes: Its attributes.
        is_object: Whether a directory entry stands for an object.
        central_bytes: Length of the fields that stand in the directory alone, not in the local header (Bindery's own).
    """

    wide: bytes = b""
    mtime_s: int | None = None
    unicode_name: tuple[int, bytes] | None = None
    etag: str | None = None
    attributes: Attributes = DEFAULT_ATTRIBUTES
    is_object: bool = False
    central_bytes: int = 0


NO_EXTRA: Final = Extra()


def read_extra(data: bytes) -> Extra:
    """Read the extra fields of a directory entry; fields that are cut short or unknown are passed over, as the tools do.

    Raises:
        ValueError: Bindery's own field is there and does not read.
    """
    wide = b""
    unicode_name = etag = mtime_s = None
    told = DEFAULT_ATTRIBUTES
    is_object = False
    exactness = central_bytes = 0
    at, size = 0, len(data)
    while at + 4 <= size:
        tag, length = TAG.unpack_from(data, at)
        start = at + 4
        at = start + length
        if at > size:
            break
        if tag == TIMES_EXTRA:
            if length >= 5 and data[start] & 1:
                mtime_s = int.from_bytes(data[start + 1 : start + 5], "little", signed=True)
                exactness = 3
        elif tag == BINDERY_EXTRA:
            etag, told, is_object = read_bindery_extra(data[start:at])
            central_bytes = TAG.size + length
        elif tag == ZIP64_EXTRA:
            wide = data[start:at]
        elif tag == UNICODE_PATH_EXTRA:
            if length > 5 and data[start] == 1:
                unicode_name = int.from_bytes(data[start + 1 : start + 5], "little"), data[start + 5 : at]
        elif tag == NTFS_EXTRA:
            if length >= 16 and exactness < 2 and data[start + 4 : start + 8] == b"\x01\x00\x18\x00":
                mtime_s = int.from_bytes(data[start + 8 : start + 16], "little") // 10_000_000 - NTFS_EPOCH_S
                exactness = 2
        elif tag == UNIX_EXTRA and length >= 8 and exactness < 1:
            mtime_s = int.from_bytes(data[start + 4 : start + 8], "little", signed=True)
            exactness = 1
    if mtime_s is not None and not 0 <= mtime_s <= MTIME_S_MOST:
        mtime_s = min(max(0, mtime_s), MTIME_S_MOST)
    return Extra(wide, mtime_s, unicode_name, etag, told, is_object, central_bytes)


def read_bindery_extra(field: bytes) -> tuple[str | None, Attributes, bool]:
    """Read what Bindery keeps of an object: ETag, attributes, and whether a directory entry stands for one.

    The field: one byte of version (1), then values, each one byte of tag, two of length, and its bytes. Tag 1: the ETag, as text or
    as the 16 bytes of 32 hex digits. Tag 2: the attributes. Tag 3: this directory entry is an object. Others are passed over.

    Raises:
        ValueError: It does not read.
    """
    if field[:1] != b"\x01":
        return None, DEFAULT_ATTRIBUTES, False  # somebody else's, or a later version's
    etag, told, is_object = None, DEFAULT_ATTRIBUTES, False
    at = 1
    while at < len(field):
        stop = at + 3 + int.from_bytes(field[at + 1 : at + 3], "little")
        if stop > len(field) or at + 3 > len(field):
            raise ValueError("a value is cut short")
        tag, value = field[at], field[at + 3 : stop]
        if tag == 1:
            etag = value.hex() if len(value) == 16 else decode_etag(value)
        elif tag == 2:
            told = remembered_attributes(value)
        elif tag == 3:
            is_object = True
        at = stop
    return etag, told, is_object


remembered_attributes = lru_cache(maxsize=256)(decode_attributes)
"""Most members of an archive have the same attributes as others."""


def dos_time(stamp: int) -> int:
    """Turn a DOS date (high half) and time into seconds since 1970, taken as UTC because a zip does not tell its zone.

    Like unzip, a time that is in no calendar becomes the beginning of DOS time.
    """
    try:
        moment = datetime(
            1980 + (stamp >> 25),
            stamp >> 21 & 15,
            stamp >> 16 & 31,
            stamp >> 11 & 31,
            stamp >> 5 & 63,
            min((stamp & 31) * 2, 59),
            tzinfo=UTC,
        )
    except ValueError:
        return DOS_EPOCH_S
    return int(moment.timestamp())


def entry_name(raw: bytes, flags: int, host: int, unicode_name: tuple[int, bytes] | None) -> bytes:
    """Turn the name of an entry into UTF-8.

    The Unicode path extra counts when its CRC-32 proves that it stands for this very name (APPNOTE 4.6.9); then the UTF-8 flag;
    then, from a Unix host, bytes that are UTF-8, because Unix tools store names as they are (Info-ZIP, 7-Zip); else it is cp437.
    """
    if unicode_name is not None and unicode_name[0] == zlib.crc32(raw):
        raw = unicode_name[1]
    elif not raw.isascii() and not flags & UTF8:
        try:
            if host not in HOSTS_UNIX:
                raise ValueError
            raw.decode()
        except ValueError:
            raw = raw.decode("cp437").encode()
    if host == HOST_FAT and b"\\" in raw and b"/" not in raw:
        raw = raw.replace(b"\\", b"/")  # against APPNOTE 4.4.17, but some Windows writers did; unzip reads it so
    return raw

"""Zips of any number of members, as Info-ZIP and as we write them, made with flat memory and little disk.

Every header of the directory is right: names with 64 random bits, log-like sizes, CRC-32, zip64 where an offset needs it. Only
every `SAMPLE`-th member has bytes; between them lies a hole, because nothing that builds or reads an index looks there.
"""

import enum
import random
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

SAMPLE: Final = 1_000
SIZES: Final = 65_536
BATCH: Final = 4_096
KINDS: Final = ("apache-access", "auth", "jvm-gc", "kafka-state-change", "nginx-access")
BEGAN: Final = datetime(2026, 3, 1, tzinfo=UTC)
EPOCH_S: Final = int(BEGAN.timestamp())
DAYS: Final = 30
FULL32: Final = 0xFFFFFFFF

CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
END64: Final = struct.Struct("<4sQHHIIQQQQ4sIQI")
END: Final = struct.Struct("<4sHHHHIIH")
TIMES: Final = struct.Struct("<HHBi")
"""The extended timestamp that Info-ZIP writes."""
OWNER: Final = struct.pack("<HHBBIBI", 0x7875, 11, 1, 4, 1000, 4, 1000)
"""Info-ZIP's Unix owner."""
ETAG: Final = struct.Struct("<HHBBH16s")
"""Bindery's own field with an MD5 (`archiver.writers.zip`)."""


class Maker(enum.Enum):
    """Whose fields the entries of the directory have."""

    PYTHON = "Python's zipfile"
    """None."""
    INFO_ZIP = "Info-ZIP"
    """Times and owner."""
    BINDERY = "Bindery"
    """Times, owner, and the MD5 of every object."""


@dataclass(frozen=True, slots=True)
class MadeZip:
    """A zip that was made.

    Args:
        path: Where.
        members: How many it has.
        samples: Members that have bytes, with their bodies; names in no particular order.
        directory_bytes: Length of its central directory.
    """

    path: Path
    members: int
    samples: dict[str, bytes]
    directory_bytes: int


def make_zip(path: Path, members: int, *, maker: Maker = Maker.INFO_ZIP, seed: int = 1) -> MadeZip:
    """Make a zip. Costs about 3 us of CPU and 160 bytes of disk a member, besides the samples; memory flat."""
    pick = random.Random(seed)
    sizes = [max(1, min(int(pick.lognormvariate(7.3, 0.8)), 2**20)) for _ in range(SIZES)]
    samples: dict[str, bytes] = {}
    spool = path.with_suffix(".directory")
    at = 0
    with path.open("wb") as out:
        with spool.open("wb") as directory:
            batch = []
            for number, (name, mtime_s, stamp) in enumerate(_names(members, pick)):
                if number % SAMPLE == 0:
                    body = _body(name, sizes[pick.getrandbits(16)])
                    stored = zlib.compress(body, 6, -15)
                    size, crc32, stored_bytes = len(body), zlib.crc32(body), len(stored)
                    samples[name.decode()] = body
                    out.seek(at)
                    header = LOCAL.pack(b"PK\3\4", 20, 0, 8, stamp & 0xFFFF, stamp >> 16, crc32, stored_bytes, size, len(name), 0)
                    out.write(header + name + stored)
                else:
                    size, crc32 = sizes[pick.getrandbits(16)], pick.getrandbits(32)
                    stored_bytes = (size >> 2) + pick.getrandbits(6) + 8
                extra = b"" if maker is Maker.PYTHON else TIMES.pack(0x5455, 5, 3, mtime_s) + OWNER
                if maker is Maker.BINDERY:
                    extra += ETAG.pack(0x4242, 20, 1, 1, 16, pick.getrandbits(128).to_bytes(16, "big"))
                offset = at
                if at >= FULL32:
                    extra, offset = struct.pack("<HHQ", 1, 8, at) + extra, FULL32
                batch.append(
                    CENTRAL.pack(
                        b"PK\1\2", 0x031E, 20, 0, 8, stamp & 0xFFFF, stamp >> 16, crc32, stored_bytes, size,
                        len(name), len(extra), 0, 0, 1, 0o100644 << 16, offset,
                    )
                    + name
                    + extra
                )  # fmt: skip
                at += LOCAL.size + len(name) + stored_bytes
                if len(batch) == BATCH:
                    directory.write(b"".join(batch))
                    batch.clear()
            directory.write(b"".join(batch))
        directory_bytes = spool.stat().st_size
        out.seek(at)
        _append(out, spool)
        _end(out, members, at, directory_bytes)
    return MadeZip(path, members, samples, directory_bytes)


def _names(members: int, pick: random.Random) -> Iterator[tuple[bytes, int, int]]:
    """Names in the order of time, as logs arrive, each with its mtime as an epoch and as a DOS time."""
    seconds = DAYS * 86_400
    day, folders, dos_day = -1, [b""] * len(KINDS), 0
    for number in range(members):
        now = number * seconds // members
        if now // 86_400 != day:
            day = now // 86_400
            when = BEGAN + timedelta(days=day)
            folders = [f"{kind}/{when:%Y/%m/%d}/{kind}-{when:%Y-%m-%d}".encode() for kind in KINDS]
            dos_day = ((when.year - 1980) << 9 | when.month << 5 | when.day) << 16
        minute, second = divmod(now % 86_400, 60)
        hour, minute = divmod(minute, 60)
        name = b"%s-%02d-%02d-%02d-%016X" % (folders[number % len(KINDS)], hour, minute, second, pick.getrandbits(64))
        yield name, EPOCH_S + now, dos_day | hour << 11 | minute << 5 | second >> 1


def _body(name: bytes, size: int) -> bytes:
    """A body of `size` bytes that compresses like a log."""
    pick = random.Random(name)
    lines = bytearray()
    while len(lines) < size:
        lines += b"10.0.%d.%d - - GET /v1/items/%d HTTP/1.1 200 %d\n" % tuple(pick.getrandbits(bits) for bits in (4, 8, 20, 12))
    return bytes(lines[:size])


def _append(out: BinaryIO, spool: Path) -> None:
    with spool.open("rb") as directory:
        while piece := directory.read(1 << 20):
            out.write(piece)
    spool.unlink()


def _end(out: BinaryIO, members: int, start: int, length: int) -> None:
    """The end of the directory, the zip64 one before it where the numbers need it."""
    if members >= 0xFFFF or start >= FULL32 or length >= FULL32:
        out.write(END64.pack(b"PK\6\6", 44, 45, 45, 0, 0, members, members, length, start, b"PK\6\7", 0, start + length, 1))
    fits = min(members, 0xFFFF), min(length, FULL32), min(start, FULL32)
    out.write(END.pack(b"PK\5\6", 0, 0, fits[0], fits[0], fits[1], fits[2], 0))

"""A second reader of index files, written from docs/index-format.md alone: it shares no line with the first, so that what both
agree on stands on the page.

It reads everything eagerly and trusts what proves itself; it is for tests.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import zstandard

Columns = dict[int, bytes]
Told = dict[str, Any]


def varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def varint(data: bytes, at: int) -> tuple[int, int]:
    end = at
    while data[end] >= 0x80:
        end += 1
    return next(varints(data[at : end + 1])), end + 1


def signed(data: bytes, at: int) -> tuple[int, int]:
    value, at = varint(data, at)
    return (-(value + 1) // 2 if value % 2 else value // 2), at


def numbers(data: bytes, count: int) -> list[int]:
    if count == 0:
        assert data == b""
        return []
    planes, delta, at, first = data[0] & 0x0F, data[0] & 0x10, 1, 0
    assert planes <= 8
    assert data[0] < 0x20
    if delta:
        first, at = signed(data, at)
    base, at = signed(data, at)
    stored = count - 1 if delta else count
    assert len(data) == at + planes * stored
    read = [sum(data[at + plane * stored + i] << 8 * plane for plane in range(planes)) + base for i in range(stored)]
    if not delta:
        return read
    column = [first]
    for step in read:
        column.append(column[-1] + step)
    return column


def names(columns: Columns, first: int, count: int) -> list[bytes]:
    shared, rest, text = numbers(columns[first], count), numbers(columns[first + 1], count), columns[first + 2]
    found, at = [b""], 0
    for common, length in zip(shared, rest, strict=True):
        found.append(found[-1][:common] + text[at : at + length])
        at += length
    assert at == len(text)
    return found[1:]


def texts(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        length, at = varint(data, at)
        found.append(data[at : at + length].decode())
        at += length
    return found


def block(data: bytes, kind: int, tag: bytes) -> Columns:
    crc, found_kind, count, zero = struct.unpack_from("<IBBH", data)
    assert crc == zlib.crc32(data[4:])
    assert (found_kind, zero, data[8:16]) == (kind, 0, tag)
    at, rows = 16, []
    for _ in range(count):
        column, coding = data[at : at + 2]
        stored, at = varint(data, at + 2)
        raw, at = varint(data, at)
        rows.append((column, coding, stored, raw))
    columns: Columns = {}
    for column, coding, stored, raw in rows:
        payload = data[at : at + stored]
        columns[column] = zstandard.ZstdDecompressor().decompress(payload) if coding else payload
        assert len(columns[column]) == raw
        at += stored
    assert at == len(data)
    return columns


def children(columns: Columns) -> list[tuple[bytes, int, int]]:
    """Key, start and stop of each child."""
    if 1 not in columns:
        return []
    count, start = varints(columns[1])
    rows = []
    for key, length in zip(names(columns, 50, count), numbers(columns[53], count), strict=True):
        rows.append((key, start, start + length))
        start += length
    return rows


def etags(columns: Columns, members: int) -> Iterator[str | None]:
    kinds = numbers(columns[9], members) if 9 in columns else [0] * members
    digits = (columns[10][at : at + 16].hex() for at in range(0, len(columns.get(10, b"")), 16))
    parts, others = iter(numbers(columns.get(11, b""), kinds.count(2))), iter(texts(columns.get(12, b"")))
    for kind in kinds:
        assert kind in (0, 1, 2, 3)
        digest = next(digits) if kind in (1, 2) else ""
        yield None if kind == 0 else digest if kind == 1 else f"{digest}-{next(parts)}" if kind == 2 else next(others)


def extents(columns: Columns, sizes: list[int], counts: list[int]) -> list[list[Told]]:
    """The extents of each member: frame, offset and length; frame is None for zeros."""
    _, frames, total, align, lead, first_start = counts[:6]
    extent_counts, ordinals = numbers(columns[20], len(sizes)), numbers(columns.get(21, b""), total)
    gaps = iter(numbers(columns.get(22, b""), total - ordinals.count(0)))
    lengths = iter(numbers(columns.get(23, b""), total - sum(count > 0 for count in extent_counts)))
    found: list[list[Told]] = []
    now, foreseen, farthest, each = 0, lead, [0] * (frames + 1), iter(ordinals)
    for size, count in zip(sizes, extent_counts, strict=True):
        left, own = size, []
        for position in range(count):
            length = left if position == count - 1 else next(lengths)
            left -= length
            k = next(each)
            if k == 0:
                own.append({"frame": None, "offset": 0, "length": length})
                continue
            if k != now:
                now, foreseen = k, lead
            offset = foreseen + next(gaps)
            foreseen = (offset + length + align - 1) // align * align + lead
            farthest[k] = max(farthest[k], offset + length)
            own.append({"frame": k, "offset": offset, "length": length})
        found.append(own)
    rows, foreseen = [], first_start
    column = {at: numbers(columns[at], frames) if at in columns else [0] * frames for at in range(30, 38)}
    for at in range(frames):
        start = foreseen + column[30][at]
        told = {"start": start, "stored": column[31][at], "raw": farthest[at + 1] + column[32][at], "codec": column[33][at]}
        rows.append({**told, "lead": column[34][at], "bit": column[35][at], "context": (column[36][at], column[37][at])})
        foreseen = start + column[34][at] + column[31][at]
    for extent in (extent for own in found for extent in own):
        extent["frame"] = rows[extent["frame"] - 1] if extent["frame"] else None
    return found


def page(columns: Columns) -> list[Told]:
    counts = list(varints(columns[1]))
    members = counts[0]
    sizes, mtimes = numbers(columns[5], members), numbers(columns[6], members)
    absent = numbers(columns[8], members) if 8 in columns else [7 not in columns] * members
    crcs = struct.unpack(f"<{members}I", columns.get(7, bytes(4 * members)))

    def table(at: int) -> list[str]:
        places = numbers(columns[at], members) if at in columns else [0] * members
        told = ["", *texts(columns.get(at + 1, b""))]
        return [told[place] for place in places]

    lying = extents(columns, sizes, counts)
    rows = zip(
        names(columns, 2, members), sizes, mtimes, lying, crcs, absent, etags(columns, members), table(13), table(15), strict=True
    )
    return [
        {
            "name": name,
            "size": size,
            "mtime_s": mtime_s,
            "extents": own,
            "crc32": None if gone else crc,
            "etag": etag,
            "attributes": json.loads(attributes or "{}"),
            "unreadable": reason or None,
        }
        for name, size, mtime_s, own, crc, gone, etag, attributes, reason in rows
    ]


class OtherReader:
    """An index file read from the page.

    Args:
        data: The whole file.
    """

    def __init__(self, data: bytes) -> None:
        trailer = data[-64:]
        assert trailer[56:] == b"BINDERYX" == data[:8]
        assert zlib.crc32(trailer[:52]) == struct.unpack_from("<I", trailer, 52)[0]
        start, length, file_bytes, self.members = struct.unpack_from("<4Q", trailer)
        flags, major, _ = struct.unpack_from("<IHH", trailer, 40)
        assert (flags, major, file_bytes, start + length + 64) == (0, 1, len(data), len(data))
        self.data, self.tag = data, trailer[32:40]
        root = block(data[start : start + length], 3, self.tag)
        self.facts = json.loads(root[60])
        told = self.facts["archive_etag"].encode() + b"\0" + str(self.facts["archive_size"]).encode()
        assert hashlib.sha256(told).digest()[:8] == self.tag
        self.directories = children(root)

    def find(self, name: bytes) -> Told | None:
        """The member of this name, through the root and one directory."""
        rows, kind = self.directories, 2
        while rows:
            _, start, stop = [row for row in rows if row[0] <= name][-1]
            columns = block(self.data[start:stop], kind, self.tag)
            if kind == 1:
                return next((member for member in page(columns) if member["name"] == name), None)
            rows, kind = children(columns), kind - 1
        return None

    def all(self) -> list[Told]:
        """All members in order."""
        pages = [row for _, a, b in self.directories for row in children(block(self.data[a:b], 2, self.tag))]
        return [member for _, start, stop in pages for member in page(block(self.data[start:stop], 1, self.tag))]

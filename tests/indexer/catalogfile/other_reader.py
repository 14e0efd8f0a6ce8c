"""A second reader of catalogs, written from docs/catalog-format.md alone: of the first it shares no line, and of index files only
what the second reader of those has.

It reads everything eagerly and trusts what proves itself; it is for tests.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from typing import Any

from tests.indexer.indexfile.other_reader import Columns, Told, block, numbers, texts, varints


def strings(columns: Columns, first: int, count: int) -> list[bytes]:
    """Front-coded strings in three columns from `first` on."""
    if count == 0:
        return []
    shared, rest, text = numbers(columns[first], count), numbers(columns[first + 1], count), columns[first + 2]
    found, at = [b""], 0
    for common, length in zip(shared, rest, strict=True):
        found.append(found[-1][:common] + text[at : at + length])
        at += length
    assert at == len(text)
    return found[1:]


def wide(columns: Columns, first: int, count: int) -> list[str]:
    """A wide table."""
    if first not in columns:
        return [""] * count
    known = ["", *texts(columns[first + 1])]
    return [known[place] for place in numbers(columns[first], count)]


class OtherCatalog:
    """A catalog, all of it.

    Attributes:
        facts: Of the root.
        archives: Each as a dict, in the order in which they lie there.
    """

    def __init__(self, data: bytes, url: str) -> None:
        root_start, root_bytes, length, self.members, tag, flags, major, _, _, crc, magic = struct.unpack(
            "<QQQQ8sIHHII8s", data[-64:]
        )
        assert (length, flags, major, magic, data[:8]) == (len(data), 0, 1, b"BINDERYC", b"BINDERYC")
        assert crc == zlib.crc32(data[-64:-12])
        root = block(data[root_start : root_start + root_bytes], 17, tag)
        self.facts: dict[str, Any] = json.loads(root[60])
        assert hashlib.sha256(self.facts["commit"].encode()).digest()[:8] == tag
        self.archives: list[Told] = []
        self._folder = url[: url.rindex("/") + 1]
        if 1 in root:
            count, at = varints(root[1])
            ranges = strings(root, 20, 2 * count)
            for number, stored in enumerate(numbers(root[50], count)):
                shelf = self._shelf(block(data[at : at + stored], 16, tag))
                assert len(shelf) == numbers(root[51], count)[number]
                assert ranges[2 * number] == shelf[0]["low"]
                assert ranges[2 * number + 1] == max(one["high"] for one in shelf)
                self.archives += shelf
                at += stored
            assert at == root_start
        assert sum(one["members"] for one in self.archives) == self.members

    def candidates(self, key: bytes) -> list[str]:
        """The archives that have to be asked for a key, in that order."""
        digest = hashlib.sha256(key).digest()
        first, step = int.from_bytes(digest[:8], "little"), int.from_bytes(digest[8:16], "little") | 1
        holding = sorted((one for one in self.archives if one["low"] <= key <= one["high"]), key=lambda one: -int(one["sequence"]))
        found = []
        for one in holding:
            bits = int.from_bytes(one["filter"], "little")
            length = 8 * len(one["filter"])
            passes = not length or all(bits >> (first + at * step) % length & 1 for at in range(8))
            if passes or one is holding[-1]:
                found.append(one["archive"][0])
        return found

    def _shelf(self, columns: Columns) -> list[Told]:
        count, pages = varints(columns[1])
        urls = [self._place(url.decode()) for url in strings(columns, 2, count)]
        indexes = [
            self._place(place) if place else f"{url}.bindery" for url, place in zip(urls, wide(columns, 12, count), strict=True)
        ]
        prefixes = [prefix.encode() for prefix in wide(columns, 8, count)]
        ranges = strings(columns, 20, 2 * count)
        told = numbers(columns[30], count)
        starts = iter(numbers(columns.get(31, b""), sum(one > 0 for one in told)))
        rows = iter(
            zip(
                strings(columns, 32, pages),
                numbers(columns.get(35, b""), pages),
                numbers(columns.get(36, b""), pages),
                strict=True,
            )
        )
        filters, at = columns.get(41, b""), 0
        found = []
        for number, length in enumerate(numbers(columns[40], count) if 40 in columns else [0] * count):
            found.append(
                {
                    "archive": (urls[number], texts(columns[10])[number], numbers(columns[11], count)[number]),
                    "index": (indexes[number], texts(columns[14])[number], numbers(columns[15], count)[number]),
                    "kind": wide(columns, 6, count)[number],
                    "sequence": numbers(columns[5], count)[number],
                    "low": prefixes[number] + ranges[2 * number],
                    "high": prefixes[number] + ranges[2 * number + 1],
                    "members": numbers(columns[16], count)[number],
                    "bytes": numbers(columns[17], count)[number],
                    "unreadable": numbers(columns[18], count)[number],
                    "start": next(starts) if told[number] else None,
                    "pages": [next(rows) for _ in range(told[number])],
                    "filter": filters[at : at + length],
                }
            )
            at += length
        assert at == len(filters)
        return found

    def _place(self, place: str) -> str:
        return self._folder + place[2:] if place.startswith("./") else place

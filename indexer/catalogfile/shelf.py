"""Shelves: up to 128 archives in the order of their least keys, in columns, each with the table of its index's pages."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import zstandard

from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.layout import CatalogBlock, CatalogBlockKind, CatalogColumn
from indexer.catalogfile.places import resolved, spelled
from indexer.catalogfile.strings import decode_strings, encode_strings
from indexer.errors import BinderyError
from indexer.indexfile.block import encode_block
from indexer.indexfile.columns import (
    ColumnDamaged,
    ColumnUnknown,
    decode_ints,
    decode_texts,
    encode_ints,
    encode_texts,
    read_varint,
    varint,
)
from indexer.indexfile.directory import Children, side_by_side
from indexer.indexfile.layout import SUFFIX
from indexer.indexfile.page import Page
from indexer.indexfile.reader import Index, PageKey
from indexer.limits import ARCHIVE_PAGES, BLOCK_STORED_BYTES, CATALOG_URL_BYTES, NAME_BYTES, SHELF_ARCHIVES, SHELF_PAGES
from indexer.model import Identity
from indexer.names import clean


def encode_shelf(entries: Sequence[CatalogEntry], tag: int, catalog: str, compressor: zstandard.ZstdCompressor) -> bytes:
    """Write a shelf.

    Args:
        entries: At least one, `ordered`.
        tag: Of the commit (`layout.tag_of`).
        catalog: Where the catalog will be.
        compressor: From `block.new_compressor`.
    """
    tables = [entry.table for entry in entries]
    told = [table for table in tables if table is not None]
    filters = [entry.filter or b"" for entry in entries]
    beside = [None if entry.index.url == entry.archive.url + SUFFIX else spelled(entry.index.url, catalog) for entry in entries]
    spans = [span for table in told for span in table.spans]
    column = CatalogColumn
    columns: dict[int, bytes] = {column.COUNTS: varint(len(entries)) + varint(len(spans))}
    columns |= _strings(column.URL_SHARED, [spelled(entry.archive.url, catalog).encode() for entry in entries])
    columns[column.SEQUENCE] = encode_ints([entry.sequence for entry in entries])
    columns |= _table(column.KIND, [entry.kind.encode() for entry in entries])
    columns |= _table(column.PREFIX, [entry.prefix for entry in entries])
    columns[column.ETAG] = encode_texts([entry.archive.etag.encode() for entry in entries])
    columns[column.SIZE] = encode_ints([entry.archive.size for entry in entries])
    columns |= _table(column.INDEX, [b"" if url is None else url.encode() for url in beside])
    columns[column.INDEX_ETAG] = encode_texts([entry.index.etag.encode() for entry in entries])
    columns[column.INDEX_SIZE] = encode_ints([entry.index.size for entry in entries])
    columns[column.MEMBERS] = encode_ints([entry.members for entry in entries])
    columns[column.BYTES] = encode_ints([entry.member_bytes for entry in entries])
    columns[column.UNREADABLE] = encode_ints([entry.unreadable for entry in entries])
    columns |= _strings(column.RANGE_SHARED, [name for entry in entries for name in (entry.first, entry.last)])
    columns[column.PAGES] = encode_ints([0 if table is None else len(table) for table in tables])
    if spans:
        columns[column.PAGES_START] = encode_ints([table.spans[0].start for table in told])
        columns |= _strings(column.PAGE_SHARED, [key for table in told for key in table.keys])
        columns[column.PAGE_BYTES] = encode_ints([span.length for span in spans])
        columns[column.PAGE_MEMBERS] = encode_ints([count for table in told for count in table.members])
    if any(filters):
        columns[column.FILTER_BYTES] = encode_ints([len(bits) for bits in filters])
        columns[column.FILTERS] = b"".join(filters)
    return encode_block(CatalogBlockKind.SHELF, tag, columns, compressor)


class Place(NamedTuple):
    """What the root of a catalog says of a shelf: it must be so.

    Attributes:
        number: Its place among the shelves.
        archives: How many it tells.
        low: The least key.
        high: The greatest.
    """

    number: int
    archives: int
    low: bytes
    high: bytes


class Shelf:
    """A shelf, decoded.

    Args:
        data: The bytes of its block.
        tag: Which commit it must belong to.
        place: What the root says of it.
        catalog: URL of the catalog.

    Attributes:
        entries: As they lie there: by their least keys.
        lows: Their least keys.
        highs: Their greatest.

    Raises:
        CatalogDamaged: The block does not prove itself, or contradicts itself or the root.
        CatalogUnsupported: It has columns that this program must not pass over.
    """

    __slots__ = ("_bound", "entries", "highs", "lows", "number")

    def __init__(self, data: bytes, tag: int, place: Place, *, catalog: str) -> None:
        self.number = place.number
        block = CatalogBlock(data, CatalogBlockKind.SHELF, tag, index=catalog, section=f"shelf {place.number}")
        try:
            self.entries = _decode(block, place.archives, catalog)
        except (ColumnDamaged, ColumnUnknown, UnicodeDecodeError, ValueError) as fault:
            raise _told(block, fault) from None
        self.lows = [entry.low for entry in self.entries]
        self.highs = [entry.high for entry in self.entries]
        ranked = [(low, entry.sequence) for low, entry in zip(self.lows, self.entries, strict=True)]
        if (self.lows[0], max(self.highs)) != (place.low, place.high) or ranked != sorted(set(ranked)):
            raise block.damaged("the block belongs elsewhere")
        self._bound: dict[int, Bound] = {}

    def bound(self, number: int, pages: MutableMapping[PageKey, Page]) -> Bound | None:
        """The index of the archive at a place, open without a request; None when its pages are not told here."""
        entry = self.entries[number]
        known = self._bound.get(number)
        if known is None and entry.table is not None:
            known = self.bind(number, entry.table, pages)
        return known

    def bind(self, number: int, table: Children, pages: MutableMapping[PageKey, Page]) -> Bound:
        """Open the index of the archive at a place, whose pages are these."""
        entry = self.entries[number]
        known = self._bound[number] = Bound(entry, index_of(entry, table, pages), table)
        return known


@dataclass(frozen=True, slots=True)
class Bound:
    """An archive of a catalog, ready for look-ups.

    Args:
        entry: What the catalog says of it.
        index: Its index; all pages are told by its first directory.
        table: That directory.
    """

    entry: CatalogEntry
    index: Index
    table: Children


def index_of(entry: CatalogEntry, table: Children, pages: MutableMapping[PageKey, Page]) -> Index:
    """The index of an archive, as far as its catalog tells it."""
    facts: dict[str, str | int | bool] = {
        "archive_etag": entry.archive.etag,
        "archive_size": entry.archive.size,
        "bytes": entry.member_bytes,
        "kind": entry.kind,
        "members": entry.members,
        "pages": len(table),
        "unreadable": entry.unreadable,
    }
    whole = side_by_side(table.spans[0].start, [table.spans[-1].stop - table.spans[0].start])
    directories = Children([b""], whole, [entry.members], [len(table)])
    return Index(entry.index, facts, directories, pages=pages, known={0: table})


def _decode(block: CatalogBlock, archives: int, catalog: str) -> list[CatalogEntry]:
    column = CatalogColumn
    count, at = read_varint(block[column.COUNTS], 0)
    pages, _ = read_varint(block[column.COUNTS], at)
    if count != archives or not 0 < count <= SHELF_ARCHIVES or pages > max(SHELF_PAGES, ARCHIVE_PAGES):
        raise ColumnDamaged("impossible counts")
    places = [url.decode() for url in _read_strings(block, column.URL_SHARED, count, CATALOG_URL_BYTES)]
    urls = [resolved(place, catalog) for place in places]
    beside = [text.decode() for text in _read_table(block, column.INDEX, count)]
    ranges = _read_strings(block, column.RANGE_SHARED, 2 * count, NAME_BYTES)
    prefixes = _read_table(block, column.PREFIX, count)
    for prefix in set(prefixes):
        check_prefix(prefix)
    index_urls = [resolved(told, catalog) if told else url + SUFFIX for url, told in zip(urls, beside, strict=True)]
    members = decode_ints(block[column.MEMBERS], count)
    index_sizes = decode_ints(block[column.INDEX_SIZE], count)
    entries = map(
        CatalogEntry,
        map(Identity, urls, _read_texts(block, column.ETAG, count), decode_ints(block[column.SIZE], count)),
        map(Identity, index_urls, _read_texts(block, column.INDEX_ETAG, count), index_sizes),
        [text.decode() for text in _read_table(block, column.KIND, count)],
        prefixes,
        ranges[0::2],
        ranges[1::2],
        members,
        decode_ints(block[column.BYTES], count),
        decode_ints(block[column.UNREADABLE], count),
        decode_ints(block[column.SEQUENCE], count),
        _read_tables(block, members, index_sizes, pages),
        _read_filters(block, count),
    )
    found = list(entries)
    for entry in found:
        if not (entry.first <= entry.last and entry.members > 0 and entry.unreadable >= 0 <= entry.member_bytes):
            raise ColumnDamaged("an archive contradicts itself")
    return found


def check_prefix(prefix: bytes) -> None:
    """Make sure that keys may begin with `prefix`: a client may make a file's path of them.

    Raises:
        ColumnDamaged, UnicodeDecodeError: They may not.
    """
    prefix.decode()
    if prefix and (clean(prefix) != prefix or len(prefix) > NAME_BYTES):
        raise ColumnDamaged("a prefix is none that a key may begin with")


def _read_tables(block: CatalogBlock, members: Sequence[int], index_sizes: Sequence[int], pages: int) -> list[Children | None]:
    column = CatalogColumn
    counts = decode_ints(block[column.PAGES], len(members))
    if min(counts) < 0 or sum(counts) != pages:
        raise ColumnDamaged("the pages do not fit the archives")
    told = sum([count > 0 for count in counts])
    starts = iter(decode_ints(block[column.PAGES_START], told))
    keys = _read_strings(block, column.PAGE_SHARED, pages, NAME_BYTES)
    stored = decode_ints(block[column.PAGE_BYTES], pages)
    sizes = decode_ints(block[column.PAGE_MEMBERS], pages)
    if pages and not (0 < min(stored) <= max(stored) <= BLOCK_STORED_BYTES and min(sizes) > 0):
        raise ColumnDamaged("a page has an impossible length")
    tables: list[Children | None] = []
    at = 0
    for total, index_size, count in zip(members, index_sizes, counts, strict=True):
        if not count:
            tables.append(None)
            continue
        part = slice(at, at + count)
        spans = side_by_side(next(starts), stored[part])
        mine = keys[part]
        ascending = all(before < after for before, after in pairwise(mine))
        if mine[0] != b"" or not ascending or spans[0].start <= 0 or spans[-1].stop > index_size or sum(sizes[part]) != total:
            raise ColumnDamaged("the pages of an archive contradict it")
        tables.append(Children(mine, spans, sizes[part], [1] * count))
        at += count
    return tables


def _read_filters(block: CatalogBlock, count: int) -> list[bytes | None]:
    if CatalogColumn.FILTER_BYTES not in block:
        return [None] * count
    lengths, bits = decode_ints(block[CatalogColumn.FILTER_BYTES], count), block[CatalogColumn.FILTERS]
    if min(lengths) < 0 or sum(lengths) != len(bits):
        raise ColumnDamaged("the filters do not fill their bytes")
    filters: list[bytes | None] = []
    at = 0
    for length in lengths:
        filters.append(bits[at : at + length] or None)
        at += length
    return filters


def _strings(shared: int, strings: Sequence[bytes]) -> dict[int, bytes]:
    """Three columns with numbers from `shared` on."""
    return dict(zip(range(shared, shared + 3), encode_strings(strings), strict=True))


def _read_strings(block: CatalogBlock, shared: int, count: int, most: int) -> list[bytes]:
    return decode_strings(block[shared], block[shared + 1], block[shared + 2], count, most=most)


def _table(numbers: int, texts: Sequence[bytes]) -> Mapping[int, bytes]:
    """Two columns, the second with the number behind `numbers`; none when all texts are empty."""
    known = sorted({text for text in texts if text})
    if not known:
        return {}
    places = {text: place for place, text in enumerate(known, 1)} | {b"": 0}
    return {numbers: encode_ints([places[text] for text in texts]), numbers + 1: encode_texts(known)}


def _read_table(block: CatalogBlock, numbers: int, count: int) -> list[bytes]:
    if numbers not in block:
        return [b""] * count
    texts = [b"", *decode_texts(block[numbers + 1], count)]
    places = decode_ints(block[numbers], count)
    if min(places) < 0 or max(places) >= len(texts):
        raise ColumnDamaged("a text is not there")
    return [texts[place] for place in places]


def _read_texts(block: CatalogBlock, column: int, count: int) -> list[str]:
    texts = decode_texts(block[column], count)
    if len(texts) != count:
        raise ColumnDamaged("the texts do not fit the archives")
    return [text.decode() for text in texts]


def _told(block: CatalogBlock, fault: Exception) -> BinderyError:
    """The error for what a shelf was found to be; a `ValueError` comes from a value that refuses to exist."""
    known = isinstance(fault, ColumnDamaged | ColumnUnknown | UnicodeDecodeError)
    return block.error(fault if known else ColumnDamaged("an archive has an impossible identity"))

"""Writes a catalog: all of it at each commit, the same state at the same place giving the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from indexer.catalogfile.entry import CatalogEntry, CatalogState, ordered
from indexer.catalogfile.layout import HEADER, CatalogBlockKind, CatalogColumn, CatalogTrailer, tag_of
from indexer.catalogfile.shelf import encode_shelf
from indexer.catalogfile.strings import encode_strings
from indexer.errors import LimitExceeded
from indexer.indexfile.block import encode_block, new_compressor
from indexer.indexfile.columns import encode_ints, varint
from indexer.limits import CATALOG_ARCHIVES, COMMITS_TOLD, FACTS_BYTES, SHELF_ARCHIVES, SHELF_FILTER_BYTES, SHELF_PAGES


def write_catalog(state: CatalogState, url: str) -> bytes:
    """Write a catalog.

    Args:
        state: What it says; its commit is named.
        url: Where it will be, canonical: archives in its folder or below are told relative to that.

    Raises:
        LimitExceeded: There are more archives than a catalog can hold.
        ValueError: The commit has no name.
    """
    if not state.commit:
        raise ValueError("a commit needs a name")
    if len(state.entries) > CATALOG_ARCHIVES:
        raise LimitExceeded(
            "a catalog cannot hold so many archives", hint="Bind some under another one", archives=len(state.entries)
        )
    tag, compressor = tag_of(state.commit), new_compressor()
    pieces = [HEADER]
    shelves = list(_shelved(ordered(state.entries)))
    blocks = [encode_shelf(shelf, tag, url, compressor) for shelf in shelves]
    pieces += blocks
    root_start = sum(map(len, pieces))
    column = CatalogColumn
    columns: dict[int, bytes] = {}
    if shelves:
        ranges = [key for shelf in shelves for key in (shelf[0].low, max(entry.high for entry in shelf))]
        columns[column.COUNTS] = varint(len(shelves)) + varint(len(HEADER))
        columns |= dict(zip((column.RANGE_SHARED, column.RANGE_REST, column.RANGES), encode_strings(ranges), strict=True))
        columns[column.SHELF_BYTES] = encode_ints([len(block) for block in blocks])
        columns[column.SHELF_ARCHIVES] = encode_ints([len(shelf) for shelf in shelves])
    columns[column.FACTS] = _facts(state)
    root = encode_block(CatalogBlockKind.CATALOG, tag, columns, compressor)
    members = sum(entry.members for entry in state.entries)
    trailer = CatalogTrailer(root_start, len(root), root_start + len(root) + CatalogTrailer.BYTES, members, tag)
    return b"".join([*pieces, root, trailer.encode()])


def _shelved(entries: Sequence[CatalogEntry]) -> Iterator[Sequence[CatalogEntry]]:
    """Cut entries into shelves."""
    first = pages = filters = 0
    for at, entry in enumerate(entries):
        more_pages = 0 if entry.table is None else len(entry.table)
        more_filters = len(entry.filter or b"")
        full = at - first == SHELF_ARCHIVES or pages + more_pages > SHELF_PAGES or filters + more_filters > SHELF_FILTER_BYTES
        if full and at > first:
            yield entries[first:at]
            first, pages, filters = at, 0, 0
        pages += more_pages
        filters += more_filters
    if entries:
        yield entries[first:]


def _facts(state: CatalogState) -> bytes:
    told = {
        "archives": len(state.entries),
        "before": list(state.before[:COMMITS_TOLD]),
        "bytes": sum(entry.member_bytes for entry in state.entries),
        "commit": state.commit,
        "members": sum(entry.members for entry in state.entries),
        "sequence": state.sequence,
    }
    spelled = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    if len(spelled) > FACTS_BYTES:
        raise LimitExceeded("the facts of a catalog are too long", facts_bytes=len(spelled))
    return spelled

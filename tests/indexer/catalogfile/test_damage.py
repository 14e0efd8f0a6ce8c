"""A catalog that is not as it was written is told as such: damage never answers, nor does one commit for another."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from indexer.catalogfile import shelf as shelves
from indexer.catalogfile.entry import CatalogEntry, CatalogState
from indexer.catalogfile.layout import CatalogColumn, CatalogTrailer
from indexer.catalogfile.reader import open_catalog
from indexer.catalogfile.strings import encode_strings
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run
from indexer.errors import CatalogDamaged, CatalogMissing, CatalogUnsupported, LimitExceeded, ObjectReplaced
from indexer.indexfile.block import encode_block
from indexer.indexfile.columns import encode_ints, encode_texts, varint
from indexer.indexfile.directory import Children, side_by_side
from indexer.model import Identity
from indexer.source.memory import MemorySource
from tests.indexer.catalogfile.example import EXAMPLE, EXAMPLE_URL, LATE, MAY
from tests.indexer.catalogfile.made import CATALOG, bound, shaped

DATA = write_catalog(EXAMPLE, EXAMPLE_URL)


def entries_of(data: bytes, url: str = EXAMPLE_URL) -> list[CatalogEntry]:
    source = MemorySource({url: data})
    return run(run(open_catalog(url), source).entries(), source)


def test_no_byte_can_change_unnoticed() -> None:
    for at in range(16, len(DATA)):
        changed = DATA[:at] + bytes([DATA[at] ^ 0x10]) + DATA[at + 1 :]
        with pytest.raises((CatalogDamaged, CatalogUnsupported)):
            entries_of(changed)


def test_no_end_can_be_missing_and_nothing_can_follow() -> None:
    for length in range(len(DATA)):
        with pytest.raises(CatalogDamaged):
            entries_of(DATA[:length])
    with pytest.raises(CatalogDamaged):
        entries_of(DATA + b"\0")


def test_an_index_is_no_catalog() -> None:
    shop = bound([{b"a": b"1"}])
    with pytest.raises(CatalogDamaged, match="no catalog"):
        entries_of(shop.objects["s3://archives/logs/000.tar.bindery"])
    with pytest.raises(CatalogMissing):
        run(open_catalog(CATALOG), MemorySource({}))


def test_a_later_format_is_told_as_such() -> None:
    trailer = bytearray(DATA[-64:])
    trailer[44:46] = (2).to_bytes(2, "little")
    trailer[52:56] = zlib.crc32(trailer[:52]).to_bytes(4, "little")
    with pytest.raises(CatalogUnsupported, match=r"format 2\.0"):
        entries_of(DATA[:-64] + bytes(trailer))


def test_a_shelf_of_another_commit_is_noticed() -> None:
    other = write_catalog(replace(EXAMPLE, commit="0000"), EXAMPLE_URL)
    root = CatalogTrailer.decode(DATA, file_bytes=len(DATA), index=EXAMPLE_URL).root_start
    assert len(other) == len(DATA)
    with pytest.raises(CatalogDamaged, match="belongs elsewhere"):
        entries_of(other[:root] + DATA[root:])


def test_a_catalog_replaced_between_two_reads_is_noticed() -> None:
    with shaped(shelf_archives=1, tail_bytes=200):
        shop = bound([{b"a": b"1"}, {b"b": b"2"}])
        catalog, source = shop.commit(), shop.source
        shop.bind("s3://archives/logs/000.tar", b"x/")
        shop.commit()
        with pytest.raises(ObjectReplaced):
            run(catalog.find(b"a"), source)


@pytest.mark.parametrize(
    "changed",
    [
        replace(MAY, prefix=b"../"),
        replace(MAY, prefix=b"/"),
        replace(MAY, prefix=b"\xff"),
        replace(MAY, prefix=b"a" * 1025),
        replace(MAY, first=b"z"),
        replace(MAY, members=0, table=None),
        replace(MAY, members=7),
        replace(MAY, unreadable=-1),
        replace(MAY, archive=Identity("file:///etc/passwd", "1", 1)),
        replace(MAY, index=Identity("file:///etc/passwd", "1", 1)),
        replace(MAY, archive=Identity("s3://bucket/folder/", "1", 1)),
        replace(MAY, archive=Identity("nowhere", "1", 1)),
        replace(MAY, table=Children([b"", b"b"], side_by_side(16, [30_000, 11_700]), [600, 600], [1, 1])),
        replace(MAY, table=Children([b"", b""], side_by_side(16, [3_000, 1_700]), [600, 600], [1, 1])),
        replace(MAY, table=Children([b"a", b"b"], side_by_side(16, [3_000, 1_700]), [600, 600], [1, 1])),
        replace(MAY, table=Children([b"", b"b"], side_by_side(16, [3_000, 1_700]), [1_200, 0], [1, 1])),
        replace(MAY, table=Children([b""], side_by_side(0, [3_000]), [1_200], [1])),
        replace(MAY, first=b"a" * 1025),
    ],
)
def test_an_archive_that_contradicts_itself_or_leads_astray_is_refused(changed: CatalogEntry) -> None:
    data = write_catalog(CatalogState((changed,), 1, "c"), EXAMPLE_URL)
    with pytest.raises(CatalogDamaged):
        entries_of(data)


def test_a_catalog_on_a_disk_may_name_a_bucket_and_its_own_disk_but_no_way_up() -> None:
    url = "file:///logs/c.bindery-catalog"
    local = replace(MAY, archive=Identity("file:///logs/a.zip", "1", 1))
    assert entries_of(write_catalog(CatalogState((local, LATE), 2, "c"), url), url) == [local, LATE]
    astray = replace(MAY, archive=Identity("file:///logs/../etc/a.zip", "1", 1))
    with pytest.raises(CatalogDamaged):
        entries_of(write_catalog(CatalogState((astray,), 2, "c"), url), url)


Columns = dict[int, bytes]

COLUMN_DAMAGE: Mapping[str, Callable[[Columns], Any]] = {
    "no counts": lambda columns: columns.pop(CatalogColumn.COUNTS),
    "more archives than there are": lambda columns: columns.update({CatalogColumn.COUNTS: varint(3) + varint(4)}),
    "more pages than there are": lambda columns: columns.update({CatalogColumn.COUNTS: varint(2) + varint(5)}),
    "no end of pages": lambda columns: columns.update({CatalogColumn.COUNTS: varint(2) + varint(1 << 40)}),
    "a text that is not there": lambda columns: columns.update({CatalogColumn.KIND: encode_ints([1, 3])}),
    "a text before the first": lambda columns: columns.update({CatalogColumn.KIND: encode_ints([1, -1])}),
    "an ETag too few": lambda columns: columns.update({CatalogColumn.ETAG: encode_texts([b"one"])}),
    "an empty ETag": lambda columns: columns.update({CatalogColumn.ETAG: encode_texts([b"one", b""])}),
    "a size below nothing": lambda columns: columns.update({CatalogColumn.SIZE: encode_ints([-1, 1])}),
    "filters longer than they are": lambda columns: columns.update({CatalogColumn.FILTER_BYTES: encode_ints([0, 6])}),
    "a filter shorter than nothing": lambda columns: columns.update({CatalogColumn.FILTER_BYTES: encode_ints([-1, 6])}),
    "pages below nothing": lambda columns: columns.update({CatalogColumn.PAGES: encode_ints([5, -1])}),
    "a name that shares more than there is": lambda columns: columns.update(
        {CatalogColumn.RANGE_SHARED: encode_ints([1, 0, 0, 9])}
    ),
    "names that share megabytes": lambda columns: columns.update({CatalogColumn.RANGE_SHARED: encode_ints([0, 0, 0, 1 << 30])}),
    "bytes that are no text": lambda columns: columns.update({CatalogColumn.KIND_TEXTS: encode_texts([b"\xff", b"zip"])}),
    "archives out of order": lambda columns: columns.update({CatalogColumn.SEQUENCE: encode_ints([1, 1]), **same_range()}),
}


def same_range() -> Columns:
    """Both archives with one least key, so that their sequences must tell them apart."""
    names = [MAY.first, MAY.last, MAY.first[4:], MAY.last[4:]]
    return dict(zip(range(CatalogColumn.RANGE_SHARED, CatalogColumn.RANGES + 1), encode_strings(names), strict=True))


@pytest.mark.parametrize("what", COLUMN_DAMAGE)
def test_columns_that_contradict_each_other_are_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = encode_block

    def damaged(kind: int, tag: int, columns: Mapping[int, bytes], compressor: Any) -> bytes:
        changed = dict(columns)
        COLUMN_DAMAGE[what](changed)
        return encode(kind, tag, changed, compressor)

    monkeypatch.setattr(shelves, "encode_block", damaged)
    data = write_catalog(EXAMPLE, EXAMPLE_URL)
    monkeypatch.undo()
    with pytest.raises(CatalogDamaged):
        entries_of(data)


@pytest.mark.parametrize("column", [77, 200])
def test_an_unknown_column_is_refused_or_passed_over_by_its_number(column: int, monkeypatch: pytest.MonkeyPatch) -> None:
    encode = encode_block
    monkeypatch.setattr(
        shelves, "encode_block", lambda kind, tag, columns, compressor: encode(kind, tag, {**columns, column: b"x"}, compressor)
    )
    data = write_catalog(EXAMPLE, EXAMPLE_URL)
    monkeypatch.undo()
    if column < 128:
        with pytest.raises(CatalogUnsupported):
            entries_of(data)
    else:
        assert entries_of(data) == [MAY, LATE]


def test_more_than_a_catalog_holds_is_refused_by_its_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("indexer.catalogfile.writer.CATALOG_ARCHIVES", 1)
    with pytest.raises(LimitExceeded):
        write_catalog(EXAMPLE, EXAMPLE_URL)
    with pytest.raises(ValueError, match="name"):
        write_catalog(CatalogState(), EXAMPLE_URL)


def test_only_so_many_earlier_commits_are_told_and_each_has_a_name() -> None:
    data = write_catalog(replace(EXAMPLE, before=("x",) * 65), EXAMPLE_URL)
    assert len(run(open_catalog(EXAMPLE_URL), MemorySource({EXAMPLE_URL: data})).before) == 64
    with pytest.raises(CatalogDamaged):
        entries_of(write_catalog(replace(EXAMPLE, before=("",)), EXAMPLE_URL))

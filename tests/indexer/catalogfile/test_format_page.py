"""docs/catalog-format.md is true: its example is executed, its tables are those of the code, and who reads it alone reads right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings

from indexer import limits
from indexer.catalogfile import CATALOG_SUFFIX, layout
from indexer.catalogfile.entry import CatalogEntry, ordered
from indexer.catalogfile.layout import CatalogBlockKind, CatalogColumn
from indexer.catalogfile.reader import NUMBER_FACTS, open_catalog
from indexer.catalogfile.writer import write_catalog
from indexer.drivers import run
from indexer.indexfile.columns import OPTIONAL_FROM
from indexer.indexfile.layout import MAJOR, MINOR
from indexer.source.memory import MemorySource
from tests.indexer.catalogfile.example import EXAMPLE, EXAMPLE_URL, LATE_KEYS
from tests.indexer.catalogfile.made import CATALOG, bound, shaped
from tests.indexer.catalogfile.other_reader import OtherCatalog
from tests.indexer.catalogfile.test_answers import ARCHIVES, PREFIXES, SHAPES, model_of
from tests.indexer.indexfile.other_reader import Told

PAGE = (Path(__file__).parents[3] / "docs" / "catalog-format.md").read_text()


def tables(heading: str) -> Iterator[list[str]]:
    """The rows of every table on the page whose head is `heading`, each as its cells."""
    parts = PAGE.split(f"| {heading} |\n")
    assert len(parts) > 1, f"the page has no table headed {heading}"
    for rest in parts[1:]:
        for line in rest.splitlines()[1:]:
            if not line.startswith("|"):
                break
            yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def example() -> bytes:
    """The bytes of the page's dump, each line checked to stand where it says."""
    (dump,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    data = bytearray()
    for line in dump.splitlines():
        if told := re.match(r"([0-9a-f]{4}): ((?:[0-9a-f]{2} ?)+)", line):
            assert int(told[1], 16) == len(data)
            data += bytes.fromhex(told[2])
    return bytes(data)


def as_told(entry: CatalogEntry) -> Told:
    """An entry in the words of the other reader."""
    table = entry.table
    return {
        "archive": (entry.archive.url, entry.archive.etag, entry.archive.size),
        "index": (entry.index.url, entry.index.etag, entry.index.size),
        "kind": entry.kind,
        "sequence": entry.sequence,
        "low": entry.low,
        "high": entry.high,
        "members": entry.members,
        "bytes": entry.member_bytes,
        "unreadable": entry.unreadable,
        "start": None if table is None else table.spans[0].start,
        "pages": [] if table is None else list(zip(table.keys, [span.length for span in table.spans], table.members, strict=True)),
        "filter": entry.filter or b"",
    }


def test_the_example_is_what_the_writer_writes_and_both_readers_read() -> None:
    assert write_catalog(EXAMPLE, EXAMPLE_URL) == example()
    source = MemorySource({EXAMPLE_URL: example()})
    catalog = run(open_catalog(EXAMPLE_URL), source)
    told = [as_told(entry) for entry in run(catalog.entries(), source)]
    other = OtherCatalog(example(), EXAMPLE_URL)
    assert other.archives == told == [as_told(entry) for entry in EXAMPLE.entries]
    assert (other.facts["commit"], other.facts["before"]) == (EXAMPLE.commit, list(EXAMPLE.before))
    assert (catalog.commit, catalog.before, catalog.sequence) == (EXAMPLE.commit, EXAMPLE.before, EXAMPLE.sequence)


def test_the_example_holds_what_the_page_claims() -> None:
    other = OtherCatalog(example(), EXAMPLE_URL)
    rows = list(tables("archive | index | prefix | sequence | members | least and greatest key | pages: bytes, members"))
    for row, one in zip(rows, other.archives, strict=True):
        archive, index, prefix, sequence, members, spread, pages = row
        assert (archive, index, int(sequence), int(members.replace(",", ""))) == (
            one["archive"][0],
            one["index"][0],
            one["sequence"],
            one["members"],
        )
        assert one["low"].startswith(prefix.strip("-").encode())
        assert spread == f"{one['low'].decode()}` to `{one['high'].decode()}"
        assert pages == "; ".join(f"{stored}, {count}" for _, stored, count in one["pages"])
    assert f"{len(example())} bytes in all" in PAGE
    late, may = "s3://other/late.zip", "s3://archives/logs/may.tar.zst"
    for key in LATE_KEYS:
        assert f"`{key.decode()}`" in PAGE
        assert other.candidates(key) == [late, may]
    assert other.candidates(b"app/2024-05-03.log") == [may]
    assert other.candidates(b"a") == []


@settings(max_examples=100)
@given(archives=ARCHIVES, prefixes=PREFIXES, shape=SHAPES)
def test_a_reader_written_from_the_page_alone_reads_every_catalog(
    archives: list[dict[bytes, bytes]], prefixes: list[bytes], shape: dict[str, int]
) -> None:
    with shaped(**shape):
        shop = bound(archives, prefixes)
        shop.commit()
    other = OtherCatalog(shop.objects[CATALOG], CATALOG)
    assert other.archives == [as_told(entry) for entry in ordered(shop.state.entries)]
    for number, (contents, prefix) in enumerate(zip(archives, prefixes, strict=False)):
        for name in contents:
            assert f"s3://archives/logs/{number:03}.tar" in other.candidates(prefix + name)
    assert other.candidates(b"\xff") == []
    assert len(model_of(archives, prefixes)) <= other.members


def test_the_other_reader_knows_nothing_of_the_first() -> None:
    source = (Path(__file__).parent / "other_reader.py").read_text()
    assert not re.search(r"^\s*(from|import) indexer", source, re.MULTILINE)


def test_every_column_kind_and_fact_is_on_the_page_and_no_other() -> None:
    told = {
        int(row[0]): row[1]
        for row in (*tables("column | name | kind | one for each | meaning"), *tables("column | name | kind | meaning"))
    }
    assert told == {int(column): column.name for column in CatalogColumn}
    assert max(told) < OPTIONAL_FROM
    assert f"kind {CatalogBlockKind.SHELF:d} with" in PAGE
    assert f"A block of kind {CatalogBlockKind.CATALOG:d}." in PAGE
    assert {row[0] for row in tables("key | value")} == {*NUMBER_FACTS, "commit", "before"}
    assert f"`{CATALOG_SUFFIX}`" in PAGE
    assert f"`{layout.MAGIC.decode()}`" in PAGE


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    rows = [*tables("limit | value | reason"), *tables("choice | value | reason")]
    assert {name: int(value.replace(",", "")) for name, value, _ in rows} == {row[0]: getattr(limits, row[0]) for row in rows}
    assert len(rows) == 9


def test_the_page_names_the_version() -> None:
    assert f"version {MAJOR}.{MINOR}\n" in PAGE
    assert f"`[format]` **{MAJOR}.{MINOR}**" in PAGE

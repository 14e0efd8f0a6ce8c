"""docs/index-format.md is true: its example is executed, its tables are those of the code, and who reads it alone reads right."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import attributes, limits
from indexer.drivers import run
from indexer.indexfile import block, layout
from indexer.indexfile.block import BlockKind
from indexer.indexfile.columns import OPTIONAL_FROM, Column
from indexer.indexfile.details import EtagKind
from indexer.indexfile.reader import NUMBER_FACTS, TEXT_FACTS
from indexer.indexfile.writer import ArchiveFacts
from indexer.model import Attributes, Codec, Extent, Frame, Member
from tests.indexer.indexfile.made import archives, opened, plain_members, shaped, written
from tests.indexer.indexfile.other_reader import OtherReader

PAGE = (Path(__file__).parents[3] / "docs" / "index-format.md").read_text()

FIRST = Frame(0, 412, 3072, Codec.ZSTD)
SECOND = Frame(412, 2900, 1_051_136, Codec.ZSTD)
EXAMPLE_ARCHIVE = ArchiveFacts("9b2cf535f27731c974343645a3985328-3", 3312, "tar.zst")
EXAMPLE = [
    Member(b"app/2024-05-01.log", 11, 1714521600, (Extent(FIRST, 512, 11),), 0x0D4A1185, "5eb63bbbe01eeed093cb22bb8f5acdc3"),
    Member(
        b"app/2024-05-02.log",
        700,
        1714608000,
        (Extent(FIRST, 1536, 700),),
        0x8BADF00D,
        "0cc175b9c0f1b6a831c399e269772661-2",
        Attributes(content_type="text/plain"),
    ),
    Member(b"app/big.bin", 1_050_112, 1714694400, (Extent(FIRST, 2816, 256), Extent(SECOND, 0, 1_049_856)), 0x1234ABCD),
    Member(b"boot", 0, 1714780800, (), 0, "d41d8cd98f00b204e9800998ecf8427e"),
]


def tables(heading: str) -> Iterator[list[str]]:
    """The rows of all tables on the page whose head is `heading`, each as its cells."""
    _, *found = PAGE.split(f"| {heading} |\n")
    assert found, f"the page has no table headed {heading}"
    for rest in found:
        for line in takewhile(lambda line: line.startswith("|"), rest.splitlines()[1:]):
            yield [cell.strip().strip("`") for cell in line.strip("|").split("|")]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def example() -> bytes:
    """The bytes of the page's dump, each line checked to stand where it says."""
    (dump,) = re.findall(r"```hex\n(.*?)```", PAGE, re.DOTALL)
    data = bytearray()
    for line in dump.splitlines():
        if told := re.match(r"([0-9a-f]{4}): ((?:[0-9a-f]{2} ?)+)", line):
            assert int(told[1], 16) == len(data)
            data += bytes.fromhex(told[2])
    return bytes(data)


def as_told(member: Member) -> dict[str, Any]:
    """A member in the words of the other reader."""

    def frame(one: Frame) -> dict[str, Any]:
        told = {"start": one.start, "stored": one.stored_bytes, "raw": one.raw_bytes, "codec": int(one.codec)}
        return {**told, "lead": one.lead_bytes, "bit": one.bit, "context": (one.context.start, one.context.length)}

    spelled = attributes.encode(member.attributes) or b"{}"
    lying = [
        {"frame": None if extent.frame is None else frame(extent.frame), "offset": extent.offset, "length": extent.length}
        for extent in member.extents
    ]
    return member._asdict() | {"extents": lying, "attributes": json.loads(spelled)}


def test_the_example_is_what_the_writer_writes() -> None:
    assert written(EXAMPLE, EXAMPLE_ARCHIVE) == example()


def test_the_example_is_read_by_both_readers() -> None:
    index, source = opened(example())
    assert run(index.window(b"", 4), source) == EXAMPLE
    assert [run(index.find(member.name), source) for member in EXAMPLE] == EXAMPLE
    other = OtherReader(example())
    assert other.all() == [as_told(member) for member in EXAMPLE]
    assert other.facts == index.facts


def test_the_example_holds_what_the_page_claims() -> None:
    index, source = opened(example())
    rows = list(tables("name | size | Last-Modified | CRC-32 | ETag | Content-Type | extents: frame at, decoded bytes"))
    assert [row[0] for row in rows] == [member.key for member in EXAMPLE]
    for name, size, modified, crc32, etag, content_type, lying in rows:
        member = run(index.find(name.encode()), source)
        assert member is not None
        assert member.size == number(size)
        assert datetime.datetime.fromtimestamp(member.mtime_s, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S") == modified
        assert f"{member.crc32:08x}" == crc32
        assert (member.etag or "-", member.attributes.content_type or "-") == (etag, content_type)
        told = [
            f"{extent.frame.start} [{extent.offset}, {extent.offset + extent.length})" for extent in member.extents if extent.frame
        ]
        assert ("; ".join(told) or "-") == lying
    assert f"{len(example())} bytes in all" in PAGE
    assert index.archive_etag in PAGE


@settings(max_examples=150)
@given(
    of=archives(),
    shape=st.fixed_dictionaries({"page_members": st.integers(1, 6), "directory_pages": st.integers(1, 3)}),
    kind=st.sampled_from(["tar.zst", "zip"]),
)
def test_a_reader_written_from_the_page_alone_reads_every_index(of: list[Member], shape: dict[str, int], kind: str) -> None:
    with shaped(**shape):
        other = OtherReader(written(of, ArchiveFacts("e\u0301tag", 77, kind, {"more": "é"})))
    assert other.all() == [as_told(member) for member in of]
    assert other.members == len(of)
    assert other.facts["more"] == "é"
    for member in of:
        assert other.find(member.name) == as_told(member)
        assert (other.find(member.name + b"\0") or {"name": b""})["name"] == b""


@pytest.mark.parametrize("of", [plain_members(2000), []], ids=["many pages, compressed columns", "no members"])
def test_both_readers_agree_on_an_index_of(of: list[Member]) -> None:
    assert OtherReader(written(of)).all() == [as_told(member) for member in of]


def test_the_other_reader_knows_nothing_of_the_first() -> None:
    source = (Path(__file__).parent / "other_reader.py").read_text()
    assert not re.search(r"^\s*(from|import) (indexer|tests)", source, re.MULTILINE)


def test_every_column_codec_and_etag_kind_is_on_the_page_and_no_other() -> None:
    pages = tables("column | name | kind | one for each | meaning | when absent")
    others = tables("column | name | kind | meaning")
    told = {int(row[0]): row[1] for row in (*pages, *others)}
    assert told == {int(column): column.name for column in Column}
    assert max(told) < OPTIONAL_FROM == 128
    assert {int(row[0]): row[1] for row in tables("number | name | coded bytes")} == {int(codec): codec.name for codec in Codec}
    assert {int(row[0]): row[1] for row in tables("kind | name | the ETag is")} == {int(kind): kind.name for kind in EtagKind}
    for kind in BlockKind:
        assert f"{int(kind)} {kind.name.lower()}" in PAGE


def test_the_limits_on_the_page_are_those_of_the_code() -> None:
    rows = [*tables("limit | value | reason"), *tables("choice | value | reason")]
    for name, value, _ in rows:
        constant = block.SAVED_BYTES if name == "SAVED_BYTES" else getattr(limits, name)
        assert constant == number(value), name
    assert len(rows) == 17


def test_the_bytes_of_header_trailer_and_block_add_up_on_the_page() -> None:
    for heading, length in (("header", len(layout.HEADER)), ("block", block.HEADER.size)):
        rows = [(int(row[0]), int(row[1])) for row in tables(f"offset | bytes | {heading}") if row[0] and row[1]]
        ends = [0, *(offset + count for offset, count in rows)]
        assert ends == [*(offset for offset, _ in rows), length]
    rows = [(int(row[0]), int(row[1])) for row in tables("offset from the trailer | bytes | trailer")]
    assert [0, *(offset + count for offset, count in rows)] == [*(offset for offset, _ in rows), layout.Trailer.BYTES]


def test_the_page_names_every_fact_and_the_version() -> None:
    assert {row[0] for row in tables("key | value")} == {*TEXT_FACTS, *NUMBER_FACTS}
    assert f"version {layout.MAJOR}.{layout.MINOR}\n" in PAGE
    assert f"`[format]` **{layout.MAJOR}.{layout.MINOR}**" in PAGE
    for name in (*attributes.TEXTS, "metadata"):
        assert f"`{name}`" in PAGE

"""Compressed files that hold one member: gz, zst, bz2, xz."""

from __future__ import annotations

import bz2
import gzip
import lzma
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import concatenated, expansion, singlefile, zstdstream
from indexer.asks import NeedHead
from indexer.drivers import answer, run, stream
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, LimitExceeded
from indexer.formats import KINDS, kind_of
from indexer.indexfile.reader import open_index
from indexer.model import Codec, Member
from indexer.plan import read
from indexer.source.memory import MemorySource
from tests.indexer.formats.archives import damaged, scanned

LINES = b"".join(b"line %d of a log\n" % number for number in range(5000))
NOISE = random.Random(1).randbytes(20_000)


@dataclass(frozen=True)
class Tool:
    kind: str
    codec: Codec
    compress: Callable[[bytes], bytes]
    magic: bytes


TOOLS = [
    Tool("gz", Codec.GZIP, lambda data: gzip.compress(data, mtime=0), b"\x1f\x8b"),
    Tool("zst", Codec.ZSTD, lambda data: zstandard.ZstdCompressor(write_checksum=True).compress(data), b"\x28\xb5\x2f\xfd"),
    Tool("bz2", Codec.BZIP2, bz2.compress, b"BZh"),
    Tool("xz", Codec.XZ, lzma.compress, b"\xfd7zXZ"),
]
every_tool = pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.kind)


@every_tool
def test_a_file_is_one_member_with_its_bytes_and_their_checksum(tool: Tool) -> None:
    found = scanned(KINDS[tool.kind].scan, tool.compress(LINES))
    (member,) = found.members
    assert (member.name, member.size) == (b"archive", len(LINES))
    assert found.read(member) == LINES  # checked against the checksum
    assert member.crc32 is not None
    assert [extent.frame and extent.frame.codec for extent in member.extents] == [tool.codec]


@every_tool
def test_joined_files_are_one_member_in_a_frame_for_each(tool: Tool) -> None:
    parts = [LINES, b"", NOISE, b"last"]
    stored = [tool.compress(part) for part in parts]
    found = scanned(KINDS[tool.kind].scan, b"".join(stored))
    (member,) = found.members
    assert found.read(member) == b"".join(parts)
    frames = [extent.frame for extent in member.extents]
    assert [frame and frame.stored_bytes for frame in frames] == [len(stored[0]), len(stored[2]), len(stored[3])]


@every_tool
def test_an_empty_file_inside_is_an_empty_member(tool: Tool) -> None:
    found = scanned(KINDS[tool.kind].scan, tool.compress(b""))
    (member,) = found.members
    assert (member.size, member.extents, member.crc32) == (0, (), 0)
    assert found.read(member) == b""


@every_tool
@pytest.mark.parametrize("cut", [0, 1, 3, 20, -1, -5])
def test_a_file_cut_short_is_damaged(tool: Tool, cut: int) -> None:
    with pytest.raises(ArchiveDamaged):
        scanned(KINDS[tool.kind].scan, tool.compress(LINES)[:cut])


@every_tool
def test_anything_else_behind_the_last_stream_is_damage(tool: Tool) -> None:
    with pytest.raises(ArchiveDamaged):
        scanned(KINDS[tool.kind].scan, tool.compress(LINES) + b"rubbish")


def test_xz_streams_may_be_padded_by_whole_words_and_no_others() -> None:
    one, two = lzma.compress(LINES), lzma.compress(NOISE)
    found = scanned(KINDS["xz"].scan, one + bytes(8) + two + bytes(4))
    assert found.read(found.members[0]) == LINES + NOISE
    with pytest.raises(ArchiveDamaged, match="padding"):
        scanned(KINDS["xz"].scan, one + bytes(6) + two)
    with pytest.raises(ArchiveDamaged, match="padding"):
        scanned(KINDS["xz"].scan, one + bytes(6))


@pytest.mark.parametrize("check", ["none", "crc32", "crc64", "sha256"])
def test_the_blocks_of_an_xz_stream_are_frames(check: str) -> None:
    raw = LINES * 4
    streams = [
        subprocess.run(
            ["xz", "-c", f"--check={check}", f"--block-size={length}"], input=raw, capture_output=True, check=True
        ).stdout
        for length in (50_000, 1 << 24)
    ]
    found = scanned(KINDS["xz"].scan, b"".join(streams))
    (member,) = found.members
    frames = [extent.frame for extent in member.extents if extent.frame is not None]
    assert [frame.codec for frame in frames] == [Codec.XZ_BLOCK] * -(-len(raw) // 50_000) + [Codec.XZ]
    assert found.read(member) == raw + raw
    for start in (0, 49_999, 50_000, 123_456, len(raw) - 1, len(raw), len(raw) + 5):
        body = read(found.archive, member, start, start + 1000)
        assert b"".join(stream(body, found.source)) == (raw + raw)[start : start + 1000]


def test_an_index_of_xz_blocks_that_is_too_long_to_hold_makes_one_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    data = subprocess.run(["xz", "-c", "--block-size=5000"], input=LINES, capture_output=True, check=True).stdout
    monkeypatch.setattr(concatenated, "TAIL_BYTES", 40)
    found = scanned(KINDS["xz"].scan, data)
    (member,) = found.members
    assert [extent.frame and extent.frame.codec for extent in member.extents] == [Codec.XZ]
    assert found.read(member) == LINES


@every_tool
def test_a_bomb_is_refused(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "EXPANSION_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(zstdstream, "EXPANSION_FREE_BYTES", 1 << 20)
    monkeypatch.setattr(expansion, "EXPANSION_MOST", 500)
    monkeypatch.setattr(zstdstream, "EXPANSION_MOST", 500)
    with pytest.raises(LimitExceeded, match="bomb"):
        scanned(KINDS[tool.kind].scan, tool.compress(bytes(30 << 20)))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_is_told_or_harmless(data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(TOOLS))
    whole = tool.compress(LINES[:3000]) + tool.compress(NOISE[:500])
    try:
        found = scanned(KINDS[tool.kind].scan, data.draw(damaged(whole)))
    except (ArchiveDamaged, ArchiveUnsupported, LimitExceeded):
        return
    assert found.read(found.members[0]) in (LINES[:3000] + NOISE[:500], LINES[:3000], NOISE[:500])


def one_member(url: str, data: bytes, *, mtime_s: int = 77) -> Member:
    """The only member of a file called like this."""
    source = MemorySource({url: data}, mtime_s=mtime_s)
    of = source.identity(url)
    steps = kind_of(of, source).scan(of)
    members: list[Member] = []
    reply: Any = None
    try:
        while True:
            asked = steps.send(reply)
            reply = None
            if isinstance(asked, list):
                members += asked
            else:
                reply = answer(asked, source)  # type: ignore[arg-type]
    except StopIteration:
        pass
    (member,) = members
    return member


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("s3://bucket/2026/access.log.gz", b"access.log"),
        ("s3://bucket/2026/ACCESS.LOG.GZ", b"ACCESS.LOG"),
        ("s3://bucket/2026/.gz", b".gz"),
        ("s3://bucket/told-by-its-first-bytes", b"told-by-its-first-bytes"),
        ("file:///var/log/größe.gz", "größe".encode()),
    ],
)
def test_the_member_is_called_like_the_file_without_its_suffix(url: str, name: bytes) -> None:
    assert one_member(url, gzip.compress(b"x")).name == name


def test_the_name_in_a_gzip_header_is_not_trusted() -> None:
    header = b"\x1f\x8b\x08\x08" + bytes(6) + b"../../etc/passwd\0"
    assert one_member("s3://bucket/a.gz", header + gzip.compress(b"text", mtime=0)[10:]).name == b"a"


def test_a_file_that_no_member_can_be_called_like_is_refused() -> None:
    with pytest.raises(ArchiveUnsupported, match="parent_segment"):
        one_member("s3://bucket/folder/...gz", gzip.compress(b"x"))


def test_the_time_is_that_of_the_gzip_header_or_else_of_the_file() -> None:
    assert one_member("s3://bucket/a.gz", gzip.compress(b"x", mtime=1_700_000_000)).mtime_s == 1_700_000_000
    assert one_member("s3://bucket/a.gz", gzip.compress(b"x", mtime=0)).mtime_s == 77
    assert one_member("s3://bucket/a.bz2", bz2.compress(b"x")).mtime_s == 77


def test_a_file_of_more_frames_than_a_member_can_have_is_listed_as_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(singlefile, "MEMBER_EXTENTS", 3)
    member = one_member("s3://bucket/a.gz", gzip.compress(b"x", mtime=5) * 4)
    assert member.unreadable == "too many frames: 4, the limit is 3"
    assert member.extents == ()


@every_tool
def test_a_tar_inside_is_told_by_its_first_bytes_and_anything_else_is_a_single_file(tool: Tool) -> None:
    tar = bytes(257) + b"ustar\0" + b"00" + bytes(3000)
    for inside, expected in ((tar, f"tar.{tool.kind}"), (LINES, tool.kind), (b"short", tool.kind), (b"", tool.kind)):
        data = tool.compress(inside)
        assert data.startswith(tool.magic)
        source = MemorySource({"s3://bucket/untold": data})
        kind = kind_of(source.identity("s3://bucket/untold"), source).name
        assert kind == (expected if expected in KINDS else tool.kind)


def test_a_head_is_asked_for_only_where_the_file_tells_no_time() -> None:
    source = MemorySource({"s3://bucket/a.gz": gzip.compress(b"x", mtime=5)})
    of = source.identity("s3://bucket/a.gz")
    asked = []
    steps = KINDS["gz"].scan(of)
    try:
        ask = next(steps)
        while True:
            asked.append(ask)
            ask = steps.send(None if isinstance(ask, list) else answer(ask, source))  # type: ignore[arg-type]
    except StopIteration:
        pass
    assert not any(isinstance(ask, NeedHead) for ask in asked)


def test_a_single_file_goes_all_the_way_through_an_index(tmp_path: Any) -> None:
    from indexer.build import build_index

    objects = {"s3://bucket/a.log.xz": lzma.compress(LINES)}
    out = bytearray()
    summary = build_index("s3://bucket/a.log.xz", MemorySource(objects), out.extend, scratch=tmp_path)
    objects["s3://bucket/a.log.xz.bindery"] = bytes(out)
    index = run(open_index("s3://bucket/a.log.xz.bindery"), MemorySource(objects))
    assert (index.kind, index.members, summary.bytes) == ("xz", 1, len(LINES))

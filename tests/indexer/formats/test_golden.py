from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

import indexer.scan
from indexer.codecs import DECODERS
from indexer.drivers import stream
from indexer.errors import ArchiveUnsupported, MemberUnreadable
from indexer.formats import KINDS, by_magic, by_name
from indexer.model import Codec, Member
from indexer.plan import read
from tests.indexer.formats.archives import GOLDEN, Scanned, crc32, scanned

EXPECTED: dict[str, dict[str, list[int] | None]] = json.loads((GOLDEN / "expected.json").read_text())
"""What a stock tool extracted: size, CRC-32 and time of each file; None for a link that leads nowhere."""

READABLE = [name for name, files in EXPECTED.items() if files]
every_archive = pytest.mark.parametrize("name", READABLE)


def found_in(name: str) -> Scanned:
    kind = by_name(name)
    assert kind is not None
    return scanned(kind.scan, (GOLDEN / name).read_bytes())


def decodable(member: Member) -> bool:
    known = {*DECODERS, Codec.DEFLATE_AT}
    return all(extent.frame is None or extent.frame.codec in known for extent in member.extents)


def test_every_golden_archive_is_named_after_its_tool_and_told_in_the_provenance() -> None:
    provenance = (GOLDEN / "PROVENANCE.md").read_text()
    archives = {path.name for path in GOLDEN.iterdir()} - {"make.py", "expected.json", "PROVENANCE.md", "__pycache__"}
    assert archives == EXPECTED.keys()
    for name in archives:
        assert re.fullmatch(r"[a-z0-9]+_[0-9.]+_[a-z0-9.-]+", name)
        assert f"| {name} |" in provenance


@every_archive
def test_the_index_reads_what_the_stock_tool_extracts(name: str) -> None:
    found = found_in(name)
    members = found.by_name()
    expected = EXPECTED[name]
    assert members.keys() == expected.keys()
    for key, told in expected.items():
        member = members[key]
        if told is None:
            assert member.unreadable
            with pytest.raises(MemberUnreadable):
                found.read(member)
            continue
        assert member.unreadable is None
        assert [member.size, member.mtime_s] == [told[0], max(0, told[2])]
        assert member.crc32 in (told[1], None)
        if decodable(member):
            data = found.read(member)
            assert [len(data), crc32(data)] == told[:2]
        else:
            with pytest.raises(MemberUnreadable):
                found.read(member)


@every_archive
def test_any_range_of_a_member_is_that_range(name: str) -> None:
    found = found_in(name)
    chance = random.Random(name)
    for member in found.members:
        if member.unreadable or not member.size or not decodable(member):
            continue
        whole = found.read(member)
        for _ in range(8):
            start = chance.randrange(member.size)
            stop = chance.randint(start, member.size)
            assert b"".join(stream(read(found.archive, member, start, stop, index=found.index), found.source)) == whole[start:stop]


@every_archive
@pytest.mark.parametrize("request_bytes", [701, 64])
def test_the_cut_of_the_requests_changes_nothing(name: str, request_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found_in(name)
    monkeypatch.setattr(indexer.scan, "REQUEST_BYTES", request_bytes)
    cut = found_in(name)
    assert cut.members == whole.members
    assert cut.summary == whole.summary


@every_archive
def test_the_first_bytes_tell_the_kind_as_the_name_does(name: str) -> None:
    head = (GOLDEN / name).read_bytes()
    kind = by_magic(head)
    if "prefix" in name or "v7" in name:
        assert kind is None  # a self-extracting zip is a program at its beginning, a v7 tar a name
    else:
        assert kind is by_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("infozip_3.0_encrypted.zip", "encrypted: it needs a password"),
        ("7zip_26.02_aes.zip", "encrypted: it needs a password"),
        ("7zip_26.02_ppmd.zip", "method 98: PPMd is not supported"),
    ],
)
def test_members_that_cannot_be_read_are_listed_with_the_reason(name: str, reason: str) -> None:
    members = found_in(name).by_name()
    assert members.keys() == EXPECTED["infozip_3.0_store.zip"].keys()
    assert {member.unreadable for member in members.values() if member.size} <= {reason, None}
    assert members["logs/2026/11/app.log"].unreadable == reason


def test_symbolic_links_in_a_zip_are_listed_as_such() -> None:
    members = found_in("infozip_3.0_links.zip").by_name()
    assert members["soft.txt"].unreadable == "symbolic link: it has no bytes of its own"
    assert members["hard.txt"].unreadable is None


def test_a_split_zip_is_refused() -> None:
    with pytest.raises(ArchiveUnsupported, match="split over several files"):
        found_in("infozip_3.0_split.zip")


def test_a_window_beyond_the_limit_is_refused() -> None:
    with pytest.raises(ArchiveUnsupported, match="window"):
        found_in("zstd_1.5.4_wide-window.tar.zst")


def test_sparse_files_in_a_tar_hold_their_zeros_as_extents_without_a_frame() -> None:
    for name in READABLE:
        if "sparse" in name and ".tar" in name:
            members = found_in(name).by_name()
            stored = sum(extent.length for extent in members["many.bin"].extents if extent.frame)
            assert stored < members["many.bin"].size // 8


def test_every_kind_has_golden_archives_and_a_scanner() -> None:
    for kind in KINDS.values():
        assert any(by_name(name) is kind for name in READABLE)
        assert callable(kind.scan)


def test_what_is_of_no_kind_is_refused_with_what_is_supported() -> None:
    from indexer.formats import scanner_for
    from indexer.source.memory import MemorySource

    def scanner(url: str, data: bytes) -> Any:
        source = MemorySource({url: data})
        return scanner_for(source.identity(url), source)

    for data in (b"", b"text", bytes(1000)):
        with pytest.raises(ArchiveUnsupported, match=r"Supported are tar\.zst, .*zip, squashfs, tar, "):
            scanner("s3://bucket/what.is.this", data)
    assert scanner("s3://bucket/archive", (GOLDEN / "7zip_26.02_deflate.zip").read_bytes()) is KINDS["zip"].scan
    assert scanner("s3://bucket/ARCHIVE.TAR.ZST", b"") is KINDS["tar.zst"].scan

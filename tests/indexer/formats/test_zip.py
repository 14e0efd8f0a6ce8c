from __future__ import annotations

import io
import zipfile
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer.scan
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, BinderyError
from indexer.formats.zip import TAIL_BYTES, scan
from indexer.limits import REQUEST_BYTES
from indexer.model import Attributes
from indexer.names import NameFault
from indexer.scan import SCAN_BATCH_MEMBERS
from tests.indexer.formats.archives import damaged, scanned

WHEN = (2026, 11, 20, 8, 30, 58)
WHEN_S = 1_795_163_458


def made(*entries: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"", extra: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.comment = comment
        for name, data in entries:
            info = zipfile.ZipInfo(name, WHEN)
            info.compress_type = method
            info.extra = extra
            archive.writestr(info, data)
    return out.getvalue()


ENTRIES = (("logs/a.txt", b"alpha " * 50), ("logs/empty", b""), ("logs/", b""), ("b.bin", bytes(range(256)) * 40))
CONTENTS = {name: data for name, data in ENTRIES if not name.endswith("/")}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_every_method_read_back_as_they_were_put_in(method: int) -> None:
    found = scanned(scan, made(*ENTRIES, method=method))
    assert found.contents() == CONTENTS
    assert found.summary.entries == 4
    assert {member.mtime_s for member in found.members} == {WHEN_S}
    assert all(member.crc32 is not None for member in found.members)
    assert found.by_name()["logs/empty"].extents == ()


def test_a_small_zip_costs_one_read_and_never_touches_the_members() -> None:
    data = made(*ENTRIES)
    assert [need.spans for need in scanned(scan, data).needs] == [((0, len(data)),)]
    large = made(("large", bytes(300_000)), ("a", b"a"), method=zipfile.ZIP_STORED)
    assert [need.spans for need in scanned(scan, large).needs] == [((len(large) - TAIL_BYTES, len(large)),)]


def test_a_large_directory_is_read_in_requests_with_the_next_named_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made(*((f"some/folder/with/a/long/name/{number:06}", b"") for number in range(3000)))
    whole = scanned(scan, data)
    for request_bytes in (40_000, 1000, 61):
        monkeypatch.setattr(indexer.scan, "REQUEST_BYTES", request_bytes)
        cut = scanned(scan, data)
        assert cut.members == whole.members
        directory = [need for need in cut.needs[1:] if need.spans[0].length > 4]
        assert all(need.spans[0].length <= request_bytes for need in directory)
        assert [need.ahead for need in directory] == [*(need.spans for need in directory[1:]), ()]
    assert REQUEST_BYTES > 61


def test_batches_are_bounded() -> None:
    found = scanned(scan, made(*((str(number), b"") for number in range(SCAN_BATCH_MEMBERS + 5))))
    assert len(found.members) == SCAN_BATCH_MEMBERS + 5
    assert found.largest_batch == SCAN_BATCH_MEMBERS


def test_whatever_stands_before_the_archive_shifts_its_offsets() -> None:
    for prefix in (b"#!/bin/sh\nexit 0\n", b"x" * 100_000, made(*ENTRIES)):
        found = scanned(scan, prefix + made(*ENTRIES))
        assert found.contents() == CONTENTS
        assert found.summary.facts["prefix_bytes"] == len(prefix)


def test_a_comment_may_be_as_long_as_it_can_and_hold_anything() -> None:
    fake_end = pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, 60, 5, 0)
    cut_end = pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, 60, 5, 999)
    for comment in (
        b"x" * 65_535,
        fake_end,
        b"x" + fake_end + b"y",
        cut_end,
        b"PK\5\6",
        fake_end * 10,
        b"PK\6\7" + bytes(16) + fake_end,
    ):
        found = scanned(scan, made(*ENTRIES, comment=comment))
        assert found.contents() == CONTENTS
        assert found.summary.facts["comment_bytes"] == len(comment)


def test_an_empty_zip_has_no_members() -> None:
    found = scanned(scan, made())
    assert found.members == []
    assert found.summary.entries == 0


def test_what_is_no_zip_is_called_so() -> None:
    for data in (b"", b"x", b"PK\5\6", bytes(100_000), made(*ENTRIES)[:-30], made(*ENTRIES)[:200]):
        with pytest.raises(ArchiveDamaged, match="no whole zip"):
            scanned(scan, data)


def test_one_part_of_a_split_archive_is_refused_with_what_to_do() -> None:
    data = bytearray(made(*ENTRIES))
    end = data.rfind(b"PK\5\6")
    data[end + 4 : end + 8] = pack("<HH", 2, 2)
    with pytest.raises(ArchiveUnsupported, match="zip -s 0"):
        scanned(scan, bytes(data))


def test_a_count_that_lies_is_damage() -> None:
    data = bytearray(made(*ENTRIES))
    end = data.rfind(b"PK\5\6")
    data[end + 8 : end + 12] = pack("<HH", 5, 5)
    with pytest.raises(ArchiveDamaged, match="holds 4 entries, its end tells of 5"):
        scanned(scan, bytes(data))


def test_entries_that_lie_over_one_another_are_found() -> None:
    data = bytearray(made(*((f"bomb{number}", b"x" * 100) for number in range(5)), method=zipfile.ZIP_STORED))
    at = data.find(b"PK\1\2")
    for _ in range(5):
        data[at + 42 : at + 46] = pack("<I", 0)
        at = data.find(b"PK\1\2", at + 4)
    found = scanned(scan, bytes(data))
    assert found.members[0].unreadable is None
    assert {member.unreadable for member in found.members[1:]} == {"damaged: it lies over the entry before it"}


def test_members_longer_together_than_the_file_are_a_bomb() -> None:
    data = bytearray(made(*((f"bomb{number}", b"x" * 1000) for number in range(8)), method=zipfile.ZIP_STORED))
    at = data.find(b"PK\1\2")
    for number in range(8):
        data[at + 20 : at + 28] = pack("<II", 7000 - number, 7000 - number)
        data[at + 42 : at + 46] = pack("<I", 40 - number)
        at = data.find(b"PK\1\2", at + 4)
    with pytest.raises(ArchiveDamaged, match="overlap"):
        scanned(scan, bytes(data))


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (8, pack("<H", 1), "encrypted"),
        (8, pack("<H", 0x41), "encrypted"),
        (10, pack("<H", 99), "encrypted"),
        (10, pack("<H", 98), r"method 98: PPMd"),
        (10, pack("<H", 77), r"method 77: unknown"),
        (34, pack("<H", 3), "split: it begins in part 4"),
        (42, pack("<I", 5000), "outside the archive"),
        (42, pack("<I", 0xFFFFFFFE), "outside the archive"),
        (42, pack("<I", 0xFFFFFFFF), "64-bit sizes are missing"),
        (20, pack("<II", 0xFFFFFFFF, 10), "64-bit sizes are missing"),
        (24, pack("<I", 0xFFFFFFF0), "cannot become"),
        (20, pack("<I", 0x7FFFFFFF), "outside the archive"),
        (4, pack("<H", 0x031E) + bytes(32) + pack("<I", 0xA1FF0000), "symbolic link"),
    ],
)
def test_a_member_that_cannot_be_read_is_listed_with_its_reason(offset: int, value: bytes, reason: str) -> None:
    data = bytearray(made(("a.txt", b"alpha" * 20), ("b.txt", b"beta")))
    at = data.find(b"PK\1\2")
    if len(value) > 30:
        data[at + 4 : at + 6], data[at + 38 : at + 42] = value[:2], value[-4:]
    else:
        data[at + offset : at + offset + len(value)] = value
    first, second = scanned(scan, bytes(data)).members
    assert first.unreadable is not None
    assert reason.replace("\\", "") in first.unreadable
    assert first.extents == ()
    assert second.unreadable is None


def test_attributes_of_a_host_that_is_no_unix_are_no_mode() -> None:
    data = bytearray(made(("a.txt", b"alpha" * 20)))
    at = data.find(b"PK\1\2")
    data[at + 5], data[at + 38 : at + 42] = 0, pack("<I", 0xA1FF0000)
    (member,) = scanned(scan, bytes(data)).members
    assert member.unreadable is None


def test_names_that_lead_out_of_the_folder_are_left_out_and_counted() -> None:
    found = scanned(scan, made(("../etc/passwd", b"x"), ("/abs", b"1"), ("./dot", b"2"), ("a/../b", b"3"), ("x" * 1025, b"4")))
    assert found.contents() == {"abs": b"1", "dot": b"2"}
    assert found.summary.left_out == {NameFault.PARENT_SEGMENT: 2, NameFault.TOO_LONG: 1}
    assert len(found.summary.examples) == 3


def test_the_most_exact_time_wins_over_the_dos_time() -> None:
    ntfs = pack("<HHIHHQQQ", 0x000A, 32, 0, 1, 24, (1_600_000_000 + 11_644_473_600) * 10**7 + 5, 0, 0)
    info_zip = pack("<HHBi", 0x5455, 5, 1, 1_500_000_000)
    old_unix = pack("<HHii", 0x5855, 8, 1, 1_400_000_000)
    for extra, mtime_s in (
        (ntfs, 1_600_000_000),
        (old_unix, 1_400_000_000),
        (ntfs + info_zip + old_unix, 1_500_000_000),
        (pack("<HHB", 0x5455, 1, 2), WHEN_S),
        (pack("<HHBi", 0x5455, 5, 1, -5), 0),
    ):
        assert scanned(scan, made(("a", b""), extra=extra)).members[0].mtime_s == mtime_s


def test_a_dos_time_that_is_in_no_calendar_is_the_beginning_of_dos_time() -> None:
    data = bytearray(made(("a", b"")))
    at = data.find(b"PK\1\2")
    data[at + 12 : at + 16] = b"\xff\xff\0\0"
    assert scanned(scan, bytes(data)).members[0].mtime_s == 315_532_800


def test_what_bindery_keeps_of_an_object_is_read() -> None:
    digest = bytes(range(16))
    attributes = b'{"content_type":"text/plain","metadata":{"a":"b"}}'
    plain = b"\1" + pack("<BH", 1, 16) + digest + pack("<BH", 2, len(attributes)) + attributes + pack("<BH", 9, 1) + b"?"
    text = b"\1" + pack("<BH", 1, 5) + b"abc-2" + pack("<BH", 3, 0)
    (first,) = scanned(scan, made(("a", b"1"), extra=pack("<HH", 0x4242, len(plain)) + plain)).members
    assert first.etag == digest.hex()
    assert first.attributes == Attributes(content_type="text/plain", metadata=(("a", "b"),))
    (second,) = scanned(scan, made(("folder/", b""), extra=pack("<HH", 0x4242, len(text)) + text)).members
    assert (second.key, second.etag, second.size) == ("folder/", "abc-2", 0)
    for hurt in (plain[:30], text[:-2], b"\1\1", b"\1" + pack("<BH", 2, 1) + b"{"):
        with pytest.raises(ArchiveDamaged, match="does not read"):
            scanned(scan, made(("a", b"1"), extra=pack("<HH", 0x4242, len(hurt)) + hurt))
    assert scanned(scan, made(("a", b"1"), extra=pack("<HH", 0x4242, 2) + b"\2x")).members[0].etag is None


def test_the_guess_of_a_local_header_counts_what_stands_there_too() -> None:
    times = pack("<HHBi", 0x5455, 5, 1, 1_500_000_000)
    own = b"\1" + pack("<BH", 1, 5) + b"abc-2"
    for extra, counted in ((times, 9), (times + pack("<HH", 0x4242, len(own)) + own, 9), (pack("<HH", 0x4242, len(own)) + own, 0)):
        ((frame, _, _),) = scanned(scan, made(("name", b"bytes" * 50), extra=extra)).members[0].extents
        assert frame is not None
        assert frame.lead_bytes == 30 + 4 + counted


WITH_COMMENT = made(*ENTRIES, comment=b"a comment")


@given(damaged(WITH_COMMENT), st.sampled_from([REQUEST_BYTES, 70]))
@settings(max_examples=400, deadline=None)
def test_damage_is_a_named_error_or_members_that_read_right_or_not_at_all(data: bytes, request_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(indexer.scan, "REQUEST_BYTES", request_bytes)
        try:
            found = scanned(scan, data)
        except (ArchiveDamaged, ArchiveUnsupported):
            return
    for member in found.members:
        try:
            assert len(found.read(member)) == member.size
        except BinderyError:
            continue

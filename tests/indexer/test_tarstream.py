from __future__ import annotations

import io
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.limits import MTIME_S_MOST, SPARSE_RUNS, TAR_RECORDS_BYTES
from indexer.tarheaders import EntryType, checksum_holds, number, pax_number, pax_records
from indexer.tarstream import Entry, TarFault, TarStream
from tests.indexer.formats.tars import END, entry, header, padded, told


def entries(data: bytes, cut: int | None = None) -> list[Entry]:
    stream = TarStream()
    found = []
    for at in range(0, len(data), cut or max(1, len(data))):
        found += stream.feed(data[at : at + (cut or len(data))])
    stream.finish()
    assert stream.at == len(data)
    return found


def one(data: bytes) -> Entry:
    (found,) = entries(data + END)
    for cut in (1, 511, 513):
        assert entries(data + END, cut) == [found]
    return found


names = st.one_of(
    st.text("ab/é", min_size=1, max_size=12), st.integers(90, 320).map(lambda length: ("d" * 30 + "/") * (length // 31) + "f")
)
files = st.lists(st.tuples(names, st.one_of(st.binary(max_size=30), st.integers(500, 1600).map(bytes))), max_size=6)


@given(files, st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]), st.integers(1, 2000))
@settings(max_examples=200, deadline=None)
def test_any_tar_in_any_cut_tells_what_tarfile_tells(members: list[tuple[str, bytes]], kind: int, cut: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for place, (name, data) in enumerate(members):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), place * 10**9
            archive.addfile(info, io.BytesIO(data))
    raw = out.getvalue()
    found = entries(raw, cut)
    assert found == entries(raw)
    with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
        expected = archive.getmembers()
    for info, told_entry, (_, data) in zip(expected, found, members, strict=True):
        if told_entry.type is EntryType.FILE:
            assert told_entry.name.decode().rstrip("/") == info.name
            assert (told_entry.size, told_entry.start, told_entry.mtime_s) == (info.size, info.offset_data, info.mtime)
            assert raw[told_entry.start : told_entry.start + told_entry.stored_bytes] == data
            assert told_entry.crc32 == zlib.crc32(data)
        else:
            assert told_entry.name.endswith(b"/")


def test_types_are_told_and_only_files_have_bytes() -> None:
    for flag, kind in {
        b"0": EntryType.FILE,
        b"\0": EntryType.FILE,
        b"7": EntryType.FILE,
        b"Z": EntryType.FILE,
        b"5": EntryType.DIRECTORY,
        b"D": EntryType.DIRECTORY,
        b"3": EntryType.SPECIAL,
        b"6": EntryType.SPECIAL,
        b"V": EntryType.LABEL,
        b"M": EntryType.CONTINUED,
    }.items():
        found = one(entry(b"name", b"" if flag in b"3456" else b"bytes", flag))
        assert found.type is kind
        assert found.crc32 == (zlib.crc32(b"bytes") if kind is EntryType.FILE else None)
    assert one(header(b"folder", 77, b"5")).stored_bytes == 0
    assert one(header(b"hard", 77, b"1", link=b"target"))[:2] == (b"hard", EntryType.HARD_LINK)
    assert one(entry(b"v7-folder/", flag=b"\0")).type is EntryType.DIRECTORY


def test_names_of_every_header_kind_are_put_together() -> None:
    assert one(header(b"n" * 100)).name == b"n" * 100
    assert one(header(b"name", prefix=b"p" * 155)).name == b"p" * 155 + b"/name"
    assert one(header(b"name", magic=b"ustar  \0", prefix=b"00000000000\0")).name == b"name"
    assert one(header(b"name", magic=bytes(8), prefix=b"junk")).name == b"name"
    assert one(header(b"name", prefix=b"p" * 131, rest={476: b"00000000000 ", 508: b"tar\0"})).name == b"p" * 131 + b"/name"
    assert one(told(b"x", (b"path", b"told/\xc3\xa9")) + header(b"name", prefix=b"p")).name == b"told/\xc3\xa9"
    assert one(entry(b"././@LongLink", b"long" * 99 + b"\0", b"L") + header(b"long")).name == b"long" * 99
    assert one(entry(b"././@LongLink", b"to" * 99 + b"\0", b"K") + header(b"a", flag=b"2", link=b"to")).link == b"to" * 99
    both = entry(b"././@LongLink", b"gnu\0", b"L") + told(b"x", (b"path", b"pax"))
    assert one(both + header(b"n")).name == b"pax"


def test_what_a_pax_header_tells_holds_for_one_entry_and_a_global_one_until_the_archive_ends() -> None:
    found = entries(
        told(b"g", (b"mtime", b"1000"), (b"comment", b"none of ours"))
        + told(b"x", (b"mtime", b"2000.75"), (b"size", b"3"))
        + header(b"a", 0)
        + padded(b"abc")
        + entry(b"b")
        + told(b"g", (b"mtime", b""))
        + entry(b"c")
        + told(b"g", (b"mtime", b"4000"))
        + entry(b"d")
        + END
        + entry(b"e")
        + END
    )
    assert [(each.name, each.mtime_s, each.size) for each in found] == [
        (b"a", 2000, 3),
        (b"b", 1000, 0),
        (b"c", 0, 0),
        (b"d", 4000, 0),
        (b"e", 0, 0),
    ]


def test_numbers_are_octal_or_base_256() -> None:
    assert number(b"0000644\0") == 0o644
    assert number(b"    644 ") == 0o644
    assert number(b"644\0junk") == 0o644
    assert number(bytes(12)) == number(b" " * 12) == 0
    assert number(b"\x80" + bytes(10) + b"\x05") == 5
    assert number(b"\x80\0\0\0" + (2**60).to_bytes(8, "big")) == 2**60
    assert number(b"\xff" * 12) == -1
    assert number(b"\xff" * 4 + (-(10**10)).to_bytes(8, "big", signed=True)) == -(10**10)
    for field in (b"9", b"-5", b"+5", b"1_0", b"0x1", b"0o7", b"abc"):
        with pytest.raises(ValueError, match="octal"):
            number(field.ljust(12, b"\0"))


def test_times_are_whole_seconds_between_1970_and_9999() -> None:
    def mtime(value: bytes) -> int:
        return one(told(b"x", (b"mtime", value)) + header(b"a")).mtime_s

    assert [mtime(value) for value in (b"0", b"1.999999999", b"-1", b"-0.5", b"99999999999999")] == [0, 1, 0, 0, MTIME_S_MOST]
    assert pax_number(b"-1.5") == -2
    assert pax_number(b"-1.0") == -1
    for value in (b"", b"x", b"1e9", b"1.x", b"--1", b"9" * 21, b"nan"):
        with pytest.raises(ValueError, match="decimal"):
            pax_number(value)


@given(st.binary(min_size=512, max_size=512), st.integers(0, 7))
def test_the_quick_sum_of_a_header_is_the_sum(block: bytes, high: int) -> None:
    block = bytes(byte | 0x80 if place % 8 < high else byte for place, byte in enumerate(block))
    summed = block[:148] + b" " * 8 + block[156:]
    for total in (sum(summed), sum(byte - 256 if byte > 127 else byte for byte in summed)):
        if total >= 0:
            assert checksum_holds(block, b"%06o\0 " % total)
            assert not checksum_holds(block, b"%06o\0 " % (total + 1)) or high
    assert not checksum_holds(block, b"%06o\0 " % (sum(summed) + 3))


def test_a_header_whose_checksum_was_summed_over_signed_bytes_is_read() -> None:
    assert one(header("Grüße".encode("latin-1"), signed=True)).name == "Grüße".encode("latin-1")


def test_archives_one_after_another_are_read_as_one_and_rubbish_behind_is_not_read() -> None:
    two = entry(b"a", b"1") + END + bytes(5120) + entry(b"b", b"2") + END
    assert [each.name for each in entries(two)] == [b"a", b"b"]
    for rubbish in (b"x", b"rubbish" * 500, bytes(100_000) + b"rubbish", b"\xff" * 512):
        for cut in (None, 100):
            assert [each.name for each in entries(two + rubbish, cut)] == [b"a", b"b"]
    assert [each.name for each in entries(entry(b"a") + bytes(512) + entry(b"b") + bytes(512))] == [b"a", b"b"]
    with pytest.raises(TarFault, match="checksum"):
        entries(entry(b"a") + bytes(512) + b"rubbish" * 100 + END)


def test_a_tar_cut_anywhere_before_its_end_mark_is_a_fault() -> None:
    whole = told(b"x", (b"path", b"long")) + entry(b"a", b"x" * 700) + entry(b"b")
    for kept in range(0, len(whole), 64):
        for cut in (None, 300):
            with pytest.raises(TarFault, match="ends"):
                entries(whole[:kept], cut)
    assert len(entries(whole + bytes(512))) == 2


def test_damage_is_told_with_its_place() -> None:
    good = entry(b"a", b"1")
    for bad, why in (
        (header(b"b")[:-1] + b"x", "checksum"),
        (header(b"b", b"9" * 11 + b"\0"), "octal"),
        (header(b"b", b"\xff" * 12), "cannot have -1 bytes"),
        (header(b"b", b"\x80\0\0\0" + b"\xff" * 8), "cannot have"),
        (entry(b"x", b"11 path=abc\n", b"x") + entry(b"b"), "ends elsewhere"),
        (entry(b"x", b"9999999 path=abc\n", b"x") + entry(b"b"), "ends elsewhere"),
        (entry(b"x", b"path=abc\n", b"x") + entry(b"b"), "without its length"),
        (entry(b"x", b"10 pathabc\n"[:10] + b"\n", b"x") + entry(b"b"), "ends elsewhere|no value"),
        (told(b"x", (b"mtime", b"soon")) + entry(b"b"), "decimal"),
        (told(b"x", (b"size", b"-1")) + entry(b"b"), "cannot have -1 bytes"),
        (told(b"g", (b"BINDERY.attributes", b"{")) + entry(b"b"), "attributes"),
        (told(b"x", (b"GNU.sparse.major", b"2")) + entry(b"b"), "sparse"),
        (told(b"x", (b"GNU.sparse.major", b"1")) + entry(b"b"), "sparse"),
        (header(b"x", TAR_RECORDS_BYTES + 1, b"x"), "extended header of"),
        (header(b"x", 2**32, b"L"), "extended header of"),
    ):
        with pytest.raises(TarFault, match=why) as caught:
            entries(good + bad + END)
        assert len(good) <= caught.value.at <= len(good + bad)


def test_pax_records_keep_their_order_and_may_be_followed_by_zeros() -> None:
    assert pax_records(b"6 a=1\n6 a=2\n8 b=x=y\n" + bytes(9)) == [(b"a", b"1"), (b"a", b"2"), (b"b", b"x=y")]
    assert pax_records(b"") == []


def old_gnu_sparse(size: int, runs: list[tuple[int, int]], data: bytes) -> bytes:
    rows = [b"%011o\0%011o\0" % run for run in runs]
    rest = rows[4:]
    extensions = [tuple(rest[at : at + 21]) for at in range(0, len(rest), 21)]
    head = header(
        b"sparse",
        len(data),
        b"S",
        magic=b"ustar  \0",
        rest={386: b"".join(rows[:4]), 482: bytes([bool(extensions)]), 483: b"%011o\0" % size},
    )
    blocks = [
        b"".join(extension).ljust(504, b"\0") + bytes([place + 1 < len(extensions)]) + bytes(7)
        for place, extension in enumerate(extensions)
    ]
    return head + b"".join(blocks) + padded(data)


runs_of_a_file = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), max_size=60)


@given(runs_of_a_file, st.integers(0, 9), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_every_way_to_write_a_sparse_map_tells_the_same(steps: list[tuple[int, int]], hole: int, way: int) -> None:
    runs, at = [], 0
    for gap, length in steps:
        runs.append((at + gap, length))
        at += gap + length
    size = at + hole
    data = bytes(1 + place % 255 for place in range(sum(length for _, length in runs)))
    numbers = [b"%d" % value for run in runs for value in run]
    true_size = b"%d" % size
    if way == 0:
        raw = old_gnu_sparse(size, runs, data)
    elif way == 1:
        rows = [(b"GNU.sparse.offset" if place % 2 == 0 else b"GNU.sparse.numbytes", value) for place, value in enumerate(numbers)]
        raw = told(b"x", (b"GNU.sparse.size", true_size), *rows) + entry(b"sparse", data)
    elif way == 2:
        rows = [(b"GNU.sparse.size", true_size), (b"GNU.sparse.map", b",".join(numbers)), (b"GNU.sparse.name", b"sparse")]
        raw = told(b"x", *rows) + entry(b"GNUSparseFile.0/sparse", data)
    else:
        told_map = padded(b"%d\n" % len(runs) + b"".join(value + b"\n" for value in numbers))
        rows = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.minor", b"0"), (b"GNU.sparse.realsize", true_size)]
        raw = told(b"x", *rows, (b"GNU.sparse.name", b"sparse")) + entry(b"GNUSparseFile.0/sparse", told_map + data)
    found = one(raw)
    assert (found.name, found.size, found.runs, found.crc32, found.fault) == (b"sparse", size, tuple(runs), None, "")
    assert raw[found.start : found.start + found.stored_bytes] == data


@pytest.mark.parametrize(
    "runs",
    [[(0, 3)], [(0, 3), (2, 1)], [(5, 4), (0, 0)], [(0, 5)], [(98, 4)], [(2**62, 4)]],
    ids=["short", "overlapping", "backwards", "long", "outside", "far-outside"],
)
def test_a_file_whose_sparse_map_cannot_be_is_unreadable_and_the_rest_is_read(runs: list[tuple[int, int]]) -> None:
    numbers = b",".join(b"%d,%d" % run for run in runs)
    for bad in (
        old_gnu_sparse(100, [run for run in runs if run[0] < 2**33], b"abcd"),
        told(b"x", (b"GNU.sparse.size", b"100"), (b"GNU.sparse.map", numbers)) + entry(b"bad", b"abcd"),
    ):
        first, second = entries(bad + entry(b"good", b"!") + END)
        assert first.fault.startswith("damaged: ")
        assert (first.size, first.runs) == (0, ())
        assert second.crc32 == zlib.crc32(b"!")


def test_a_sparse_map_beyond_the_limit_is_a_fault_before_memory_is_taken() -> None:
    rows = [(b"GNU.sparse.major", b"1"), (b"GNU.sparse.realsize", b"100")]
    for lines, why in (
        (b"%d\n" % (SPARSE_RUNS + 1), "limit is"),
        (b"-1\n", "limit is"),
        (b"x\n", "decimal"),
        (b"9" * 600, "decimal"),
    ):
        with pytest.raises(TarFault, match=why):
            entries(told(b"x", *rows) + entry(b"sparse", padded(lines)) + END)
    endless = header(b"s", 0, b"S", magic=b"ustar  \0", rest={386: b"00000000001\0" * 8, 482: b"\1", 483: b"00000000144\0"})
    more = b"00000000001\0" * 42 + b"\1" + bytes(7)
    stream = TarStream()
    with pytest.raises(TarFault, match="more than"):
        stream.feed(endless + more * (SPARSE_RUNS // 21 + 1))
    with pytest.raises(TarFault, match="longer than its file"):
        entries(told(b"x", *rows) + header(b"s", 512) + padded(b"9\n" + b"1\n") + padded(b"1\n") + END)


def test_zeros_without_end_are_passed_over_quickly() -> None:
    stream = TarStream()
    stream.feed(entry(b"a") + END)
    zeros = bytes(1 << 20)
    for _ in range(512):
        assert stream.feed(zeros) == []
    stream.finish()
    assert stream.at > 512 << 20

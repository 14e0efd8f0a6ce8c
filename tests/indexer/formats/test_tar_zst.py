from __future__ import annotations

import hashlib
import io
import random
import tarfile
from struct import pack

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

import indexer.decodedstream
import indexer.formats.tar_zst
import indexer.scan
import indexer.zstdstream
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, BinderyError, LimitExceeded
from indexer.formats.tar_zst import scan
from indexer.limits import REQUEST_BYTES
from indexer.model import Attributes, Codec
from tests.indexer.formats.archives import damaged, scanned

chance = random.Random(1)
FILES = {f"logs/{number:03}.log": b"line %d\n" % number * chance.randrange(0, 60) for number in range(60)}
FILES |= {"large.bin": chance.randbytes(30_000), "zeros.bin": bytes(50_000), "last": b"end"}


def tar_of(files: dict[str, bytes], *, pax_headers: dict[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers=pax_headers or {}) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_700_000_000
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def framed(raw: bytes, frame_bytes: int, *, told: bool = True) -> list[bytes]:
    """Cut into frames that tell their content size, or do not."""
    frames = []
    for at in range(0, len(raw), frame_bytes):
        squeeze = zstandard.ZstdCompressor(level=1, write_checksum=True)
        part = raw[at : at + frame_bytes]
        if told:
            frames.append(squeeze.compress(part))
        else:
            begun = squeeze.compressobj()
            frames.append(begun.compress(part) + begun.flush())
    return frames


def seek_table(frames: list[bytes], *, checksums: bool = False) -> bytes:
    decoder = zstandard.ZstdDecompressor()
    rows = b"".join(
        pack("<II", len(frame), len(decoder.decompress(frame, max_output_size=1 << 24))) + (b"hash" if checksums else b"")
        for frame in frames
    )
    content = rows + pack("<IBI", len(frames), 0x80 if checksums else 0, 0x8F92EAB1)
    return pack("<II", 0x184D2A5E, len(content)) + content


TAR = tar_of(FILES)


@pytest.mark.parametrize("told", [True, False], ids=["sizes-told", "sizes-not-told"])
@pytest.mark.parametrize("frame_bytes", [len(TAR), 100_000, 8192, 4097, 511, 1])
def test_members_read_back_wherever_the_frames_are_cut(frame_bytes: int, told: bool) -> None:
    raw = TAR if frame_bytes > 100 else tar_of({"a": b"12345", "b": b""})
    found = scanned(scan, b"".join(framed(raw, frame_bytes, told=told)))
    assert found.contents() == (FILES if frame_bytes > 100 else {"a": b"12345", "b": b""})
    assert found.summary.facts["frames"] == -(-len(raw) // frame_bytes)
    assert all(extent.frame and extent.frame.codec is Codec.ZSTD for member in found.members for extent in member.extents)


@pytest.mark.parametrize("request_bytes", [7, 100, 5000])
def test_the_cut_of_the_requests_changes_nothing(request_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for frames in (framed(TAR, 8192), framed(TAR, len(TAR)), framed(TAR, len(TAR), told=False)):
        data = b"".join(frames)
        whole = scanned(scan, data)
        with monkeypatch.context() as patch:
            patch.setattr(indexer.scan, "REQUEST_BYTES", request_bytes)
            patch.setattr(indexer.zstdstream, "REQUEST_BYTES", request_bytes)
            cut = scanned(scan, data)
        assert cut.members == whole.members
        assert cut.summary == whole.summary
        assert len(cut.needs) == -(-len(data) // request_bytes)


def test_the_archive_is_read_once_from_end_to_end_with_the_next_request_named_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.scan, "REQUEST_BYTES", 10_000)
    data = b"".join(framed(TAR, 8192))
    needs = scanned(scan, data).needs
    assert [need.spans[0].start for need in needs] == list(range(0, len(data), 10_000))
    assert [need.ahead for need in needs] == [*(need.spans for need in needs[1:]), ()]


def test_the_md5_of_the_bytes_is_the_etag_where_the_archive_says_so() -> None:
    data = b"".join(framed(tar_of(FILES, pax_headers={"BINDERY.etag": "md5"}), 8192))
    for member in scanned(scan, data).members:
        assert member.etag == hashlib.md5(FILES[member.key], usedforsecurity=False).hexdigest()
    assert {member.etag for member in scanned(scan, b"".join(framed(TAR, 8192))).members} == {None}


def test_attributes_hold_from_where_they_are_told_until_others_are() -> None:
    out = io.BytesIO()

    def entry(name: str, data: bytes, kind: bytes = tarfile.REGTYPE, **headers: str) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.type = len(data), kind
        info.pax_headers = {f"BINDERY.{key}": value for key, value in headers.items()}
        out.write(info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512))

    def everything_after(**headers: str) -> None:
        out.write(tarfile.TarInfo.create_pax_global_header({f"BINDERY.{key}": value for key, value in headers.items()}))

    entry("none", b"0")
    everything_after(etag="md5", attributes='{"content_type":"text/plain"}')
    entry("text", b"1")
    entry("multipart", b"2", etag="0123456789abcdef0123456789abcdef-7")
    everything_after(attributes='{"content_encoding":"gzip"}')
    entry("gzip", b"3")
    entry("folder", b"", tarfile.DIRTYPE)
    entry("object", b"", tarfile.DIRTYPE, object="1")
    everything_after(attributes="")
    entry("none-again", b"4")
    out.write(bytes(1024))
    members = scanned(scan, b"".join(framed(out.getvalue(), 1000))).by_name()
    md5 = {name: hashlib.md5(name, usedforsecurity=False).hexdigest() for name in (b"", b"1", b"3", b"4")}
    assert {name: (member.attributes, member.etag) for name, member in members.items()} == {
        "none": (Attributes(), None),
        "text": (Attributes(content_type="text/plain"), md5[b"1"]),
        "multipart": (Attributes(content_type="text/plain"), "0123456789abcdef0123456789abcdef-7"),
        "gzip": (Attributes(content_encoding="gzip"), md5[b"3"]),
        "object/": (Attributes(content_encoding="gzip"), md5[b""]),
        "none-again": (Attributes(), md5[b"4"]),
    }


@pytest.mark.parametrize("checksums", [False, True])
def test_a_seek_table_is_compared_with_the_frames_and_never_trusted(checksums: bool) -> None:
    frames = framed(TAR, 8192)
    table = seek_table(frames, checksums=checksums)
    sound = scanned(scan, b"".join(frames) + table)
    assert sound.summary.facts["seek_table"] == "sound"
    wrong = scanned(scan, b"".join(frames) + seek_table(frames[::-1], checksums=checksums))
    assert wrong.summary.facts["seek_table"] == "wrong"
    assert wrong.members == sound.members
    hurt = scanned(scan, b"".join(frames) + table[:-1] + b"\0")
    assert hurt.summary.facts["seek_table"] == "wrong"
    assert scanned(scan, b"".join(frames)).summary.facts["seek_table"] == "absent"


def test_skippable_and_empty_frames_hold_no_members() -> None:
    empty = zstandard.ZstdCompressor().compress(b"")
    begun = zstandard.ZstdCompressor().compressobj()
    empty_not_told = begun.compress(b"") + begun.flush()
    skippable = b"\x53\x2a\x4d\x18\5\0\0\0abcde"
    data = skippable + b"".join(frame + skippable + empty + empty_not_told for frame in framed(TAR, 8192))
    found = scanned(scan, data)
    assert found.contents() == FILES
    assert found.summary.facts["frames"] == -(-len(TAR) // 8192)


def test_a_frame_with_more_members_than_are_held_is_measured_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.scan, "REQUEST_BYTES", 1000)
    monkeypatch.setattr(indexer.zstdstream, "DECODE_PIECE_BYTES", 1000)
    for told in (True, False):
        data = b"".join(framed(TAR, len(TAR) // 2 + 1, told=told))
        whole = scanned(scan, data)
        with monkeypatch.context() as patch:
            patch.setattr(indexer.formats.tar_zst, "FRAME_MEMBERS", 10)
            patch.setattr(indexer.zstdstream, "WHOLE_FRAME_BYTES", 0)
            held = scanned(scan, data)
        assert held.members == whole.members
        assert len(whole.needs) < len(held.needs) <= 2 * len(whole.needs) + 2


def test_one_huge_frame_is_told_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.formats.tar_zst, "DECODED_FRAME_BYTES", 50_000)
    assert scanned(scan, b"".join(framed(TAR, len(TAR)))).summary.facts["single_frame"] is True
    assert scanned(scan, b"".join(framed(TAR, len(TAR) // 2))).summary.facts["single_frame"] is False


def test_an_archive_cut_anywhere_is_damage_that_tells_where() -> None:
    data = b"".join(framed(TAR, 8192))
    for kept in (*range(200), *range(200, len(data), 997), len(data) - 1):
        with pytest.raises(ArchiveDamaged) as caught:
            scanned(scan, data[:kept])
        assert 0 <= int(caught.value.facts["offset"]) <= kept


def test_a_frame_whose_checksum_does_not_hold_is_damage_at_its_offset() -> None:
    frames = framed(TAR, 8192)
    frames[2] = frames[2][:-1] + bytes([frames[2][-1] ^ 1])
    with pytest.raises(ArchiveDamaged, match="does not decode") as caught:
        scanned(scan, b"".join(frames))
    assert caught.value.facts["offset"] == len(frames[0]) + len(frames[1])


def test_what_is_no_zstd_or_no_tar_is_damage() -> None:
    for data in (b"", b"hello there, this is text", b"".join(framed(b"no tar in here " * 100, 800)), b"".join(framed(b"", 1))):
        with pytest.raises(ArchiveDamaged):
            scanned(scan, data)
    with pytest.raises(ArchiveDamaged, match="no zstd frame"):
        scanned(scan, b"".join(framed(TAR, 8192)) + b"rubbish")


def test_a_frame_that_needs_a_dictionary_is_refused() -> None:
    samples: list[bytes | bytearray | memoryview[int]] = [
        b'{"id":%d,"host":"web-%d","status":200}' % (n, n % 9) for n in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, samples)
    with pytest.raises(ArchiveUnsupported, match="dictionary"):
        scanned(scan, zstandard.ZstdCompressor(dict_data=dictionary).compress(TAR))


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.zstdstream, "EXPANSION_FREE_BYTES", 1 << 20)
    with pytest.raises(LimitExceeded, match="bomb"):
        scanned(scan, b"".join(framed(tar_of({"bomb": bytes(20 << 20)}), 1 << 22)))
    assert scanned(scan, b"".join(framed(TAR, 8192))).summary.entries == len(FILES)


def test_one_member_across_too_many_tiny_frames_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer.decodedstream, "FRAMES_HELD", 100)
    with pytest.raises(LimitExceeded, match="one member lies in more than"):
        scanned(scan, b"".join(framed(tar_of({"cut": bytes(3000)}), 10)))
    assert scanned(scan, b"".join(framed(tar_of({"cut": bytes(300_000)}), 1024))).contents() == {"cut": bytes(300_000)}


SMALL = tar_of({"a": b"alpha" * 300, "folder/b": b"", "c": bytes(2000), "d": b"delta"})
SMALL_FRAMED = b"".join(framed(SMALL, 3000)) + seek_table(framed(SMALL, 3000))


@given(damaged(SMALL_FRAMED), st.sampled_from([REQUEST_BYTES, 70]))
@settings(max_examples=400, deadline=None)
def test_damage_is_a_named_error_or_the_same_members(data: bytes, request_bytes: int) -> None:
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


@given(damaged(SMALL), st.integers(1, 5000))
@settings(max_examples=400, deadline=None)
def test_a_damaged_tar_in_sound_frames_is_a_named_error_or_members_that_read(raw: bytes, frame_bytes: int) -> None:
    try:
        found = scanned(scan, b"".join(framed(raw, max(frame_bytes, len(raw) // 50))))
    except (ArchiveDamaged, LimitExceeded):
        return
    for member in found.members:
        if member.unreadable is None:
            assert len(found.read(member)) == member.size

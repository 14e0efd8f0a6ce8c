"""An archive of any tool becomes one of ours: the same members, read from front to back once, checked like any pack."""

import hashlib
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver.ordering import sorted_rows
from archiver.pack import Outcome, PackReport
from archiver.repack import repack
from archiver.settings import Format, PackSettings
from indexer.codecs import decoder
from indexer.errors import DestinationExists, MemberDamaged, SourceUnpackable
from indexer.limits import FRAME_STORED_BYTES_MOST, WHOLE_FRAME_BYTES
from indexer.model import Attributes, Codec, Extent, Frame, Member, Span
from indexer.rows import member_of, row
from tests.archiver.trees import KEEPING, bodies, members, odd_tree, pack_to, path_of, sample_tree, write_tree
from tests.indexer.formats.archives import GOLDEN
from tests.servers.ministack import Bucket


def repack_to(source: Path | str, destination: Path | str, **more: Any) -> PackReport:
    return repack(PackSettings(source=str(source), destination=str(destination), **{"threads": 2, **more}))


def one_frame(tmp_path: Path, tree: dict[str, bytes], names: list[str]) -> Path:
    """A tar of these files in this order, in one zstd frame."""
    source = write_tree(tmp_path / "in", tree)
    (tmp_path / "names").write_text("".join(f"{name}\0" for name in names))
    subprocess.run(
        ["tar", "--null", "--verbatim-files-from", "-cf", tmp_path / "x.tar", "-C", source, "-T", tmp_path / "names"],
        check=True,
        timeout=60,
    )
    path = tmp_path / "one.tar.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=1).compress((tmp_path / "x.tar").read_bytes()))
    return path


@pytest.mark.parametrize("kind", KEEPING)
def test_members_come_over_whole_whatever_their_order(tmp_path: Path, kind: Format) -> None:
    tree = {**sample_tree(300), **odd_tree()}
    archive = one_frame(tmp_path, tree, sorted(tree, key=lambda name: hashlib.md5(name.encode()).digest()))
    report = repack_to(archive, f"{tmp_path}/out/", format=kind)
    assert path_of(report).name == f"one-{report.sources[:8]}.{kind}"
    assert bodies(report) == tree
    told = members(report)
    assert {key: member.etag for key, member in told.items()} == {key: hashlib.md5(tree[key]).hexdigest() for key in tree}
    assert {key: member.mtime_s for key, member in told.items()} == {
        key: int((tmp_path / "in" / key).stat().st_mtime) for key in tree
    }
    assert not Path(f"{archive}.bindery").exists()


def test_a_single_frame_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoders: list[Codec] = []

    def counted(codec: Codec) -> Any:
        decoders.append(codec)
        return decoder(codec)

    monkeypatch.setattr("archiver.archives.decoder", counted)
    tree = {f"{number:04}": b"%08d" % number * 2000 for number in range(400)}
    archive = one_frame(tmp_path, tree, sorted(tree, reverse=True))
    assert sum(map(len, tree.values())) > WHOLE_FRAME_BYTES
    report = repack_to(archive, tmp_path / "out.tar.zst")
    assert decoders == [Codec.ZSTD]
    assert bodies(report) == tree
    stored = {extent.frame.stored_bytes for member in members(report).values() for extent in member.extents if extent.frame}
    assert max(stored) <= FRAME_STORED_BYTES_MOST


def test_what_the_old_archive_keeps_the_new_one_keeps(s3_bucket: Bucket, tmp_path: Path) -> None:
    env = s3_bucket.server.env
    for number in range(20):
        s3_bucket.put(f"in/{number}", b"%d" % number, ContentType="text/plain", Metadata={"number": str(number)})
    s3_bucket.put("in/marker/", b"")
    first = pack_to(f"{s3_bucket.url}/in/", f"{s3_bucket.url}/first.zip", format=Format.ZIP, env=env)
    second = repack_to(first.archive.url, f"{s3_bucket.url}/second.tgz", format=Format.TGZ, env=env)

    def kept(report: PackReport) -> dict[str, Any]:
        return {key: member._replace(extents=()) for key, member in members(report, env).items()}

    assert kept(second) == kept(first)
    assert bodies(second, env) == bodies(first, env)


@pytest.mark.parametrize(
    "name",
    [
        "gnutar_1.34_gzip.tar.gz",
        "gnutar_1.34_sparse.tar.zst",
        "gnutar_1.34_sparse-gnu.tar",
        "7zip_26.02_lzma.zip",
        "mksquashfs_4.5.1_xz.squashfs",
        "bzip2_1.0.8_joined.bz2",
    ],
)
def test_archives_of_other_tools_come_over_as_their_index_reads_them(tmp_path: Path, name: str) -> None:
    report = repack_to(GOLDEN / name, tmp_path / "out.tar.zst")
    again = repack_to(path_of(report), tmp_path / "again.zip", format=Format.ZIP)
    assert bodies(again) == bodies(report)
    assert report.members == len(bodies(report)) > 0


def test_a_rerun_finds_its_work_and_never_another_archive(tmp_path: Path) -> None:
    archive = GOLDEN / "infozip_3.0_deflate.zip"
    first = repack_to(archive, tmp_path / "x.tar.zst")
    assert repack_to(archive, tmp_path / "x.tar.zst").outcome is Outcome.ALREADY_PACKED
    Path(f"{path_of(first)}.bindery").unlink()
    assert repack_to(archive, tmp_path / "x.tar.zst").outcome is Outcome.RESUMED
    with pytest.raises(DestinationExists):
        repack_to(GOLDEN / "infozip_3.0_store.zip", tmp_path / "x.tar.zst")
    with pytest.raises(DestinationExists):
        repack_to(path_of(first), path_of(first))


def test_members_that_cannot_be_read_are_told_or_left_out(tmp_path: Path) -> None:
    archive = GOLDEN / "infozip_3.0_encrypted.zip"
    with pytest.raises(SourceUnpackable, match="cannot be read: encrypted"):
        repack_to(archive, tmp_path / "x.tar.zst")
    assert list(tmp_path.iterdir()) == []


def test_damage_is_never_packed(tmp_path: Path) -> None:
    """The new archive would have a right checksum of wrong bytes."""
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as file:
        file.writestr("a", b"first" * 100)
        file.writestr("large", bytes(6 << 20))
    data = bytearray((tmp_path / "bad.zip").read_bytes())
    data[data.index(b"first")] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(MemberDamaged, match="checksum"):
        repack_to(tmp_path / "bad.zip", tmp_path / "x.tar.zst")
    data[data.index(b"girst")] ^= 1
    data[4 << 20] ^= 1
    (tmp_path / "bad.zip").write_bytes(data)
    with pytest.raises(MemberDamaged, match="checksum"):
        repack_to(tmp_path / "bad.zip", tmp_path / "x.tar.zst")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.zip"]


FRAMES = st.builds(
    Frame,
    st.integers(0, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.sampled_from(Codec),
    st.integers(0, 9),
    st.just(Span(0, 0)) | st.just(Span(3, 7)),
    st.integers(0, 7),
)


@given(
    st.builds(
        Member,
        st.binary(min_size=1, max_size=9),
        st.integers(0, 99),
        st.integers(0, 99),
        st.lists(st.builds(Extent, st.none() | FRAMES, st.integers(0, 9), st.integers(1, 99)), max_size=3).map(tuple),
        st.none() | st.integers(0, 2**32 - 1),
        st.none() | st.text(max_size=3),
        st.builds(Attributes, st.none() | st.just("text/plain")),
        st.none() | st.just("encrypted"),
    )
)
def test_a_member_comes_back_from_its_row(member: Member) -> None:
    assert member_of(row(member)) == member


@given(st.lists(st.tuples(st.integers(0, 5), st.binary(max_size=2)), max_size=400), st.integers(1, 5))
@settings(max_examples=30)
def test_rows_are_sorted_as_in_memory(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], run_rows: int) -> None:
    assert list(sorted_rows(iter(rows), tmp_path_factory.getbasetemp(), run_rows=run_rows)) == sorted(rows)

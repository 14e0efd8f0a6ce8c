"""An archive that exists is put where it belongs once, whole, and indexed; a rerun completes what an earlier run began."""

import base64
import hashlib
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archiver import uploads
from archiver.install import Installed, InstallReport, InstallSettings, install
from archiver.settings import Format
from archiver.uploads import SentDigest, part_bytes
from indexer.drivers import run
from indexer.errors import (
    ArchiveDamaged,
    ArchiveUnsupported,
    DestinationExists,
    LocationInvalid,
    SettingInvalid,
    SourceChanged,
    StoreFailed,
)
from indexer.indexfile.reader import open_index
from indexer.limits import MIB
from indexer.source.route import RoutedSource
from tests.archiver.proxy import proxy
from tests.archiver.trees import pack_to, path_of, write_tree
from tests.servers.ministack import Bucket

GOLDEN = Path(__file__).parents[1] / "golden"
IMAGE = GOLDEN / "mksquashfs_4.5.1_zstd.squashfs"


def install_to(file: Path | str, destination: Path | str, env: dict[str, str] | None = None, **more: Any) -> InstallReport:
    return install(InstallSettings(str(file), str(destination), more.get("storage_class"), Path("/tmp"), env or {}))


def noise_zip(tmp_path: Path, length: int) -> Path:
    """A zip of that many bytes that do not shrink, and a little more."""
    source = write_tree(tmp_path / "in", {"noise": random.Random(1).randbytes(length), "one": b"1"})
    path = path_of(pack_to(source, tmp_path / "made.zip", format=Format.ZIP))
    Path(f"{path}.bindery").unlink()
    return path


def test_a_squashfs_carries_the_superblock_where_the_old_reader_looks(s3_bucket: Bucket) -> None:
    report = install_to(IMAGE, f"{s3_bucket.url}/archives/", s3_bucket.server.env, storage_class="GLACIER_IR")
    key = f"archives/{IMAGE.name}"
    assert (report.outcome, report.kind, report.archive.url) == (Installed.INSTALLED, "squashfs", f"{s3_bucket.url}/{key}")
    assert s3_bucket.keys() == [key, f"{key}.bindery"]
    head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key=key)
    assert base64.b64decode(head["Metadata"]["s3archivefs-superblock"]) == IMAGE.read_bytes()[:96]
    assert head["StorageClass"] == "GLACIER_IR"
    assert s3_bucket.get(key) == IMAGE.read_bytes()


def test_large_archives_go_in_parts_with_class_and_metadata(s3_bucket: Bucket, tmp_path: Path) -> None:
    path = noise_zip(tmp_path, 17 * MIB)
    report = install_to(path, f"{s3_bucket.url}/x.zip", s3_bucket.server.env, storage_class="STANDARD_IA")
    assert report.archive.etag.endswith("-3")
    assert s3_bucket.get("x.zip") == path.read_bytes()
    assert s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.zip")["StorageClass"] == "STANDARD_IA"
    index = run(open_index(report.index), RoutedSource(s3_bucket.server.env))
    assert (index.members, index.archive(report.archive.url)) == (2, report.archive)
    assert report.as_json()["members"] == 2


def test_a_rerun_says_that_all_is_there_and_completes_what_is_not(s3_bucket: Bucket) -> None:
    env = s3_bucket.server.env
    first = install_to(IMAGE, f"{s3_bucket.url}/x.squashfs", env)
    modified = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.squashfs")["LastModified"]
    again = install_to(IMAGE, f"{s3_bucket.url}/x.squashfs", env)
    assert (again.outcome, again.archive, again.summary) == (Installed.ALREADY_INSTALLED, first.archive, None)
    s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="x.squashfs.bindery")
    completed = install_to(IMAGE, f"{s3_bucket.url}/x.squashfs", env)
    assert (completed.outcome, completed.archive) == (Installed.RESUMED, first.archive)
    assert s3_bucket.keys() == ["x.squashfs", "x.squashfs.bindery"]
    assert s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.squashfs")["LastModified"] == modified


def test_another_object_of_that_name_is_left_alone(s3_bucket: Bucket) -> None:
    data = bytearray(IMAGE.read_bytes())
    data[-1] ^= 1
    for other in (b"other", bytes(data)):
        s3_bucket.put("x.squashfs", other)
        with pytest.raises(DestinationExists):
            install_to(IMAGE, f"{s3_bucket.url}/x.squashfs", s3_bucket.server.env)
        assert (s3_bucket.keys(), s3_bucket.get("x.squashfs")) == (["x.squashfs"], other)


def test_an_object_whose_etag_tells_nothing_is_compared_byte_by_byte(s3_bucket: Bucket) -> None:
    client = s3_bucket.client
    upload = client.create_multipart_upload(Bucket=s3_bucket.name, Key="x.squashfs")["UploadId"]
    part = client.upload_part(Bucket=s3_bucket.name, Key="x.squashfs", UploadId=upload, PartNumber=1, Body=IMAGE.read_bytes())
    client.complete_multipart_upload(
        Bucket=s3_bucket.name,
        Key="x.squashfs",
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    report = install_to(IMAGE, f"{s3_bucket.url}/x.squashfs", s3_bucket.server.env)
    assert (report.outcome, report.archive.etag[-2:]) == (Installed.RESUMED, "-1")


def test_what_is_no_archive_is_not_uploaded_and_what_is_damaged_does_not_stay(s3_bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to unpack")
    (tmp_path / "cut.zip").write_bytes((GOLDEN / "infozip_3.0_deflate.zip").read_bytes()[:3000])
    with pytest.raises(ArchiveUnsupported):
        install_to(tmp_path / "notes.txt", f"{s3_bucket.url}/", s3_bucket.server.env)
    with pytest.raises(ArchiveDamaged):
        install_to(tmp_path / "cut.zip", f"{s3_bucket.url}/", s3_bucket.server.env)
    assert s3_bucket.keys() == []


def test_an_upload_that_fails_leaves_nothing(s3_bucket: Bucket, tmp_path: Path) -> None:
    path = noise_zip(tmp_path, 17 * MIB)
    with proxy(s3_bucket.server) as between:
        between.spoil = lambda number, name: "refuse" if "partNumber=2" in name else ""
        with pytest.raises(Exception, match="refused"):
            install_to(path, f"{s3_bucket.url}/x.zip", between.env(s3_bucket.server))
    assert (s3_bucket.keys(), s3_bucket.uploads()) == ([], [])


def test_a_file_that_changes_meanwhile_is_noticed(s3_bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = noise_zip(tmp_path, 17 * MIB)
    whole = SentDigest.update

    def changes(digest: SentDigest, data: bytes) -> None:
        whole(digest, data)
        with path.open("ab") as file:
            file.write(b"more")

    monkeypatch.setattr(SentDigest, "update", changes)
    with pytest.raises(SourceChanged):
        install_to(path, f"{s3_bucket.url}/x.zip", s3_bucket.server.env)
    assert (s3_bucket.keys(), s3_bucket.uploads()) == ([], [])


def test_a_folder_is_a_destination_too(tmp_path: Path) -> None:
    report = install_to(IMAGE, f"{tmp_path}/shelf/")
    assert (tmp_path / "shelf" / IMAGE.name).read_bytes() == IMAGE.read_bytes()
    assert install_to(IMAGE, tmp_path / "shelf" / IMAGE.name).outcome is Installed.ALREADY_INSTALLED
    assert sorted(path.name for path in (tmp_path / "shelf").iterdir()) == [IMAGE.name, f"{IMAGE.name}.bindery"]
    assert report.summary is not None
    shutil.copy(GOLDEN / "infozip_3.0_deflate.zip", tmp_path / "other")
    with pytest.raises(DestinationExists):
        install_to(tmp_path / "other", tmp_path / "shelf" / IMAGE.name)


def test_settings_that_cannot_work_are_told_before_anything_is_read() -> None:
    with pytest.raises(SettingInvalid, match="DEEP_ARCHIVE"):
        install_to(IMAGE, "s3://bucket/x", storage_class="DEEP_ARCHIVE")
    with pytest.raises(SettingInvalid, match="files have no storage class"):
        install_to(IMAGE, "/tmp/x", storage_class="STANDARD")
    with pytest.raises(LocationInvalid, match="only a local file"):
        install_to("s3://bucket/x.zip", "s3://bucket/y.zip")
    with pytest.raises(StoreFailed):
        install_to(
            IMAGE,
            "s3://bucket/x",
            {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        )


@given(length=st.integers(0, 60), cuts=st.lists(st.integers(1, 9), max_size=30))
@settings(max_examples=60)
def test_the_digest_is_the_etag_of_the_parts_that_are_sent(length: int, cuts: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uploads, "FIRST_PART_BYTES", 4)
        patch.setattr(uploads, "PARTS_OF_A_SIZE", 3)
        data, digest, at = bytes(range(length)), SentDigest(), 0
        for cut in cuts:
            digest.update(data[at : at + cut])
            at += cut
        digest.update(data[at:])
        parts: list[bytes] = []
        at = 0
        while at < length:
            taken = data[at : at + part_bytes(len(parts) + 1)]
            parts.append(hashlib.md5(taken).digest())
            at += len(taken)
        simple = length < 4
        expected = hashlib.md5(data).hexdigest() if simple else f"{hashlib.md5(b''.join(parts)).hexdigest()}-{len(parts)}"
        assert digest.etag == expected

"""Whole packs of buckets: everything S3 keeps of an object comes back, wherever the archive lies."""

import hashlib
from pathlib import Path

import pytest

from archiver.pack import Outcome
from archiver.settings import Format, Names
from indexer.errors import DestinationExists, ObjectMissing, SettingInvalid, SourceEmpty, SourceUnpackable
from indexer.model import Attributes
from tests.archiver.trees import KEEPING, bodies, members, pack_to, sample_tree
from tests.servers.ministack import Bucket


@pytest.mark.parametrize("kind", KEEPING)
def test_a_prefix_is_packed_and_each_member_served_as_it_was(s3_bucket: Bucket, kind: Format) -> None:
    tree = sample_tree(60)
    etags = {key: s3_bucket.put(f"logs/{key}", body) for key, body in tree.items()}
    s3_bucket.put("logs-of-another-kind/x", b"not below logs/")
    env = s3_bucket.server.env
    report = pack_to(f"{s3_bucket.url}/logs", f"{s3_bucket.url}/archives/", format=kind, env=env)
    assert report.outcome is Outcome.PACKED
    assert (report.members, report.bytes) == (60, sum(map(len, tree.values())))
    assert report.archive.url == f"{s3_bucket.url}/archives/logs-{report.sources[:8]}.{kind}"
    assert s3_bucket.keys("archives/") == sorted(
        url.removeprefix(f"{s3_bucket.url}/") for url in (report.archive.url, report.index)
    )
    assert bodies(report, env) == tree
    assert {key: member.etag for key, member in members(report, env).items()} == etags
    assert s3_bucket.uploads() == []


@pytest.mark.parametrize("kind", KEEPING)
def test_attributes_times_and_etags_come_back(s3_bucket: Bucket, tmp_path: Path, kind: Format) -> None:
    s3_bucket.put("in/plain", b"p", ContentType="binary/octet-stream")
    s3_bucket.put(
        "in/rich",
        b"r",
        ContentType="text/x-log",
        ContentEncoding="gzip",
        ContentLanguage="de",
        ContentDisposition='attachment; filename="a b"',
        CacheControl="no-store",
        Metadata={"Colour": "blue", "empty": "", "odd-1": "x=y;z"},
    )
    for number in range(20):
        s3_bucket.put(f"in/typed-{number:02d}", b"t", ContentType="text/plain")
    for number in range(5):
        s3_bucket.put(f"in/unique-{number}", b"u", Metadata={"number": str(number)})
    s3_bucket.put("in/marker/", b"", ContentType="binary/octet-stream")
    client = s3_bucket.client
    upload = client.create_multipart_upload(Bucket=s3_bucket.name, Key="in/parts")["UploadId"]
    part = client.upload_part(Bucket=s3_bucket.name, Key="in/parts", UploadId=upload, PartNumber=1, Body=b"in parts")["ETag"]
    client.complete_multipart_upload(
        Bucket=s3_bucket.name, Key="in/parts", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]}
    )
    env = s3_bucket.server.env
    found = members(pack_to(f"{s3_bucket.url}/in/", tmp_path / "archives/x", format=kind, env=env))
    listed = client.list_objects_v2(Bucket=s3_bucket.name, Prefix="in/")["Contents"]
    assert {key: (m.size, m.etag, m.mtime_s) for key, m in found.items()} == {
        entry["Key"].removeprefix("in/"): (entry["Size"], entry["ETag"].strip('"'), int(entry["LastModified"].timestamp()))
        for entry in listed
    }
    assert found["parts"].etag == hashlib.md5(hashlib.md5(b"in parts").digest()).hexdigest() + "-1"
    assert found["plain"].attributes == found["marker/"].attributes == Attributes()
    assert found["rich"].attributes == Attributes(
        content_type="text/x-log",
        content_encoding="gzip",
        content_language="de",
        content_disposition='attachment; filename="a b"',
        cache_control="no-store",
        metadata=(("colour", "blue"), ("empty", ""), ("odd-1", "x=y;z")),
    )
    assert {found[f"typed-{number:02d}"].attributes for number in range(20)} == {Attributes(content_type="text/plain")}
    assert [found[f"unique-{number}"].attributes.metadata for number in range(5)] == [(("number", str(n)),) for n in range(5)]


def test_keys_that_obstore_cannot_name_are_read_all_the_same(s3_bucket: Bucket, tmp_path: Path) -> None:
    tree = {"a//b": b"empty segment", "a/./b": b"dot", "tab\tkey": b"control", "plus+ space%2Fé": b"escapes", "end//": b""}
    for key, body in tree.items():
        s3_bucket.put(f"in/{key}", body, ContentType="text/plain", Metadata={"of": "it"})
    report = pack_to(f"{s3_bucket.url}/in", tmp_path / "x.zip", format=Format.ZIP, env=s3_bucket.server.env)
    assert bodies(report) == tree
    assert {member.attributes for member in members(report).values()} == {Attributes("text/plain", metadata=(("of", "it"),))}


def test_members_are_called_by_whole_keys_when_asked(s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.put("in/a", b"1")
    report = pack_to(f"{s3_bucket.url}/in", tmp_path / "x.zip", format=Format.ZIP, names=Names.KEY, env=s3_bucket.server.env)
    assert bodies(report) == {"in/a": b"1"}


def test_keys_no_archive_can_hold_are_refused_together_or_left_out(s3_bucket: Bucket, tmp_path: Path) -> None:
    for key in ("in/a/../b", "in//lead", "in/./x", "in/folder/"):
        s3_bucket.put(key, b"bytes")
    s3_bucket.put("in/good", b"good")
    env = s3_bucket.server.env
    with pytest.raises(SourceUnpackable, match="4 keys cannot be packed") as refused:
        pack_to(f"{s3_bucket.url}/in", tmp_path / "out/x.zip", format=Format.ZIP, env=env)
    assert "in/folder/" in str(refused.value)
    assert not (tmp_path / "out").exists()
    report = pack_to(f"{s3_bucket.url}/in", tmp_path / "x.zip", format=Format.ZIP, leave_out_unpackable=True, env=env)
    assert (bodies(report), sum(report.left_out.values())) == ({"good": b"good"}, 4)


def test_nothing_to_pack_says_what_was_looked_for(s3_bucket: Bucket, tmp_path: Path) -> None:
    s3_bucket.put("logs-2022", b"begins alike")
    with pytest.raises(SourceEmpty, match=f"No key begins with {s3_bucket.url}/logs/"):
        pack_to(f"{s3_bucket.url}/logs", tmp_path / "x.zip", env=s3_bucket.server.env)
    with pytest.raises(ObjectMissing, match="no such bucket"):
        pack_to("s3://no-such-bucket-anywhere/", tmp_path / "x.zip", env=s3_bucket.server.env)


def test_an_archive_is_never_written_among_its_sources(s3_bucket: Bucket) -> None:
    s3_bucket.put("in/a", b"1")
    for destination in ("in/x.zip", "in/deeper/"):
        with pytest.raises(SettingInvalid, match="among its own sources"):
            pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/{destination}", env=s3_bucket.server.env)


def test_a_rerun_finds_its_finished_work_and_writes_nothing(s3_bucket: Bucket) -> None:
    s3_bucket.put("in/a", b"1")
    env = s3_bucket.server.env
    first = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", format=Format.ZIP, env=env)
    again = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", format=Format.ZIP, env=env)
    assert (again.outcome, again.archive) == (Outcome.ALREADY_PACKED, first.archive)
    s3_bucket.put("in/a", b"2")
    other = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", format=Format.ZIP, env=env)
    assert (other.outcome, len(s3_bucket.keys("out/"))) == (Outcome.PACKED, 4)


@pytest.mark.parametrize("kind", KEEPING)
def test_an_archive_without_index_is_compared_with_its_sources_and_completed(s3_bucket: Bucket, kind: Format) -> None:
    tree = sample_tree(20)
    for key, body in tree.items():
        s3_bucket.put(f"in/{key}", body)
    env = s3_bucket.server.env
    first = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/archive", format=kind, env=env)
    index = first.index.removeprefix(f"{s3_bucket.url}/")
    before = s3_bucket.get(index)
    s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key=index)
    again = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/archive", format=kind, env=env)
    assert (again.outcome, again.archive) == (Outcome.RESUMED, first.archive)
    assert s3_bucket.get(index) == before
    assert bodies(again, env) == tree


def test_what_is_not_our_own_work_is_left_as_it_is(s3_bucket: Bucket) -> None:
    s3_bucket.put("in/a", b"1")
    s3_bucket.put("out/x.zip", b"something else")
    with pytest.raises(DestinationExists):
        pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/x.zip", format=Format.ZIP, env=s3_bucket.server.env)
    assert (s3_bucket.get("out/x.zip"), s3_bucket.keys("out/")) == (b"something else", ["out/x.zip"])


def test_an_index_left_from_another_archive_is_replaced(s3_bucket: Bucket) -> None:
    s3_bucket.put("in/a", b"1")
    s3_bucket.put("out/x.zip.bindery", b"rubbish")
    env = s3_bucket.server.env
    report = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/x.zip", format=Format.ZIP, env=env)
    assert bodies(report, env) == {"a": b"1"}

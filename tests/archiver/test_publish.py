"""Objects appear whole or not at all, never over another's, and leave nothing behind."""

import errno
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from archiver import uploads
from archiver.buckets import Buckets
from archiver.publish import FilePublication, remove_file
from archiver.uploads import ObjectPublication, abort_uploads, part_bytes, remove_object
from indexer.errors import AccessRefused, DestinationExists, DiskFull, StoreFailed
from indexer.limits import MIB
from indexer.model import Identity
from indexer.source.local import LocalSource
from indexer.source.settings import StoreSettings
from tests.servers.ministack import Bucket

GIB = 1024 * MIB


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class TestFile:
    def test_it_appears_when_published_and_not_before(self, tmp_path: Path) -> None:
        publication = FilePublication(f"file://{tmp_path}/new/folder/x")
        publication.write(b"one ")
        publication.write(b"two")
        assert not (tmp_path / "new/folder/x").exists()
        made = publication.publish()
        assert (tmp_path / "new/folder/x").read_bytes() == b"one two"
        assert made == LocalSource().head(made.url).identity
        assert names(tmp_path / "new/folder") == ["x"]

    def test_discarded_it_leaves_nothing(self, tmp_path: Path) -> None:
        publication = FilePublication(f"file://{tmp_path}/x")
        publication.write(b"one")
        publication.discard()
        publication.discard()
        assert names(tmp_path) == []

    def test_another_file_of_its_name_is_left_as_it_is(self, tmp_path: Path) -> None:
        publication = FilePublication(f"file://{tmp_path}/x")
        (tmp_path / "x").write_bytes(b"other")
        with pytest.raises(DestinationExists):
            publication.publish()
        publication.discard()
        assert (names(tmp_path), (tmp_path / "x").read_bytes()) == (["x"], b"other")

    def test_it_takes_the_place_of_the_version_it_was_told_of_and_no_other(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"old")
        old = LocalSource().head(f"file://{tmp_path}/x").identity
        first = FilePublication(old.url, replaces=old)
        second = FilePublication(old.url, replaces=old)
        first.write(b"newer")
        first.publish()
        with pytest.raises(DestinationExists):
            second.publish()
        second.discard()
        assert (names(tmp_path), (tmp_path / "x").read_bytes()) == (["x"], b"newer")

    def test_parts_of_dead_writers_are_removed_and_those_of_living_ones_kept(self, tmp_path: Path) -> None:
        dead = tmp_path / ".x[1].99999-00000000.bindery-part"
        dead.write_bytes(b"left behind")
        alive = FilePublication(f"file://{tmp_path}/x[1]")
        other = FilePublication(f"file://{tmp_path}/x[1]")
        assert not dead.exists()
        other.discard()
        alive.write(b"1")
        alive.publish()
        assert names(tmp_path) == ["x[1]"]

    def test_a_folder_that_may_not_be_written_is_told_as_that(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_arguments: Any) -> int:
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr("os.open", refuse)
        with pytest.raises(AccessRefused, match="this folder may not be written"):
            FilePublication(f"file://{tmp_path}/x")

    def test_a_full_disk_is_one_clear_error(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        publication = FilePublication(f"file://{tmp_path}/x")

        def full(file: int, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("os.write", full)
        with pytest.raises(DiskFull, match="no room for x"):
            publication.write(b"1")
        publication.discard()
        assert names(tmp_path) == []

    def test_it_is_removed_only_while_it_is_the_version_meant(self, tmp_path: Path) -> None:
        (tmp_path / "x").write_bytes(b"1")
        of = LocalSource().head(f"file://{tmp_path}/x").identity
        remove_file(Identity(of.url, "0-0", of.size))
        assert (tmp_path / "x").exists()
        remove_file(of)
        assert not (tmp_path / "x").exists()


@pytest.fixture
def buckets(s3_bucket: Bucket) -> Buckets:
    """What reaches the emulator."""
    return Buckets(StoreSettings.read(s3_bucket.server.env), requests=4)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 1 MiB, which the emulator takes, so that tests need no large bodies."""
    monkeypatch.setattr(uploads, "FIRST_PART_BYTES", MIB)


@pytest.fixture
def publication(s3_bucket: Bucket, buckets: Buckets, tmp_path: Path) -> Iterator[ObjectPublication]:
    """An object on its way; discarded at the end as every caller does."""
    made = ObjectPublication(f"{s3_bucket.url}/x.zip", buckets, scratch=tmp_path, most_bytes=8 * MIB)
    yield made
    made.discard()


def pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield bytes([number % 251]) * 300_000


def test_parts_of_every_number_fit_the_largest_object() -> None:
    assert sum(part_bytes(number) for number in range(1, 10_001)) > 5 * 1024 * GIB
    assert part_bytes(10_000) <= 5 * GIB
    assert sum(part_bytes(number) for number in range(1, 1001)) < 8 * GIB + 1


@pytest.mark.usefixtures("small_parts")
class TestObject:
    def test_a_small_one_is_put_with_one_request(self, publication: ObjectPublication, s3_bucket: Bucket) -> None:
        publication.write(b"small")
        made = publication.publish()
        head = s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.zip")
        assert (s3_bucket.get("x.zip"), made.etag, made.size) == (b"small", head["ETag"].strip('"'), 5)
        assert head["ContentType"] == "application/zip"
        assert "-" not in made.etag

    def test_a_large_one_comes_in_parts_and_whole(self, publication: ObjectPublication, s3_bucket: Bucket) -> None:
        for piece in pieces(20):
            publication.write(piece)
        assert s3_bucket.keys() == []
        made = publication.publish()
        assert s3_bucket.get("x.zip") == b"".join(pieces(20))
        assert made.etag == s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.zip")["ETag"].strip('"')
        assert (made.etag.endswith("-6"), s3_bucket.uploads()) == (True, [])

    def test_parts_beyond_memory_wait_on_disk(
        self, publication: ObjectPublication, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(uploads, "MEMORY_PART_BYTES", MIB // 2)
        for piece in pieces(10):
            publication.write(piece)
        publication.publish()
        assert s3_bucket.get("x.zip") == b"".join(pieces(10))

    @pytest.mark.parametrize("count", [1, 10])
    def test_another_object_of_its_key_is_left_as_it_is(
        self, publication: ObjectPublication, s3_bucket: Bucket, count: int
    ) -> None:
        for piece in pieces(count):
            publication.write(piece)
        s3_bucket.put("x.zip", b"other")
        with pytest.raises(DestinationExists):
            publication.publish()
        publication.discard()
        assert (s3_bucket.get("x.zip"), s3_bucket.uploads()) == (b"other", [])

    def test_discarded_it_leaves_nothing(self, publication: ObjectPublication, s3_bucket: Bucket) -> None:
        for piece in pieces(10):
            publication.write(piece)
        publication.discard()
        assert (s3_bucket.keys(), s3_bucket.uploads()) == ([], [])

    @pytest.mark.parametrize("count", [1, 10])
    def test_a_lost_answer_to_the_last_call_is_looked_up(
        self, publication: ObjectPublication, buckets: Buckets, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch, count: int
    ) -> None:
        call = "put_object" if count == 1 else "complete_multipart_upload"
        real = getattr(buckets.client, call)

        def lost(**request: Any) -> Any:
            real(**request)
            raise ReadTimeoutError(endpoint_url="http://store")

        monkeypatch.setattr(buckets.client, call, lost)
        for piece in pieces(count):
            publication.write(piece)
        made = publication.publish()
        assert s3_bucket.get("x.zip") == b"".join(pieces(count))
        assert made.etag == s3_bucket.client.head_object(Bucket=s3_bucket.name, Key="x.zip")["ETag"].strip('"')

    def test_no_answer_and_no_object_is_a_failure(
        self, publication: ObjectPublication, buckets: Buckets, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def dead(**request: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="http://store")

        monkeypatch.setattr(buckets.client, "complete_multipart_upload", dead)
        for piece in pieces(10):
            publication.write(piece)
        with pytest.raises(StoreFailed):
            publication.publish()
        publication.discard()
        assert (s3_bucket.keys(), s3_bucket.uploads()) == ([], [])

    def test_a_failed_part_fails_it_all(
        self, publication: ObjectPublication, buckets: Buckets, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, sent = buckets.client.upload_part, threading.Semaphore(3)

        def refuse(**request: Any) -> Any:
            if sent.acquire(blocking=False):
                return real(**request)
            raise ClientError({"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "UploadPart")  # type: ignore[typeddict-item]

        monkeypatch.setattr(buckets.client, "upload_part", refuse)
        with pytest.raises(AccessRefused):  # noqa: PT012 - which of the calls meets the failure is up to the threads
            for piece in pieces(40):
                publication.write(piece)
            publication.publish()
        publication.discard()
        assert (s3_bucket.keys(), s3_bucket.uploads()) == ([], [])

    def test_uploads_of_killed_runs_of_the_same_work_are_ended_and_others_left(
        self, publication: ObjectPublication, s3_bucket: Bucket
    ) -> None:
        body = b"".join(pieces(10))
        client = s3_bucket.client
        for key, first in (("x.zip", body[:MIB]), ("x.zip", b"someone else's"), ("x.zip.more", body[:MIB])):
            upload = client.create_multipart_upload(Bucket=s3_bucket.name, Key=key)["UploadId"]
            client.upload_part(Bucket=s3_bucket.name, Key=key, UploadId=upload, PartNumber=1, Body=first)
        publication.write(body)
        publication.publish()
        assert sorted(s3_bucket.uploads()) == ["x.zip", "x.zip.more"]

    def test_all_uploads_to_a_derived_key_are_ended(self, buckets: Buckets, s3_bucket: Bucket) -> None:
        for key in ("x-01234567.zip", "x-01234567.zip", "x-01234567.zip.bindery"):
            s3_bucket.client.create_multipart_upload(Bucket=s3_bucket.name, Key=key)
        abort_uploads(buckets, f"{s3_bucket.url}/x-01234567.zip")
        assert s3_bucket.uploads() == ["x-01234567.zip.bindery"]

    def test_it_is_removed_only_while_it_is_the_version_meant(self, buckets: Buckets, s3_bucket: Bucket) -> None:
        url, etag = f"{s3_bucket.url}/k", s3_bucket.put("k", b"1")
        remove_object(buckets, Identity(url, "another", 1))
        assert s3_bucket.keys() == ["k"]
        remove_object(buckets, Identity(url, etag, 1))
        remove_object(buckets, Identity(url, etag, 1))
        assert s3_bucket.keys() == []

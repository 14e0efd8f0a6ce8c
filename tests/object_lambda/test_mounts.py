"""Mounts: whose key is whose."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import LocationInvalid, SettingInvalid
from object_lambda.mount_table import parse_mount
from object_lambda.mounts import Mount, Mounts
from object_lambda.s3_errors import NoSuchBucket
from object_lambda.vmap import parse_entry
from tests.object_lambda.made_archives import mount

PLACES = st.lists(st.text("ab/", max_size=4).map(lambda text: text.strip("/")), min_size=1, max_size=6, unique=True)


@given(places=PLACES, key=st.text("ab/0", max_size=6))
def test_the_longest_prefix_that_ends_at_a_slash_answers(places: list[str], key: str) -> None:
    mounts = Mounts(mount(f"bucket/{place}" if place else "bucket", f"s3://archives/{place or 'top'}") for place in places)
    covering = [place for place in places if not place or key.startswith(f"{place}/")]
    expected = f"s3://archives/{max(covering, key=len) or 'top'}" if covering else None
    found = mounts.covering("bucket", key.encode())
    assert (found.archive if found else None) == expected


@given(places=PLACES)
def test_segments_follow_one_another_without_overlap(places: list[str]) -> None:
    mounts = Mounts(mount(f"bucket/{place}" if place else "bucket") for place in places)
    at: bytes | None = b""
    seen = set()
    while at is not None and (segment := mounts.segment("bucket", at)) is not None:
        assert segment.start >= at
        assert segment.stop is None or segment.start < segment.stop
        seen.add(segment.mount.prefix)
        at = segment.stop
    assert seen == {f"{place}/".encode() if place else b"" for place in places}


def test_a_bucket_that_is_not_mounted_is_unknown() -> None:
    mounts = Mounts([mount("b"), mount("a/x")])
    assert mounts.buckets() == ["a", "b"]
    with pytest.raises(NoSuchBucket):
        mounts.covering("c", b"key")


def test_two_archives_at_one_place_are_refused() -> None:
    with pytest.raises(SettingInvalid, match="two archives"):
        Mounts([mount("bucket/a"), mount("bucket/b"), mount("bucket/a", "s3://archives/two")])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bucket=s3://abc/b.zip", Mount("bucket", b"", "s3://abc/b.zip", "s3://abc/b.zip.bindery")),
        ("bucket/p/q=s3://abc/b", Mount("bucket", b"p/q/", "s3://abc/b", "s3://abc/b.bindery")),
        ("bucket/p/=s3://abc/b", Mount("bucket", b"p/", "s3://abc/b", "s3://abc/b.bindery")),
        ("bucket/=s3://abc/b", Mount("bucket", b"", "s3://abc/b", "s3://abc/b.bindery")),
        ("bucket/year=2024=s3://abc/b=c", Mount("bucket", b"year=2024/", "s3://abc/b=c", "s3://abc/b=c.bindery")),
        ("bucket=/tmp/a=b.zip", Mount("bucket", b"", "file:///tmp/a=b.zip", "file:///tmp/a=b.zip.bindery")),
        ("bucket/ü=file:///x", Mount("bucket", "ü/".encode(), "file:///x", "file:///x.bindery")),
    ],
)
def test_a_mount_is_read_as_people_write_it(text: str, expected: Mount) -> None:
    assert parse_mount(text) == expected


def test_a_relative_archive_lies_in_the_working_folder(tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert parse_mount("bucket=a.zip").archive == f"file://{tmp_path}/a.zip"
    assert parse_mount("bucket/x=1=./a.zip").prefix == b"x=1/"


@pytest.mark.parametrize(
    ("url", "is_catalog"),
    [
        ("s3://abc/logs.bindery-catalog", True),
        ("./logs.bindery-catalog", True),
        ("s3://abc/logs.zip", False),
        ("s3://abc/logs.bindery-catalog.zip", False),
    ],
)
def test_a_catalog_is_known_by_its_suffix_in_both_tables(url: str, is_catalog: bool) -> None:
    assert parse_mount(f"bucket/p={url}").is_catalog is is_catalog
    if "://" in url:
        assert parse_entry(f"p|{url}").is_catalog is is_catalog


@pytest.mark.parametrize("text", ["", "bucket", "=s3://abc/b", "/p=s3://abc/b", "bucket="])
def test_what_is_no_mount_says_how_to_write_one(text: str) -> None:
    with pytest.raises(SettingInvalid, match=r"BUCKET\[/PREFIX\]=ARCHIVE"):
        parse_mount(text)


def test_an_archive_elsewhere_than_we_can_read_is_refused() -> None:
    with pytest.raises(LocationInvalid):
        parse_mount("bucket=ftp://host/file")

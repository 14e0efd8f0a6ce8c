"""One spelling for every URL."""

import os
import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer import urls
from indexer.errors import LocationInvalid

KEYS = st.text(st.sampled_from("ab/.#?%20 +&=~é日:\\*\n"), min_size=1, max_size=30)
PATHS = st.text(st.sampled_from("ab/. #?%~é"), min_size=1, max_size=30)


@given(key=KEYS)
def test_a_key_is_kept_as_it_is_and_parsing_again_changes_nothing(key: str) -> None:
    url = urls.parse(f"s3://bucket/{key}")
    assert urls.split(url) == ("s3", "bucket", key)
    assert urls.parse(url) == url == urls.parse_prefix(url)


@given(path=PATHS)
def test_a_path_has_one_spelling_and_it_names_the_same_file(path: str) -> None:
    folder = urls.parse_prefix(path)
    assert urls.parse_prefix(folder) == folder
    assert folder.startswith("file:///")
    assert folder.endswith("/")
    assert "//" not in urls.local_path(folder)
    usual = os.path.abspath(re.sub("^/+", "/", path))  # noqa: PTH100 - the reference: POSIX keeps two leading slashes, we do not
    assert urls.local_path(folder).rstrip("/") == usual.rstrip("/")
    try:
        url = urls.parse(path)
    except LocationInvalid:
        assert path.endswith(("/", "/.", "/..")) or path in (".", "..")
    else:
        assert urls.parse(url) == url == folder.rstrip("/")


@given(text=st.text(max_size=40))
def test_any_text_is_a_location_or_one_clear_error(text: str) -> None:
    with suppress(LocationInvalid):
        url = urls.parse(text)
        assert urls.parse(url) == url


def test_dot_dot_after_a_link_is_the_folder_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "real" / "a.zip").write_bytes(b"right")
    (tmp_path / "a.zip").write_bytes(b"wrong")
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    assert urls.local_path(urls.parse(f"{tmp_path}/link/../a.zip")) == str(tmp_path.resolve() / "real" / "a.zip")


def test_a_link_that_is_not_left_again_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert urls.parse(f"{tmp_path}/link/a.zip") == f"file://{tmp_path}/link/a.zip"


def test_a_relative_path_begins_at_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert urls.parse("./x//y.zip") == f"file://{tmp_path}/x/y.zip"
    assert urls.parse("~/y.zip") == f"file://{tmp_path}/~/y.zip"
    assert urls.parse_prefix(".") == f"file://{tmp_path}/"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "Write s3://"),
        ("s3://", "no bucket"),
        ("s3:///key", "no bucket"),
        ("s3://bucket", "Add the key"),
        ("s3://bucket/", "Add the key"),
        ("s3://buc ket/key", "name of a bucket"),
        ("s3://arn:aws:s3:us-east-1:1:accesspoint/p/key", "alias"),
        ("s3://bucket/" + "é" * 513, "1024 bytes"),
        ("s3:/bucket/key", "Write s3://"),
        ("arn:aws:s3:::bucket/key", "Write s3://"),
        ("https://bucket.s3.amazonaws.com/key", "https://"),
        ("file://relative", "three slashes"),
        ("file:/path", "file:///path"),
        ("/a/folder/", "folder"),
        ("/a/..", "folder"),
        ("a\0b", "NUL"),
        ("a\udcff", "UTF-8"),
    ],
)
def test_what_names_no_object_is_refused_with_the_right_spelling(text: str, word: str) -> None:
    with pytest.raises(LocationInvalid, match=word) as raised:
        urls.parse(text)
    assert raised.value.hint


def test_the_scheme_is_the_same_in_capitals() -> None:
    assert (urls.parse("S3://Bucket/Key"), urls.parse("FILE:///a")) == ("s3://Bucket/Key", "file:///a")


def test_a_bucket_and_the_root_folder_are_prefixes() -> None:
    assert urls.parse_prefix("s3://bucket") == urls.parse_prefix("s3://bucket/") == "s3://bucket/"
    assert urls.parse_prefix("s3://bucket/logs") == "s3://bucket/logs"
    assert urls.parse_prefix("/") == urls.parse_prefix("file:///") == "file:///"


@pytest.mark.parametrize(
    ("prefix", "joined"),
    [("s3://b/", "s3://b/n"), ("s3://b/p", "s3://b/p/n"), ("file:///", "file:///n"), ("file:///d/", "file:///d/n")],
)
def test_a_name_is_joined_with_one_slash(prefix: str, joined: str) -> None:
    assert urls.join(prefix, "n") == joined


def test_names_and_index_locations() -> None:
    assert [urls.name(url) for url in ("s3://b/a/x.zip", "s3://b/x", "file:///d/x.zip", "file:///d/", "file:///", "s3://b/")] == [
        "x.zip",
        "x",
        "x.zip",
        "d",
        "",
        "",
    ]
    assert urls.index_url("s3://b/a.tar.zst") == "s3://b/a.tar.zst.bindery"


def test_only_a_file_has_a_local_path() -> None:
    assert urls.local_path("file:///a#b") == "/a#b"
    with pytest.raises(LocationInvalid, match="local file"):
        urls.local_path("s3://b/k")

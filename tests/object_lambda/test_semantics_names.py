"""What docs/semantics.md claims about names in archives that others have made."""

import warnings
from io import BytesIO
from pathlib import Path
from zipfile import ZipFile, ZipInfo

import pytest

from indexer.build import build_index
from indexer.drivers import run
from indexer.source.memory import MemorySource
from indexer.urls import index_url
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.s3_errors import NoSuchKey
from object_lambda.service import Service
from tests.object_lambda.made_archives import Made, mount, service_of, service_over

URL = "s3://archives/foreign.zip"


def service_of_zip(entries: list[tuple[str, bytes]], scratch: Path) -> tuple[Service, MemorySource]:
    """Writes a zip with Python's zipfile, indexes it where it lies, and serves it."""
    data = BytesIO()
    with ZipFile(data, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a name is there twice is what one test is about
        for name, body in entries:
            archive.writestr(ZipInfo(name), body)
    objects = {URL: data.getvalue()}
    index: list[bytes] = []
    build_index(URL, MemorySource(objects), index.append, scratch=scratch)
    objects[index_url(URL)] = b"".join(index)
    return service_over(mount("bucket", URL)), MemorySource(objects)


def keys(service: Service, source: MemorySource) -> list[str]:
    return [entry.key.decode() for entry in run(service.list(ListRequest("bucket")), source).entries]


def body(service: Service, source: MemorySource, key: str) -> bytes:
    return run(service.get(ObjectRequest("bucket", key.encode())), source).start


def test_of_a_foreign_archive_only_safe_names_are_served(tmp_path: Path) -> None:
    entries = [
        ("../../etc/passwd", b"1"),
        ("a/../b", b"2"),
        ("/rooted", b"3"),
        ("./here", b"4"),
        ("a..b", b"5"),
        ("x" * 1025, b"6"),
    ]
    service, source = service_of_zip(entries, tmp_path)
    assert keys(service, source) == ["a..b", "here", "rooted"]
    assert [body(service, source, key) for key in keys(service, source)] == [b"5", b"4", b"3"]
    for key in ("../../etc/passwd", "etc/passwd", "b", "/rooted"):
        with pytest.raises(NoSuchKey):
            body(service, source, key)


def test_of_a_name_met_twice_the_last_is_served(tmp_path: Path) -> None:
    service, source = service_of_zip([("a", b"first"), ("b", b"other"), ("./a", b"second"), ("a", b"last")], tmp_path)
    assert keys(service, source) == ["a", "b"]
    assert body(service, source, "a") == b"last"


def test_a_folder_is_an_object_only_where_the_archive_says_so(tmp_path: Path) -> None:
    service, source = service_of_zip([("folder/", b""), ("folder/a", b"1")], tmp_path)
    assert keys(service, source) == ["folder/a"]
    service, source = service_of({"folder/": Made(b""), "folder/a": b"1"})
    assert keys(service, source) == ["folder/", "folder/a"]
    assert body(service, source, "folder/") == b""

"""`bindery catalog`, and what other commands make of a catalog."""

from __future__ import annotations

import json
from pathlib import Path

from tests.bindery.conftest import Bindery
from tests.servers.ministack import Bucket


def folder(path: Path, files: dict[str, bytes]) -> Path:
    """A folder of files."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def packed(bindery: Bindery, tmp_path: Path) -> Path:
    """Two days of logs in archives of their own, the second with one of the first's keys anew; returns their catalog."""
    catalog = tmp_path / "logs.bindery-catalog"
    first = folder(tmp_path / "first", {"2026/01.log": b"one", "2026/02.log": b"two"})
    second = folder(tmp_path / "second", {"2026/02.log": b"two, anew", "2026/03.log": b"three"})
    for source in (first, second):
        ran = bindery("pack", source, tmp_path / f"{source.name}.zip", "--format", "zip", "--catalog", catalog)
        assert (ran.code, ran.lines) == (0, [str(tmp_path / f"{source.name}.zip")])
    return catalog


def test_pack_binds_and_a_catalog_reads_like_one_archive(bindery: Bindery, tmp_path: Path) -> None:
    catalog = packed(bindery, tmp_path)
    assert bindery("ls", "-r", catalog).lines == ["2026/01.log", "2026/02.log", "2026/03.log"]
    assert bindery("cat", catalog, "2026/02.log").out == b"two, anew"
    assert bindery("get", catalog, tmp_path / "out").code == 0
    assert (tmp_path / "out" / "2026" / "03.log").read_bytes() == b"three"
    missing = bindery("cat", catalog, "2026/04.log")
    assert (missing.code, missing.out) == (3, b"")


def test_the_archives_are_listed_removed_and_added(bindery: Bindery, tmp_path: Path) -> None:
    catalog = packed(bindery, tmp_path)
    told = [json.loads(line) for line in bindery("catalog", "ls", catalog, "--json").lines]
    assert [(one["archive"].rpartition("/")[2], one["members"], one["first"], one["last"]) for one in told] == [
        ("first.zip", 2, "2026/01.log", "2026/02.log"),
        ("second.zip", 2, "2026/02.log", "2026/03.log"),
    ]
    assert [line.split()[-1] for line in bindery("catalog", "ls", catalog).lines] == ["2026/02.log", "2026/03.log"]
    assert json.loads(bindery("catalog", "remove", catalog, tmp_path / "second.zip", "--json").out)["archives"] == 1
    assert bindery("cat", catalog, "2026/02.log").out == b"two"
    assert bindery("catalog", "add", catalog, tmp_path / "second.zip", "--prefix", "more/").code == 0
    assert bindery("ls", "-r", catalog).lines == ["2026/01.log", "2026/02.log", "more/2026/02.log", "more/2026/03.log"]
    again = bindery("catalog", "add", catalog, tmp_path / "second.zip", "--prefix", "more/")
    assert (again.code, again.err.partition(":")[0]) == (0, "nothing to do")


def test_a_check_finds_what_was_replaced_and_a_rebuild_mends_it(bindery: Bindery, tmp_path: Path) -> None:
    catalog = packed(bindery, tmp_path)
    assert bindery("catalog", "check", catalog).code == 0
    (tmp_path / "second.zip").unlink()
    ran = bindery("catalog", "check", catalog)
    assert (ran.code, "second.zip is not there" in ran.err) == (6, True)
    told = json.loads(bindery("catalog", "check", catalog, "--json").out)
    assert (told["archives"], len(told["wrong"])) == (2, 1)
    assert bindery("cat", catalog, "2026/03.log").code == 3
    catalog.write_bytes(b"rubbish")
    assert bindery("ls", catalog).code == 6
    assert bindery("catalog", "rebuild", catalog, tmp_path).code == 0
    assert bindery("ls", "-r", catalog).lines == ["2026/01.log", "2026/02.log"]


def test_a_prefix_packed_from_a_bucket_keeps_its_keys(bindery: Bindery, s3_bucket: Bucket) -> None:
    env, url = s3_bucket.server.env, s3_bucket.url
    for key in ("logs/a/1", "logs/a/2", "logs/b/1"):
        s3_bucket.put(key, key.encode())
    catalog = f"{url}/bound/logs.bindery-catalog"
    for prefix in ("logs/a", "logs/b/"):
        assert bindery("pack", f"{url}/{prefix}", f"{url}/bound/", "--catalog", catalog, env=env).code == 0
    assert bindery("ls", "-r", catalog, env=env).lines == ["logs/a/1", "logs/a/2", "logs/b/1"]
    assert bindery("cat", catalog, "logs/b/1", env=env).out == b"logs/b/1"
    told = json.loads(bindery("pack", f"{url}/logs/b/", f"{url}/bound/", "--catalog", catalog, "--json", env=env).out)
    assert (told["outcome"], told["catalog"]) == ("already packed", catalog)


def test_mistakes_are_told_before_anything_is_packed(bindery: Bindery, tmp_path: Path) -> None:
    source = folder(tmp_path / "source", {"a": b"1"})
    ran = bindery("pack", source, tmp_path / "a.zip", "--format", "zip", "--catalog", tmp_path / "catalog")
    assert (ran.code, "bindery-catalog" in ran.err, (tmp_path / "a.zip").exists()) == (2, True, False)
    both = bindery("catalog", "add", tmp_path / "c.bindery-catalog", "x.zip", "y.zip", "--index", "z.bindery")
    assert both.code == 2
    stat = bindery("stat", packed(bindery, tmp_path))
    assert (stat.code, "catalog ls" in stat.err) == (2, True)
    assert bindery("ls", tmp_path / "none.bindery-catalog").code == 3

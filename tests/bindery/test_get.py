"""`bindery get` of archives that a folder cannot hold as they are."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

from tests.bindery.conftest import Bindery

GOLDEN = Path(__file__).parents[1] / "golden"


def zipped(path: Path, members: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_names_are_never_written_into_one_file(bindery: Bindery, tmp_path: Path) -> None:
    members = {"a/b": b"right", "a//b": b"other", "a/./b": b"another", "z": b"last"}
    ran = bindery("get", zipped(tmp_path / "x.zip", members), tmp_path / "out")
    assert ran.code == 2
    assert files(tmp_path / "out") == {"a/b": b"right", "z": b"last"}
    *told, last = ran.err.splitlines()
    assert sum("no file can have this name" in line for line in told) == 2
    assert last == f"bindery: 2 members were not written (folder '{tmp_path / 'out'}'). All others are there"


def test_a_name_that_is_file_and_folder_at_once_is_told_and_the_others_are_written(bindery: Bindery, tmp_path: Path) -> None:
    ran = bindery("get", zipped(tmp_path / "x.zip", {"a": b"file", "a/b": b"below", "z": b"last"}), tmp_path / "out")
    assert ran.code == 2
    assert "a file and a folder at once" in ran.err.splitlines()[-1]
    assert files(tmp_path / "out") == {"a": b"file", "z": b"last"}


def test_members_that_cannot_be_read_are_told_and_leave_nothing(bindery: Bindery, tmp_path: Path) -> None:
    ran = bindery("get", GOLDEN / "infozip_3.0_encrypted.zip", tmp_path / "out", "--json")
    assert ran.code == 6
    assert json.loads(ran.out) == {"members": 0, "bytes": 0, "folder": str(tmp_path / "out"), "faults": 9}
    *told, last = ran.err.splitlines()
    assert len(told) == 9
    assert all("it needs a password" in line for line in told)
    assert last.startswith("bindery: 9 members were not written")
    assert not (tmp_path / "out").exists()

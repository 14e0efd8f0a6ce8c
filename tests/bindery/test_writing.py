"""The commands that bring archives where they are served from: install and repack, and pack in every format."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.bindery.conftest import Bindery, Packed
from tests.servers.ministack import Bucket

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("kind", ["tgz", "squashfs"])
def test_pack_writes_what_verify_reads(bindery: Bindery, packed: Packed, tmp_path: Path, kind: str) -> None:
    ran = bindery("pack", packed.folder, f"{tmp_path}/", "--format", kind, "--json")
    told = json.loads(ran.out)
    assert (ran.code, ran.err, told["members"]) == (0, "", len(packed.bodies))
    assert told["archive"].endswith(f".{kind}")
    ran = bindery("verify", told["archive"])
    assert ran.code == 0, ran.err


def test_install_answers_with_the_place_and_says_what_it_did(bindery: Bindery, s3_bucket: Bucket) -> None:
    archive, place = GOLDEN / "infozip_3.0_deflate.zip", f"{s3_bucket.url}/shelf/infozip_3.0_deflate.zip"
    for outcome in ("installed", "already installed"):
        ran = bindery("install", archive, f"{s3_bucket.url}/shelf/", env=s3_bucket.server.env)
        assert (ran.code, ran.lines) == (0, [place])
        assert ran.err.startswith(f"{outcome}: zip, ")
    told = json.loads(bindery("install", archive, place, "--json", env=s3_bucket.server.env).out)
    assert (told["outcome"], told["index"]) == ("already installed", f"{place}.bindery")
    assert bindery("ls", place, "-r", env=s3_bucket.server.env).lines


def test_install_refuses_what_is_taken_and_what_could_not_be_read_at_once(bindery: Bindery, tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "infozip_3.0_store.zip", tmp_path / "x.zip")
    ran = bindery("install", GOLDEN / "infozip_3.0_deflate.zip", tmp_path / "x.zip")
    assert (ran.code, "something else is already there" in ran.err) == (7, True)
    ran = bindery("install", tmp_path / "x.zip", "s3://bucket/x.zip", "--storage-class", "GLACIER")
    assert (ran.code, "none of STANDARD, INTELLIGENT_TIERING" in ran.err) == (2, True)


def test_repack_makes_frames_of_a_single_one(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("repack", GOLDEN / "zstd_1.5.4_one-frame.tar.zst", f"{tmp_path}/")
    assert ran.code == 0, ran.err
    (archive,) = ran.lines
    assert Path(archive).name.startswith("zstd_1.5.4_one-frame-")
    assert "packed: " in ran.err
    assert bindery("verify", archive).code == 0
    told = json.loads(bindery("repack", packed.archive, tmp_path / "again.zip", "--json").out)
    assert (told["kind"], told["members"]) == ("zip", len(packed.bodies))


def test_repack_of_what_is_not_there_is_told_as_such(bindery: Bindery, tmp_path: Path) -> None:
    ran = bindery("repack", tmp_path / "none.zip", tmp_path / "new.zip")
    assert (ran.code, len(ran.err.splitlines())) == (3, 1)
    assert list(tmp_path.iterdir()) == []


def test_a_program_that_is_missing_is_told_with_what_to_install(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("pack", packed.folder, tmp_path / "x.squashfs", env={"PATH": str(tmp_path)})
    assert (ran.code, "Install squashfs-tools" in ran.err) == (2, True)
    assert list(tmp_path.iterdir()) == []

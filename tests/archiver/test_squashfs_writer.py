"""Squashfs images are what any reader of squashfs reads, whichever program made them, and a program that fails leaves nothing."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.frames import LEVELS
from archiver.pack import Outcome
from archiver.paths import BELOW_A_FILE, NO_FILE, SEGMENT_TOO_LONG, TIME_TOO_LATE, Paths
from archiver.settings import Format
from archiver.writers import Entry, Sums
from archiver.writers.squashfs import TOOLS, SquashfsWriter, find_tool
from indexer.errors import DiskFull, SourceUnpackable, StoreFailed, ToolMissing
from indexer.model import DEFAULT_ATTRIBUTES
from tests.archiver.trees import bodies, members, odd_tree, pack_to, path_of, read_tree, sample_tree, write_tree

SUMS = Sums(0, "0" * 32)


def only(folder: Path, **programs: str) -> Mapping[str, str]:
    """An environment in which nothing is installed but these programs."""
    folder.mkdir()
    for name, target in programs.items():
        (folder / name).symlink_to(target)
    return {"PATH": str(folder)}


@pytest.fixture(params=[tool.name for tool in TOOLS])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> Mapping[str, str]:
    """Each program alone."""
    return only(tmp_path / "bin", **{request.param: f"/usr/bin/{request.param}"})


def entry(name: str, size: int, mtime_s: int = 1_700_000_000) -> Entry:
    return Entry(name.encode(), size, mtime_s, None, DEFAULT_ATTRIBUTES)


@pytest.mark.parametrize("tree", [sample_tree(300), odd_tree()], ids=["logs", "odd"])
def test_unsquashfs_extracts_what_went_in(tmp_path: Path, env: Mapping[str, str], tree: dict[str, bytes]) -> None:
    source = write_tree(tmp_path / "in", tree)
    report = pack_to(source, f"{tmp_path}/out/", format=Format.SQUASHFS, env=env)
    assert path_of(report).name == f"in-{report.sources[:8]}.squashfs"
    assert report.stored_bytes % 4096 == 0
    assert bodies(report) == tree
    subprocess.run(["unsquashfs", "-q", "-n", "-d", tmp_path / "back", path_of(report)], check=True, timeout=60)
    assert read_tree(tmp_path / "back") == tree
    for key in tree:
        assert (tmp_path / "back" / key).stat().st_mtime == (source / key).stat().st_mtime
    again = pack_to(source, f"{tmp_path}/out/", format=Format.SQUASHFS, env=env)
    assert (again.outcome, again.archive) == (Outcome.ALREADY_PACKED, report.archive)


def test_threads_and_the_time_of_day_do_not_change_a_byte(tmp_path: Path, env: Mapping[str, str]) -> None:
    source = write_tree(tmp_path / "in", {**sample_tree(100), **odd_tree()})
    first, second = (
        path_of(pack_to(source, tmp_path / f"{threads}", format=Format.SQUASHFS, env=env, threads=threads)).read_bytes()
        for threads in (1, 4)
    )
    assert first == second
    # All times in the image are those of members, none is that of this run.
    listed = subprocess.run(["unsquashfs", "-lls", tmp_path / "1"], check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(re.findall(r" (\d{4})-\d\d-\d\d \d\d:\d\d ", listed)) <= {"1970", "2023"}


def test_etags_and_attributes_are_not_kept(tmp_path: Path) -> None:
    report = pack_to(write_tree(tmp_path / "in", {"a": b"1"}), tmp_path / "x", format=Format.SQUASHFS)
    (member,) = members(report).values()
    assert (member.etag, member.attributes, member.crc32) == (None, DEFAULT_ATTRIBUTES, None)


def test_without_a_program_nothing_is_read_and_the_error_says_what_to_install(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", {"a": b"1"})
    with pytest.raises(ToolMissing, match=r"Install squashfs-tools 4.5 or newer .*tar2sqfs"):
        pack_to(source, tmp_path / "out" / "x", format=Format.SQUASHFS, env=only(tmp_path / "bin"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_mksquashfs_that_cannot_read_tars_is_passed_over(tmp_path: Path) -> None:
    env = only(tmp_path / "bin", tar2sqfs="/usr/bin/tar2sqfs")
    old = Path(env["PATH"]) / "mksquashfs"
    old.write_text("#!/bin/sh\necho '-comp zstd'\n")
    old.chmod(0o755)
    tool, program = find_tool(env)
    assert (tool.name, program) == ("tar2sqfs", f"{tmp_path}/bin/tar2sqfs")


@contextmanager
def failing(tmp_path: Path, script: str) -> Iterator[SquashfsWriter]:
    """A writer whose program is `script`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "mksquashfs"
    program.write_text(f'#!/bin/sh\n[ "$1" = -help ] && printf "\\n-tar\\nzstd\\n" && exit\n{script}\n')
    program.chmod(0o755)
    written: list[bytes] = []
    writer = SquashfsWriter(
        written.append,
        level=LEVELS["fast"],
        sources="0" * 64,
        newest_s=0,
        scratch=tmp_path,
        threads=1,
        memory_bytes=1,
        env={"PATH": str(folder)},
    )
    yield writer
    writer.discard()
    assert written == []


@pytest.mark.parametrize(
    ("script", "error", "told"),
    [
        ("echo 'FATAL ERROR: no luck' >&2; exit 1", StoreFailed, "no luck"),
        ("cat >/dev/null; exit 1", StoreFailed, "did not say why"),
        ("head -c 100000 >/dev/null; echo 'Write failed because No space left on device' >&2; exit 1", DiskFull, "no room"),
    ],
    ids=["at once", "at the end", "in the middle"],
)
def test_a_program_that_fails_is_told_with_its_own_words(tmp_path: Path, script: str, error: type[Exception], told: str) -> None:
    def write(writer: SquashfsWriter) -> None:
        for number in range(100):
            writer.add(entry(f"{number:03}", 10_000), bytes(10_000), SUMS)
        writer.close()

    with failing(tmp_path, script) as writer, pytest.raises(error, match=told):
        write(writer)


def test_a_writer_that_is_given_up_ends_its_program(tmp_path: Path) -> None:
    with failing(tmp_path, "exec sleep 1000") as writer:
        process = writer._process
        writer.begin(entry("large", 10**9))
        writer.discard()
        assert process.returncode is not None
        assert not Path(f"/proc/{process.pid}").exists()


@pytest.mark.parametrize(
    ("key", "mtime_s", "why"),
    [
        ("marker/", 0, NO_FILE),
        ("a//b", 0, NO_FILE),
        ("a/./b", 0, NO_FILE),
        ("n" * 256, 0, SEGMENT_TOO_LONG),
        ("late", 2**32, TIME_TOO_LATE),
        ("n" * 255, 2**32 - 1, None),
    ],
)
def test_keys_that_are_no_paths_are_told(key: str, mtime_s: int, why: str | None) -> None:
    assert Paths().fault(key.encode(), mtime_s) == why


@given(st.sets(st.text(alphabet="a/-", min_size=1, max_size=6).filter(lambda key: "" not in key.split("/")), max_size=12))
def test_of_keys_of_which_one_lies_below_another_the_shorter_stays(keys: set[str]) -> None:
    paths = Paths()
    kept: set[str] = set()
    for key in sorted(keys):
        below = any(key.startswith(f"{other}/") for other in kept)
        assert paths.fault(key.encode(), 0) == (BELOW_A_FILE if below else None)
        if not below:
            kept.add(key)


def test_packing_refuses_such_keys_before_anything_is_written(tmp_path: Path) -> None:
    source = write_tree(tmp_path / "in", {"late": b"1", "right": b"2"})
    os.utime(source / "late", (2**33, 2**33))
    with pytest.raises(SourceUnpackable, match="after 2106"):
        pack_to(source, tmp_path / "x", format=Format.SQUASHFS)
    assert not (tmp_path / "x").exists()
    report = pack_to(source, tmp_path / "x", format=Format.SQUASHFS, leave_out_unpackable=True)
    assert bodies(report) == {"right": b"2"}
    assert report.left_out == {TIME_TOO_LATE: 1}

"""What the command line answers, and how it fails."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.bindery.conftest import MEMBERS, Bindery, Packed
from tests.servers.ministack import Bucket


def one_line_error(err: str) -> str:
    """The only line of stderr, which names the program and shows no traceback."""
    (line,) = err.splitlines()
    assert line.startswith("bindery: ")
    assert "Traceback" not in line
    return line


def test_ls_recursive_tells_every_name_in_byte_order(bindery: Bindery, packed: Packed) -> None:
    ran = bindery("ls", packed.archive, "-r")
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines == sorted(packed.bodies, key=str.encode)


def test_ls_shows_one_level_as_aws_does(bindery: Bindery, packed: Packed) -> None:
    shown = bindery("ls", packed.archive).lines
    tops = {name.partition("/")[0] + "/" for name in packed.bodies if "/" in name}
    assert [line.split(" PRE ")[1] for line in shown if " PRE " in line] == sorted(tops, key=str.encode)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +0 empty\.log", shown[-1])


def test_ls_json_agrees_with_the_files(bindery: Bindery, packed: Packed) -> None:
    told = [json.loads(line) for line in bindery("ls", packed.archive, "app/", "-r", "--json").lines]
    expected = {name: len(body) for name, body in packed.bodies.items() if name.startswith("app/")}
    assert {entry["key"]: entry["size"] for entry in told} == expected


def test_cat_gives_the_bytes_of_every_kind_of_name(bindery: Bindery, packed: Packed) -> None:
    for name in ("a+b c/é%20.log", "empty.log", packed.largest):
        assert bindery("cat", packed.archive, name).out == packed.bodies[name]


@pytest.mark.parametrize(("asked", "start", "stop"), [("0-9", 0, 10), ("5-", 5, None), ("-7", -7, None), ("3-3", 3, 4)])
def test_cat_range_includes_both_ends_as_http_does(
    bindery: Bindery, packed: Packed, asked: str, start: int, stop: int | None
) -> None:
    name = packed.largest
    ran = bindery("cat", packed.archive, name, f"--range={asked}")
    assert ran.out == packed.bodies[name][start:stop]


@pytest.mark.parametrize("asked", ["9-3", "x", "1-2,4-5", "99999999-", "٣-٤", "0-" + "9" * 5000])
def test_cat_refuses_a_range_that_means_nothing(bindery: Bindery, packed: Packed, asked: str) -> None:
    ran = bindery("cat", packed.archive, "a+b c/é%20.log", "--range", asked)
    assert (ran.code, ran.out) == (2, b"")
    one_line_error(ran.err)


def test_trace_cost_tells_two_dependent_requests_when_the_index_fits_the_first_read(bindery: Bindery, packed: Packed) -> None:
    ran = bindery("cat", packed.archive, "a+b c/é%20.log", "--trace-cost")
    told = json.loads(ran.err)
    assert (told["requests"], told["depth"]) == (2, 2)
    assert [request["kind"] for request in told["made"]] == ["tail", "read"]
    assert told["bytes"] == sum(request["bytes"] for request in told["made"])
    assert told["cpu_s"] > 0


def test_get_writes_the_tree_that_was_packed(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("get", packed.archive, tmp_path / "out", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["members"] == MEMBERS + 2
    found = {str(path.relative_to(tmp_path / "out")): path for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == packed.bodies
    for name, path in found.items():
        assert int(path.stat().st_mtime) == int((packed.folder / name).stat().st_mtime)


def test_get_of_a_prefix_writes_only_that(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    assert bindery("get", packed.archive, "app/", tmp_path).code == 0
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {
        name for name in packed.bodies if name.startswith("app/")
    }


def test_get_of_a_prefix_without_members_is_an_error(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("get", packed.archive, "nothing/", tmp_path / "out")
    assert ran.code == 3
    one_line_error(ran.err)


def test_get_refuses_a_folder_without_a_name(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("get", packed.archive, "", cwd=tmp_path)
    assert ran.code == 2
    one_line_error(ran.err)
    assert list(tmp_path.iterdir()) == []


def test_get_into_a_file_leaves_the_file_alone(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    ran = bindery("get", packed.archive, tmp_path / "file")
    assert ran.code == 2
    assert "this is a file, not a folder" in one_line_error(ran.err)
    assert (tmp_path / "file").read_bytes() == b"mine"


def test_stat_sums_up_the_archive(bindery: Bindery, packed: Packed) -> None:
    told = json.loads(bindery("stat", packed.archive, "--json").out)
    assert told["members"] == len(packed.bodies)
    assert told["bytes"] == sum(map(len, packed.bodies.values()))
    assert told["stored_bytes"] == packed.archive.stat().st_size
    assert told["index_bytes"] == packed.archive.with_name(packed.archive.name + ".bindery").stat().st_size
    assert told["frames"] >= 1


def test_stat_of_a_member_tells_its_extents(bindery: Bindery, packed: Packed) -> None:
    name = packed.largest
    told = json.loads(bindery("stat", packed.archive, name, "--json").out)
    assert told["size"] == sum(extent["length"] for extent in told["extents"]) == len(packed.bodies[name])
    assert told["extents"][0]["frame"]["codec"] == "zstd"


def test_verify_says_that_all_is_right(bindery: Bindery, packed: Packed) -> None:
    ran = bindery("verify", packed.archive, "--json")
    assert ran.code == 0
    told = json.loads(ran.out)
    assert (told["right"], told["checked"], told["members"]) == (True, len(packed.bodies), len(packed.bodies))


def test_verify_finds_the_one_member_that_was_damaged(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    name = packed.largest
    lies = json.loads(bindery("stat", packed.archive, name, "--json").out)["extents"][0]["frame"]
    data = bytearray(packed.archive.read_bytes())
    data[lies["start"] + lies["lead_bytes"] + lies["stored_bytes"] // 2] ^= 0x55
    copy = tmp_path / packed.archive.name
    copy.write_bytes(data)
    stat = packed.archive.stat()
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # the same version, as far as one can tell from outside
    copy.with_name(copy.name + ".bindery").write_bytes(packed.archive.with_name(packed.archive.name + ".bindery").read_bytes())
    ran = bindery("verify", copy, "--json")
    assert ran.code == 7
    told = json.loads(ran.out)
    assert not told["right"]
    assert any(fault.startswith(name) for fault in told["faults"])


def test_an_archive_that_was_replaced_is_noticed(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    copy = tmp_path / packed.archive.name
    copy.write_bytes(packed.archive.read_bytes() + b"\0")
    copy.with_name(copy.name + ".bindery").write_bytes(packed.archive.with_name(packed.archive.name + ".bindery").read_bytes())
    ran = bindery("cat", copy, packed.largest)
    assert (ran.code, ran.out) == (6, b"")
    assert "bindery index" in one_line_error(ran.err)


def test_index_makes_the_bytes_that_pack_made(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("index", packed.archive, "--index", tmp_path / "again.bindery")
    assert ran.code == 0, ran.err
    assert ran.lines == [str(tmp_path / "again.bindery")]
    made = packed.archive.with_name(packed.archive.name + ".bindery")
    assert (tmp_path / "again.bindery").read_bytes() == made.read_bytes()
    assert bindery("cat", packed.archive, "empty.log", "--index", tmp_path / "again.bindery").code == 0


def test_an_index_that_is_named_must_be_there(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ran = bindery("ls", packed.archive, "--index", tmp_path / "nosuch.bindery")
    assert (ran.code, ran.out) == (3, b"")
    assert "nosuch.bindery" in one_line_error(ran.err)


@pytest.mark.parametrize("name", ["archive", "archive.bindery"])
def test_index_never_replaces_the_archive_by_its_index(bindery: Bindery, packed: Packed, tmp_path: Path, name: str) -> None:
    copy = tmp_path / name
    copy.write_bytes(packed.archive.read_bytes())
    ran = bindery("index", copy, "--index", copy)
    assert ran.code == 7
    assert "already there" in one_line_error(ran.err)
    assert copy.read_bytes() == packed.archive.read_bytes()


def test_index_replaces_nothing_that_is_no_index(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    mine = tmp_path / "notes.txt"
    mine.write_bytes(b"mine")
    assert bindery("index", packed.archive, "--index", mine).code == 7
    assert [mine.read_bytes(), *tmp_path.iterdir()] == [b"mine", mine]


@pytest.mark.parametrize("left", [b"", b"cut short"])
def test_index_replaces_a_damaged_index(bindery: Bindery, packed: Packed, tmp_path: Path, left: bytes) -> None:
    place = tmp_path / "again.bindery"
    place.write_bytes(left)
    assert bindery("index", packed.archive, "--index", place).code == 0
    assert place.read_bytes() == packed.archive.with_name(packed.archive.name + ".bindery").read_bytes()


def test_index_replaces_an_index_that_is_there(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    (tmp_path / "old.bindery").write_bytes(b"not an index")
    assert bindery("index", packed.archive, "--index", tmp_path / "old.bindery").code == 0
    assert bindery("ls", packed.archive, "--index", tmp_path / "old.bindery").code == 0


def test_the_name_of_the_archive_tells_its_format(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    for name, kind in (("a.zip", "zip"), ("a.tar.zst", "tar.zst"), ("a.tar.gz", "tar.gz"), ("a.archive", "tar.zst")):
        told = json.loads(bindery("pack", packed.folder, tmp_path / name, "--json").out)
        assert told["kind"] == kind


@pytest.mark.parametrize(("name", "asked"), [("a.zip", "tar.zst"), ("a.tar.zst", "zip"), ("a.tar", "tgz"), ("a.zip", "rar")])
def test_a_name_that_promises_another_format_is_refused(
    bindery: Bindery, packed: Packed, tmp_path: Path, name: str, asked: str
) -> None:
    ran = bindery("pack", packed.folder, tmp_path / name, "--format", asked)
    assert ran.code == 2
    one_line_error(ran.err)
    assert list(tmp_path.iterdir()) == []


def test_pack_again_finds_its_own_work(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    first = json.loads(bindery("pack", packed.folder, f"{tmp_path}/", "--json").out)
    again = json.loads(bindery("pack", packed.folder, f"{tmp_path}/", "--json").out)
    assert (first["outcome"], again["outcome"]) == ("packed", "already packed")
    assert first["archive"] == again["archive"]
    assert re.search(r"/logs-[0-9a-f]{8}\.tar\.zst$", first["archive"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["ls", "/nowhere/a.zip"], 3),
        (["ls", "s3://"], 2),
        (["ls", "ftp://host/a.zip"], 2),
        (["index", "/etc/passwd"], 6),
        (["pack", "/nowhere", "/tmp/x/"], 2),
        (["serve", "--mount", "bucket"], 2),
        (["serve", "--mount", "bucket=/nowhere/a.zip"], 3),
        (["serve", "--mount", "health=/etc/passwd"], 2),
    ],
)
def test_a_mistake_is_one_line_and_an_exit_code(bindery: Bindery, arguments: list[str], code: int) -> None:
    ran = bindery(*arguments)
    assert (ran.code, ran.out) == (code, b"")
    one_line_error(ran.err)


def test_a_missing_member_is_one_line_and_exit_code_3(bindery: Bindery, packed: Packed) -> None:
    ran = bindery("cat", packed.archive, "no/such.log")
    assert (ran.code, ran.out) == (3, b"")
    assert "no/such.log" in one_line_error(ran.err)


def test_a_reader_that_leaves_early_is_no_error_message(packed: Packed) -> None:
    command = f"{sys.executable} -m bindery ls -r {packed.archive} | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""


def test_the_same_commands_work_on_a_bucket(bindery: Bindery, packed: Packed, s3_bucket: Bucket) -> None:
    for name, body in packed.bodies.items():
        s3_bucket.put(f"in/{name}", body)
    env = s3_bucket.server.env
    report = json.loads(bindery("pack", f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", "--json", env=env).out)
    assert report["archive"].startswith(f"{s3_bucket.url}/out/in-")
    assert bindery("ls", "-r", report["archive"], env=env).lines == sorted(packed.bodies, key=str.encode)
    name = packed.largest
    assert bindery("cat", report["archive"], name, env=env).out == packed.bodies[name]
    assert bindery("verify", report["archive"], env=env).code == 0
    assert sorted(s3_bucket.keys("out/")) == sorted(
        [report["archive"].removeprefix(f"{s3_bucket.url}/"), report["index"].removeprefix(f"{s3_bucket.url}/")]
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no.such.host.invalid", "..", "::1%"])
def test_serve_says_in_one_line_that_it_cannot_listen(bindery: Bindery, packed: Packed, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = bindery("serve", "--mount", f"logs={packed.archive}", "--host", host, "--port", str(port), "--anonymous")
    assert (ran.code, ran.out) == (2, b"")
    assert "cannot listen there" in one_line_error(ran.err)


def test_serve_answers_until_it_is_told_to_stop(packed: Packed, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bindery", "serve", "--mount", f"logs/2026={packed.archive}"]
    command += ["--port", str(port), "--cache", str(tmp_path / "cache")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        assert f"http://127.0.0.1:{port}" in server.stderr.readline()
        name = packed.largest
        for _ in range(200):  # until it listens
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/logs/2026/{name}") as answer:
                    assert answer.read() == packed.bodies[name]
                break
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.02)
        else:
            pytest.fail("the server never listened")
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) in {0, -signal.SIGTERM}
    assert any((tmp_path / "cache").rglob("*")), "nothing was cached"


def test_demo_ends_with_what_to_type_next(bindery: Bindery, tmp_path: Path) -> None:
    ran = bindery("demo", "--objects", "300", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert re.search(r"(bindery|__main__\.py) serve --mount logs=bindery-demo/archives/objects-", ran.text)
    again = bindery("demo", "--objects", "300", cwd=tmp_path)
    assert again.code == 0
    assert "already packed" in again.text


def test_demo_leaves_a_folder_alone_that_is_not_its_own(bindery: Bindery, tmp_path: Path) -> None:
    (tmp_path / "bindery-demo" / "objects").mkdir(parents=True)
    ran = bindery("demo", "--objects", "300", cwd=tmp_path)
    assert ran.code == 2
    one_line_error(ran.err)

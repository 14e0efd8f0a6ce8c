"""What commands do when their streams, their arguments or their user end them in an odd way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bindery.conftest import Bindery, Packed

ODD = "a+b c/é%20.log"


def in_shell(redirection: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command whose streams a shell has redirected."""
    command = ["sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, "-m", "bindery", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("redirection", "what"), [(">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")], ids=["full", "closed"]
)
@pytest.mark.parametrize("command", ["ls", "cat", "stat"])
def test_an_answer_that_cannot_be_written_is_one_line_and_exit_code_5(
    packed: Packed, command: str, redirection: str, what: str
) -> None:
    member = [packed.largest] if command == "cat" else []
    ran = in_shell(redirection, command, packed.archive, *member)
    assert ran.returncode == 5
    assert ran.stderr == f"bindery: the system refused: {what} (writing the answer)\n"


def test_a_command_whose_streams_are_all_closed_writes_into_no_file_by_mistake(packed: Packed, tmp_path: Path) -> None:
    archive = tmp_path / "again.tar.zst"
    in_shell("<&- >&- 2>&-", "pack", packed.folder, archive)
    assert in_shell("", "verify", archive).returncode == 0


def test_names_are_utf8_in_every_locale(bindery: Bindery, packed: Packed, tmp_path: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    assert bindery("ls", "-r", packed.archive, env=ascii_only).lines == sorted(packed.bodies, key=str.encode)
    assert bindery("cat", packed.archive, ODD, env=ascii_only).out == packed.bodies[ODD]
    assert bindery("get", packed.archive, "a+b c/é", tmp_path, env=ascii_only).code == 0
    assert (tmp_path / ODD).read_bytes() == packed.bodies[ODD]


@pytest.mark.parametrize("command", ["cat", "stat", "get"])
def test_an_argument_that_is_not_utf8_is_the_name_of_no_member(
    bindery: Bindery, packed: Packed, tmp_path: Path, command: str
) -> None:
    folder = [tmp_path] if command == "get" else []
    ran = bindery(command, packed.archive, os.fsdecode(b"bad\xff"), *folder)
    assert (ran.code, ran.out) == (3, b"")
    assert ran.err.startswith("bindery: the archive has no member of this name")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_pack_that_is_told_to_end_says_so_in_one_line(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as store:  # takes the first request, and never answers
        environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{store.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        command = [sys.executable, "-m", "bindery", "pack", "s3://bucket/in/", "s3://bucket/out/"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}) as packer:
            asked, _ = store.accept()
            with asked:
                packer.send_signal(number)
                _, told = packer.communicate(timeout=60)
    assert packer.returncode == 128 + number
    assert told == "bindery: " + ("interrupted" if number is signal.SIGINT else f"ended by {number.name}") + "\n"

"""The gateway as a process of its own, as a container or the Lambda Web Adapter runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archiver.pack import pack
from archiver.settings import PackSettings
from tests.servers.process import HOST, ServerProcess, free_port

ROOT = Path(__file__).parents[2]
MODULE = [sys.executable, "-m", "object_lambda.gateway_server"]


def packed(tmp_path: Path, body: bytes) -> Path:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_bytes(body)
    pack(PackSettings(str(tmp_path / "logs"), str(tmp_path / "a.tar.zst"), scratch=tmp_path))
    return tmp_path / "a.tar.zst"


def test_an_answer_beyond_the_six_megabytes_of_a_buffered_function_is_streamed(tmp_path: Path) -> None:
    body = os.urandom(9_000_000)
    archive, port = packed(tmp_path, body), free_port()
    env = {**os.environ, "BINDERY_MOUNTS": f"logs={archive}", "BINDERY_ANONYMOUS": "true", "PORT": str(port)}
    server = ServerProcess(MODULE, env=env, folder=ROOT, log=tmp_path / "server.log")
    try:
        server.wait_until_answering(f"http://{HOST}:{port}/health")
        got = subprocess.run(
            ["curl", "-sf", f"http://{HOST}:{port}/logs/a.log"], capture_output=True, check=True, timeout=60
        ).stdout
        assert got == body
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"BINDERY_ANONYMOUS": "true"}, "nothing is mounted"),
        ({"BINDERY_MOUNTS": "logs=/nowhere.zip"}, "BINDERY_ACCESS_KEYS"),
        ({"BINDERY_MOUNTS": "logs=/nowhere.zip", "BINDERY_ANONYMOUS": "true", "PORT": "many"}, "this is no port"),
    ],
)
def test_variables_that_cannot_work_are_one_line(variables: dict[str, str], told: str) -> None:
    ran = subprocess.run(MODULE, env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert told in line

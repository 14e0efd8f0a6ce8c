"""`bindery serve` over a bucket that is half packed, as a shell sees it."""

import http.client
import os
import sys
from pathlib import Path

import pytest

from tests.bindery.conftest import Bindery, Packed
from tests.servers.ministack import Bucket
from tests.servers.process import HOST, ServerProcess, free_port


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@pytest.mark.parametrize(("option", "winner"), [([], "bound"), (["--live-wins"], "loose")])
def test_serve_answers_from_both_sides(packed: Packed, s3_bucket: Bucket, tmp_path: Path, option: list[str], winner: str) -> None:
    s3_bucket.put("kept/loose.log", b"loose")
    s3_bucket.put(f"kept/{packed.largest}", b"also loose")
    port = free_port()
    command = [sys.executable, "-m", "bindery", "serve", "--port", str(port), "--mount", f"logs/2026={packed.archive}"]
    command += ["--live", f"logs/2026={s3_bucket.url}/kept", *option]
    server = ServerProcess(command, env={**os.environ, **s3_bucket.server.env}, folder=tmp_path, log=tmp_path / "log")
    try:
        server.wait_until_answering(f"http://{HOST}:{port}/health")
        assert get(port, "/logs/2026/loose.log") == (200, b"loose")
        both = packed.bodies[packed.largest] if winner == "bound" else b"also loose"
        assert get(port, f"/logs/2026/{packed.largest}") == (200, both)
        assert get(port, "/logs/2026/absent")[0] == 404
        assert b"<Key>2026/loose.log</Key>" in get(port, "/logs?prefix=2026/lo")[1]
    finally:
        server.kill()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--live", "logs"], "no live prefix"),
        (["--live", "other=s3://bucket/"], "no mount above"),
        (["--live", "logs=s3://abc/", "--live", "logs/b=s3://abc/"], "beneath another"),
    ],
)
def test_a_live_prefix_that_cannot_work_is_told_at_once(bindery: Bindery, packed: Packed, options: list[str], told: str) -> None:
    ran = bindery(
        "serve", "--mount", f"logs={packed.archive}", *options, env={"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    )
    assert (ran.code, told in ran.err) == (2, True)

"""The aws command line reads the gateway as it reads a bucket."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.limits import MIB
from indexer.source.memory import AsyncMemorySource
from tests.object_lambda.made_archives import mount, put_archive, service_over
from tests.servers.gateway import GatewayServer, running_gateway

AWS = "/usr/bin/aws"  # version 2; a version 1 may come before it on PATH
CONTENTS = {
    "2024/01/a.log": b"first\n",
    "2024/01/b c+d.log": b"odd\n",
    "2024/02/empty.log": b"",
    "2024/02/ü.log": b"utf-8\n",
    "large.bin": bytes(range(256)) * (20 * MIB // 256),
}


@pytest.fixture(scope="module")
def server() -> Iterator[GatewayServer]:
    """A gateway over one archive at `bucket/logs`."""
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    with running_gateway(service_over(mount("bucket/logs")), AsyncMemorySource(objects)) as running:
        yield running


def aws(server: GatewayServer, *arguments: str) -> str:
    command = [AWS, "--endpoint-url", server.endpoint, "s3", *arguments]
    done = subprocess.run(command, env=server.env, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ls_shows_buckets_prefixes_and_keys(server: GatewayServer) -> None:
    assert aws(server, "ls").split()[-1] == "bucket"
    assert aws(server, "ls", "s3://bucket").split() == ["PRE", "logs/"]
    lines = aws(server, "ls", "s3://bucket/logs/").splitlines()
    assert [line.split()[-1] for line in lines] == ["2024/", "large.bin"]
    assert lines[1].split()[2] == str(len(CONTENTS["large.bin"]))
    recursive = aws(server, "ls", "--recursive", "s3://bucket/").splitlines()
    assert [line.split(maxsplit=3)[3] for line in recursive] == [f"logs/{name}" for name in sorted(CONTENTS)]


def test_cp_reads_one_member_to_standard_output(server: GatewayServer) -> None:
    assert aws(server, "cp", "s3://bucket/logs/2024/01/b c+d.log", "-") == "odd\n"


def test_cp_recursive_brings_every_member(server: GatewayServer, tmp_path: Path) -> None:
    aws(server, "cp", "--recursive", "s3://bucket/logs/", str(tmp_path))
    assert files(tmp_path) == CONTENTS


def test_sync_brings_what_is_missing_and_then_nothing(server: GatewayServer, tmp_path: Path) -> None:
    aws(server, "sync", "s3://bucket/logs/2024/", str(tmp_path))
    assert files(tmp_path) == {name.removeprefix("2024/"): data for name, data in CONTENTS.items() if name.startswith("2024/")}
    assert aws(server, "sync", "s3://bucket/logs/2024/", str(tmp_path)) == ""

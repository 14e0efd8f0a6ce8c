"""The command line as a shell sees it: a process of its own, its streams and its exit code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from archiver.samples import samples

MEMBERS = 300


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


Bindery = Callable[..., Ran]


def run(*arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Ran:
    command = [sys.executable, "-m", "bindery", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, timeout=120, env={**os.environ, **(env or {})}, cwd=cwd, check=False)
    return Ran(done.returncode, done.stdout, done.stderr.decode())


@pytest.fixture
def bindery() -> Bindery:
    """Runs one command."""
    return run


@dataclass(frozen=True)
class Packed:
    """A folder of logs and the archive they were packed into."""

    folder: Path
    archive: Path
    bodies: dict[str, bytes]

    @property
    def largest(self) -> str:
        """The name of the longest log."""
        return max(self.bodies, key=lambda name: len(self.bodies[name]))


@pytest.fixture(scope="session", params=["tar.zst", "zip"])
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    """Logs packed by the command line itself, in each format it writes."""
    place = tmp_path_factory.mktemp("packed")
    bodies = {sample.key: sample.body for sample in samples(MEMBERS)} | {"empty.log": b"", "a+b c/é%20.log": b"odd name\n"}
    for key, body in bodies.items():
        path = place / "logs" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    archive = place / f"logs.{request.param}"
    ran = run("pack", place / "logs", archive, "--format", request.param)
    assert ran.code == 0, ran.err
    return Packed(place / "logs", archive, bodies)

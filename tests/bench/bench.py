"""What every question is handed: where to work, how much, and the servers."""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Final

from tests.bench.measure import Cost, environment, run
from tests.bench.objects import Objects, small, write
from tests.bench.server import CountedServer
from tests.bench.shelf import Shelf

BINDERY: Final = Path(sys.executable).with_name("bindery")
CHILDREN: Final = Path(__file__).with_name("children.py")
CORPUS_VARIABLE: Final = "BINDERY_BENCH_CORPUS"


class Bench:
    """One run of the benchmark.

    Args:
        folder: Empty; everything is made below it.
        quick: A tenth of the members, fewer rounds: for those who change the code, not for the record.
    """

    def __init__(self, folder: Path, *, quick: bool) -> None:
        self.folder = folder
        self.quick = quick
        self.rounds = 3 if quick else 5
        self.members = 10_000 if quick else 100_000
        self._began_s = time.monotonic()
        self._home = folder / "home"
        self._home.mkdir()

    @cached_property
    def server(self) -> CountedServer:
        """S3, started when first wanted."""
        return CountedServer(self.folder / "s3")

    @cached_property
    def objects(self) -> Objects:
        """Small objects in a folder, made when first wanted."""
        return write(small(self.members), self.scratch("objects"))

    @cached_property
    def shelf(self) -> Shelf:
        """The archives to read, made when first wanted."""
        return Shelf(self)

    @cached_property
    def corpus(self) -> Path | None:
        """A folder of real logs, when the caller names one."""
        named = os.environ.get(CORPUS_VARIABLE)
        return Path(named).resolve() if named else None

    def close(self) -> None:
        """End the server if it was started."""
        if "server" in self.__dict__:
            self.server.close()

    def tell(self, text: str) -> None:
        """Say what is going on."""
        print(f"[{time.monotonic() - self._began_s:6.1f} s] {text}", file=sys.stderr, flush=True)

    def env(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a program that is measured."""
        return environment(self._home, extra)

    def run(self, *command: str | Path, env: Mapping[str, str] | None = None, folder: Path | None = None) -> Cost:
        """Run a program."""
        return run(command, env=self.env(env), folder=folder)

    def bindery(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Cost:
        """Run our command line."""
        return self.run(BINDERY, *arguments, env=env)

    def child(self, what: str, *arguments: str | Path | int, env: Mapping[str, str] | None = None) -> Cost:
        """Run one function of `tests.bench.children` in a process of its own."""
        return self.run(sys.executable, CHILDREN, what, *map(str, arguments), env=env)

    def scratch(self, name: str) -> Path:
        """A new empty folder; what was there under this name is removed."""
        self.drop(name)
        folder = self.folder / name
        folder.mkdir(parents=True)
        return folder

    def drop(self, name: str) -> None:
        """Remove a folder of `scratch`: the disk that a run takes stays below 5 GB."""
        shutil.rmtree(self.folder / name, ignore_errors=True)


def where(program: str) -> str | None:
    """The path of a rival; None when it is not installed."""
    return shutil.which(program, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin")

"""A client's visit at a door: where it is, whose key it has, a folder of its own, and how its program is run."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from tests.clients.relay import Relay, told
from tests.clients.rows import DOORS, NOT_TRIED, OK, Row

ROOT: Final = Path(__file__).parents[2]
VENV: Final = ROOT / ".venv-clients"
JAVASCRIPT: Final = VENV / "javascript"
TIMEOUT_S: Final = 60


@dataclass(frozen=True)
class Door:
    """A door as its clients see it."""

    name: str
    relay: Relay
    bucket: str
    access_key_id: str
    secret: str
    region: str

    @property
    def endpoint(self) -> str:
        return self.relay.endpoint


@dataclass
class Visit:
    """One client at one door; leaving ends the programs that it started."""

    door: Door
    folder: Path
    closing: ExitStack
    _programs: dict[tuple[str, ...], "Program"] = field(default_factory=dict)

    @cached_property
    def env(self) -> dict[str, str]:
        """The AWS variables, a home of its own, and nothing else of the developer's shell."""
        home = self.folder / "home"
        home.mkdir()
        return {
            "AWS_ACCESS_KEY_ID": self.door.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.door.secret,
            "AWS_DEFAULT_REGION": self.door.region,
            "AWS_REGION": self.door.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": f"{VENV}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        }

    def url(self, key: str) -> str:
        """`s3://` and the key in the door's bucket."""
        return f"s3://{self.door.bucket}/{key}"

    def run(self, *command: str, **env: str) -> str:
        """What the program wrote to standard output; an AssertionError with what it complained of when it fails."""
        return self.run_raw(*command, **env).decode()

    def run_raw(self, *command: str, **env: str) -> bytes:
        """The same as bytes."""
        done = subprocess.run(
            command,
            env=self.env | env,
            cwd=self.folder,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {done.stderr.decode(errors='replace')[-2_000:]}"
        return done.stdout

    def program(self, *command: str) -> "Program":
        """A program of tests/clients/programs that answers operations; started once a visit."""
        if command not in self._programs:
            place = {
                "endpoint": self.door.endpoint,
                "bucket": self.door.bucket,
                "access_key_id": self.door.access_key_id,
                "secret": self.door.secret,
                "region": self.door.region,
                "folder": str(self.folder),
            }
            started = Program([*command, json.dumps(place)], self.env, self.folder)
            self.closing.callback(started.close)
            self._programs[command] = started
        return self._programs[command]


class Program:
    """A program that says its version, and then answers a line with a line: the name of an operation, its result as JSON."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], folder: Path) -> None:
        self._log = folder / "stderr"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                env={**env, "NODE_PATH": str(JAVASCRIPT / "node_modules"), "PYTHONPATH": str(ROOT)},
                cwd=folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.version: str = self._read()["version"]

    def ask(self, operation: str) -> Any:
        """What the operation found."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{operation}\n")
        self._process.stdin.flush()
        answer = self._read()
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the program ended: {self._log.read_text()[-2_000:]}"
        answer: dict[str, Any] = json.loads(line)
        return answer


Operation = Callable[[Visit], None]


def nothing_lacks() -> str | None:
    """For clients that run on any machine on which the tests do."""
    return None


@dataclass(frozen=True)
class Client:
    """A client and what it is asked to do, in this order.

    Args:
        name: As the table has it.
        version: Asks the client itself.
        operations: By the name the table has; each raises AssertionError when it is not answered as by S3.
        not_at: Where it cannot go, and why.
        lacks: What the machine must have and has not; None when it has all.
    """

    name: str
    version: Callable[[Visit], str]
    operations: Mapping[str, Operation]
    not_at: Mapping[str, str] = field(default_factory=dict)
    lacks: Callable[[], str | None] = nothing_lacks

    @property
    def doors(self) -> Sequence[str]:
        """Where it can go."""
        return [door for door in DOORS if door not in self.not_at]

    def visit(self, door: Door, folder: Path) -> list[Row]:
        """Does everything at one door; the requests of each operation are counted."""
        if lacking := self.lacks():
            return [Row(self.name, NOT_TRIED, operation, door.name, f"not run: {lacking}", "") for operation in self.operations]
        rows: list[Row] = []
        with ExitStack() as closing:
            visit = Visit(door, folder, closing)
            version = self.version(visit)
            for name, operation in self.operations.items():
                door.relay.take()
                try:
                    operation(visit)
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    result = f"failed: {error}"
                else:
                    result = OK
                rows.append(Row(self.name, version, name, door.name, result, told(door.relay.take())))
        return rows


PYTHON: Final = str(VENV / "bin" / "python")
NODE: Final = str(VENV / "bin" / "node")

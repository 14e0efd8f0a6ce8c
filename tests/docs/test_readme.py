"""The README's commands, run in order as a reader would, and its tables against the code.

Fenced blocks tell by their info string what is done with them:

- `sh`: run in the tour's folder; exported variables last. `sh s3` likewise, with the emulator for S3. It must succeed.
- `sh background`: a server; left running until the end.
- `sh clone`, `sh install`: what make would do is looked at, not done: these tests run inside such an environment.
- `python`: run by the environment's interpreter.
- `text`: what the block before it printed, save for numbers, hex digits, folders and the length of runs of spaces; `...` stands for
  anything. `text demo` is what `bindery demo` printed.

Gateways listen on a free port in place of the one that is written.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from archiver.settings import Format
from bindery.app import EXIT_INTERRUPTED, EXIT_UNEXPECTED
from indexer.errors import ANSWERS
from indexer.formats import KINDS, by_name
from tests.docs.pages import ROOT, Block, blocks, table
from tests.servers.ministack import Ministack
from tests.servers.process import HOST, ServerProcess, free_port

README = ROOT / "README.md"
BLOCKS = blocks(README)
BIN = Path(sys.executable).parent
PORTS = ("8014", "8015")
TIMEOUT_S = 120
STATE = ".state"
"""Where exported variables wait for the next block."""
ELISION = re.escape("...")


class Tour:
    """A folder in which blocks are run, and the servers they left running."""

    def __init__(self, folder: Path, server: Ministack) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in PORTS}
        self.printed = ""
        self._server = server
        self._running: list[ServerProcess] = []
        self._env = {
            "HOME": str(folder),
            "PATH": f"{BIN}:/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "PYTHONWARNINGS": "ignore",
            "COLUMNS": "200",
        }
        (folder / STATE).touch()

    def run(self, block: Block) -> None:
        """Do what a block says.

        Raises:
            AssertionError: A command failed, or printed something else than the page says.
        """
        text = re.sub("|".join(PORTS), lambda match: self.ports[match[0]], block.text)
        match block.info.split():
            case ["sh"]:
                self._shell(block, text, self._env)
            case ["sh", "s3"]:
                self._shell(block, text, self._env | self._server.env)
            case ["sh", "background"]:
                self._background(text)
            case ["python"]:
                self.printed = self._call(block, [sys.executable, "-c", text], self._env)
            case ["text"]:
                compare(block, self.printed)
            case ["text", "demo"]:
                return  # compared where the demo is run
            case ["sh", "clone" | "install"] | []:
                return
            case other:
                raise AssertionError(f"README.md:{block.line}: nobody knows what to do with {other}")

    def close(self) -> None:
        for process in self._running:
            process.kill()

    def _shell(self, block: Block, text: str, env: dict[str, str]) -> None:
        script = f"set -e\n. ./{STATE}\n{text}\nexport -p > {STATE}\n"
        self.printed = self._call(block, ["bash", "-c", script], env)

    def _call(self, block: Block, command: list[str], env: dict[str, str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"README.md:{block.line} ended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def _background(self, text: str) -> None:
        command = text.split()
        if "--port" not in command:
            command += ["--port", self.ports[PORTS[0]]]
        log = self.folder / f"server-{len(self._running)}.log"
        process = ServerProcess([str(BIN / command[0]), *command[1:]], env=self._env, folder=self.folder, log=log)
        self._running.append(process)
        process.wait_until_answering(f"http://{HOST}:{command[command.index('--port') + 1]}/health")


def shape(text: str) -> str:
    """A text without what differs from run to run."""
    text = re.sub(r"(?<![\w.:/-])(file://)?/[\w./-]*/", "/", text)
    text = re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{8,}(-[0-9a-f]{8,})?\b", "#", text)
    text = re.sub(r"\d[\d,.]*", "#", text)
    text = re.sub(r"# (B|[KMG]iB)\b", "# B", text)
    return re.sub(r"[ \t]+", " ", text).strip()


def compare(block: Block, printed: str) -> None:
    """Check that a block is what was printed."""
    told = [re.escape(shape(line)) for line in block.text.splitlines()]
    pattern = r"\s*\n\s*".join("[^\0]*?" if line == ELISION else line.replace(ELISION, ".*?") for line in told)
    lines = "\n".join(shape(line) for line in printed.splitlines())
    assert re.search(rf"(?m)^\s*{pattern}\s*$", lines), f"README.md:{block.line} shows another text than\n{printed}"


@pytest.fixture
def tour(tmp_path: Path, ministack: Ministack) -> Iterator[Tour]:
    begun = Tour(tmp_path, ministack)
    for bucket in ("my-logs", "my-archives"):
        ministack.s3.create_bucket(Bucket=bucket)
    for number in range(20):
        ministack.s3.put_object(
            Bucket="my-logs", Key=f"2026/03/01/{number:02}.log", Body=b"a line\n" * number, ContentType="text/plain"
        )
    try:
        yield begun
    finally:
        begun.close()
        for bucket in ("my-logs", "my-archives"):
            for entry in ministack.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                ministack.s3.delete_object(Bucket=bucket, Key=entry["Key"])
            ministack.s3.delete_bucket(Bucket=bucket)


def test_every_command_does_what_the_page_says(tour: Tour) -> None:
    for block in BLOCKS:
        tour.run(block)
    demo = (tour.folder / "demo.txt").read_text()
    for block in BLOCKS:
        if block.info == "text demo":
            compare(block, demo)


def test_make_demo_in_a_clone_is_bindery_demo(tmp_path: Path) -> None:
    (block,) = (block for block in BLOCKS if block.info == "sh clone")
    text = block.text.replace("REPOSITORY", f"--quiet --depth 1 {ROOT.as_uri()}").replace("make demo", "make --dry-run demo")
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-ec", text], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("/bindery demo")


def test_the_make_targets_it_names_exist() -> None:
    named = set(re.findall(r"\bmake ([a-z][a-z-]+)", README.read_text() + (ROOT / "CONTRIBUTING.md").read_text()))
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= targets


def test_its_table_names_the_commands_there_are() -> None:
    done = subprocess.run([BIN / "bindery", "--help"], capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
    commands = re.findall(r"^  ([a-z]+) ", done.stdout.partition("Commands:")[2].partition("\n\n")[0], re.MULTILINE)
    assert [row[0] for row in table(README, "command")] == [f"`bindery {command}`" for command in commands]


def test_it_names_the_variables_that_are_read() -> None:
    variable = r"(?:S3ARCHIVEFS|BINDERY)_[A-Z_]+"
    read: set[str] = set()
    for folder in ("object_lambda", "archiver", "indexer", "bindery"):
        for module in (ROOT / folder).rglob("*.py"):
            read.update(re.findall(rf'"({variable})"', module.read_text()))
    numbered = {"S3ARCHIVEFS_PREFIX_VMAP"}  # 1 to 20, as the table says
    assert set(re.findall(rf"`({variable})", README.read_text())) - numbered == read


def test_the_functions_it_names_can_be_imported() -> None:
    named = set(re.findall(r"`((?:object_lambda|bindery|indexer|archiver)(?:\.\w+)+)\.(\w+)`", README.read_text()))
    assert {("object_lambda.olap", "handler"), ("object_lambda.gateway_lambda", "handler")} <= named
    for module, name in named:
        assert callable(getattr(import_module(module), name))


def test_its_table_names_the_kinds_of_archive_there_are() -> None:
    told = {kind: row[1] for row in table(README, "kind") for kind in re.findall(r"`([a-z0-9.]+)`", row[0])}
    assert set(told) == set(KINDS)
    assert {kind for kind, written in told.items() if written.startswith("yes")} == {
        kind.name for written in Format if (kind := by_name(f"x.{written}"))
    }


def test_its_table_names_the_exit_codes_there_are() -> None:
    told = {int(row[0]) for row in table(README, "code")}
    assert told == {answer.exit_code for answer in ANSWERS.values()} | {0, EXIT_UNEXPECTED, EXIT_INTERRUPTED}

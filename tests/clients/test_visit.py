"""A client's visit: nothing that went wrong is left out of its rows, and nothing it started is left behind."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.relay import Relay
from tests.clients.rows import GATEWAY, OK
from tests.clients.visit import Client, Door, Program, Visit
from tests.object_lambda.recorder import Recorder

ECHO = """
import sys
print('{"version": "7"}', flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        sys.exit("at its end")
    print('{"error": "no"}' if line.strip() == "fail" else '{"value": "%s"}' % line.strip(), flush=True)
"""


@pytest.fixture
def door() -> Iterator[Door]:
    recorder = Recorder()
    with Relay(recorder.port) as relay:
        yield Door(GATEWAY, relay, "bucket", "id", "secret", "region")
    recorder.close()


def curls(visit: Visit) -> None:
    visit.run("curl", "--silent", "--fail", f"{visit.door.endpoint}/bucket/key")


def finds_nothing(visit: Visit) -> None:
    assert visit.folder is None, "nothing there"


def ends_badly(visit: Visit) -> None:
    visit.run("cat", "absent")


def test_what_fails_is_a_row_and_the_next_operation_is_run(door: Door, tmp_path: Path) -> None:
    operations = {"fails": finds_nothing, "complains": ends_badly, "works": curls}
    rows = Client("client", lambda visit: "1", operations).visit(door, tmp_path)
    assert [(row.operation, row.requests) for row in rows] == [
        ("fails", "no request"),
        ("complains", "no request"),
        ("works", "1 GetObject"),
    ]
    assert rows[0].result.startswith("failed: nothing there")
    assert "cat: absent" in rows[1].result
    assert rows[2].result == OK


def test_what_the_machine_lacks_is_told_in_every_row(door: Door, tmp_path: Path) -> None:
    rows = Client("client", lambda visit: "1", {"one": curls, "two": curls}, lacks=lambda: "no wheels").visit(door, tmp_path)
    assert [row.cell for row in rows] == ["not run: no wheels"] * 2
    assert door.relay.take() == []


def test_a_program_answers_line_by_line_and_what_it_complains_of_is_told(tmp_path: Path) -> None:
    program = Program([sys.executable, "-c", ECHO], {}, tmp_path)
    assert (program.version, program.ask("one"), program.ask("two")) == ("7", "one", "two")
    with pytest.raises(AssertionError, match="no"):
        program.ask("fail")
    with pytest.raises(AssertionError, match="at its end"):
        program.ask("end")
    program.close()

"""The committed table of clients is the table that a run makes."""

import random

from tests.clients.clients import NOT_AT, ORDER, VISITS
from tests.clients.conftest import COMMAND
from tests.clients.rows import DOORS, GATEWAY, OK, Row, page, read_page
from tests.clients.visit import ROOT

PAGE = ROOT / "docs" / "clients.md"
ROWS = [
    Row(client.name, "1.0", operation, door, OK, "2 GetObject, 1 ranged GetObject")
    for client, door in VISITS
    for operation in client.operations
]


def test_the_page_tells_of_the_clients_and_operations_that_are_run() -> None:
    assert set(read_page(PAGE.read_text())) == {(row.client, row.operation, row.door) for row in ROWS}


def test_the_page_tells_of_a_run_in_which_everything_worked() -> None:
    assert [cell for cell in read_page(PAGE.read_text()).values() if not cell.startswith(f"{OK}: ")] == []


def test_the_page_does_not_depend_on_the_order_of_the_run() -> None:
    shuffled = random.Random(0).sample(ROWS, len(ROWS))
    assert page(shuffled, ORDER, NOT_AT, COMMAND) == page(ROWS, ORDER, NOT_AT, COMMAND)


def test_a_run_can_be_read_back_from_its_page() -> None:
    text = page(ROWS, ORDER, NOT_AT, COMMAND)
    assert read_page(text) == {(row.client, row.operation, row.door): row.cell for row in ROWS}
    assert [text.count(why) for (name, _), why in NOT_AT.items()] == [
        sum(client == name for client, _ in ORDER) for name, _ in NOT_AT
    ]


def test_whatever_a_failure_says_stays_in_its_cell() -> None:
    client, operation = ORDER[0]
    row = Row(client, "1|0", operation, GATEWAY, "failed: a | b\n| c", "")
    assert read_page(page([row], ORDER, NOT_AT, COMMAND)) == {(client, operation, DOORS[0]): r"failed: a \| b \| c"}

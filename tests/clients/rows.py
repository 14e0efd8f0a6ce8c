"""The table of `docs/clients.md`: its rows as a run makes them, its text, and its cells as the committed page has them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

GATEWAY: Final = "gateway"
ACCESS_POINT: Final = "access point"
DOORS: Final = (GATEWAY, ACCESS_POINT)
NOT_TRIED: Final = "-"
OK: Final = "ok"

INTRODUCTION: Final = """\
# Clients

Each of these clients reads, in the test suite, what Bindery serves: through the **gateway** with a signature that is checked, and
through an S3 Object Lambda **access point** of the test emulator, under its alias. A cell tells how it went and what the client
sent. Contents are compared byte by byte, listings name by name and size by size. `{command}` writes this page.

"""
CELL: Final = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Row:
    """One operation of one client at one door."""

    client: str
    version: str
    operation: str
    door: str
    result: str
    """`ok`, or how it failed, or why it was not run."""
    requests: str
    """What was sent (`relay.told`)."""

    @property
    def cell(self) -> str:
        """What the table says of it."""
        return f"{self.result}: {self.requests}" if self.result == OK else self.result


def page(rows: Iterable[Row], order: Sequence[tuple[str, str]], not_at: Mapping[tuple[str, str], str], command: str) -> str:
    """The page of a run; the same rows give the same text, in whatever order they were made.

    Args:
        rows: What was run.
        order: Client and operation of every line, in the order of the lines.
        not_at: Where a client cannot go, and why, by client and door.
        command: What writes the page.
    """
    made = list(rows)
    cells = {
        (client, operation, door): f"{NOT_TRIED} {not_at.get((client, door), '')}" for client, operation in order for door in DOORS
    }
    cells |= {(row.client, row.operation, row.door): _escaped(row.cell) for row in made}
    versions = {row.client: _escaped(row.version) for row in sorted(made, key=lambda row: row.version)}
    lines = [["client", "version", "operation", *DOORS], ["---"] * (3 + len(DOORS))]
    lines += [
        [client, versions.get(client, NOT_TRIED), operation, *(cells[client, operation, door].strip() for door in DOORS)]
        for client, operation in order
    ]
    return INTRODUCTION.format(command=command) + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def read_page(text: str) -> dict[tuple[str, str, str], str]:
    """The cells of a page by client, operation and door; those not tried are left out."""
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells: dict[tuple[str, str, str], str] = {}
    for line in table:
        client, _, operation, *told = (cell.strip() for cell in CELL.split(line)[1:-1])
        cells |= {(client, operation, door): cell for door, cell in zip(DOORS, told, strict=True) if not cell.startswith(NOT_TRIED)}
    return cells

"""Every client at every door it can go to."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.clients.clients import VISITS
from tests.clients.rows import GATEWAY, OK
from tests.clients.visit import Client


@pytest.mark.parametrize(("client", "door"), VISITS, ids=[f"{client.name} at the {door}" for client, door in VISITS])
def test_a_client_finds_what_was_packed(
    client: Client, door: str, request: pytest.FixtureRequest, tmp_path: Path, record_property: Any
) -> None:
    at = request.getfixturevalue("gateway_door" if door == GATEWAY else "access_point_door")
    rows = client.visit(at, tmp_path)
    for row in rows:
        record_property("client row", json.dumps(asdict(row)))
    if lacking := client.lacks():
        pytest.skip(f"{client.name} is not run: {lacking}")
    assert [f"{row.operation} {row.result}" for row in rows if row.result != OK] == []

"""The two doors that clients visit, and the page that a run can write of it (`--clients-page`)."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.clients import NOT_AT, ORDER
from tests.clients.contents import ROWS_A_FILE, TABLE_FILES, write_logs
from tests.clients.relay import Relay
from tests.clients.rows import ACCESS_POINT, GATEWAY, Row, page
from tests.clients.visit import PYTHON, ROOT, Door
from tests.servers.ministack import ACCESS_KEY, REGION, SECRET_KEY, Bucket, Ministack
from tests.servers.object_lambda import access_points, zip_of_packages
from tests.servers.process import HOST, ServerProcess, free_port

KEY_ID, SECRET = "READER", "reader-secret/with+signs"
GATEWAY_REGION = "eu-central-1"
BINDERY = str(Path(sys.executable).with_name("bindery"))
OPTION = "--clients-page"
COMMAND = "make clients"
ROW = "client row"
ROWS: pytest.StashKey[list[Row]] = pytest.StashKey()


ARCHIVES = {"logs": "logs.tar.zst", "tables": "tables.zip"}


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is packed: a folder of logs and one of tables."""
    folder = tmp_path_factory.mktemp("clients")
    write_logs(folder / "logs")
    tables = (PYTHON, "-m", "tests.clients.programs.tables", str(folder / "tables"), str(TABLE_FILES), str(ROWS_A_FILE))
    subprocess.run(tables, check=True, cwd=ROOT, timeout=60)
    return folder


def pack(sources: Path, place: str, env: Mapping[str, str]) -> dict[str, str]:
    """Packs both at a place with `bindery pack`; the archive of each."""
    for name, archive in ARCHIVES.items():
        subprocess.run(
            (BINDERY, "pack", str(sources / name), f"{place}/{archive}"),
            env={"PATH": "/usr/bin:/bin", **env},
            check=True,
            capture_output=True,
            timeout=60,
        )
    return {name: f"{place}/{archive}" for name, archive in ARCHIVES.items()}


@pytest.fixture(scope="session")
def gateway_door(sources: Path, server_folder: Path) -> Iterator[Door]:
    """`bindery serve`, which lets in one key."""
    keys = server_folder / "keys.json"
    keys.write_text(json.dumps({KEY_ID: {"secret": SECRET, "read": ["bucket"]}}))
    port = free_port()
    mounts = [f"--mount=bucket/{name}={archive}" for name, archive in pack(sources, str(server_folder), {}).items()]
    server = ServerProcess(
        (BINDERY, "serve", *mounts, "--port", str(port), "--keys", str(keys), "--region", GATEWAY_REGION),
        env={"PATH": "/usr/bin:/bin", "HOME": str(server_folder)},
        folder=server_folder,
        log=server_folder / "gateway.log",
    )
    try:
        server.wait_until_answering(f"http://{HOST}:{port}/health")
        with Relay(port) as relay:
            yield Door(GATEWAY, relay, "bucket", KEY_ID, SECRET, GATEWAY_REGION)
    finally:
        server.kill()


@pytest.fixture(scope="session")
def access_point_door(sources: Path, ministack: Ministack, server_folder: Path) -> Iterator[Door]:
    """The function behind an access point of the emulator; clients use its alias for a bucket. No signature is checked there."""
    bucket = Bucket("clients", ministack)
    bucket.client.create_bucket(Bucket=bucket.name)
    packed = pack(sources, bucket.url, ministack.env)
    mounts = {f"S3ARCHIVEFS_PREFIX_VMAP{number}": f"{name}|{packed[name]}" for number, name in enumerate(packed, 1)}
    env = {**mounts, "S3ARCHIVEFS_CACHE_DIR": str(server_folder / "clients-cache")}
    with access_points(ministack) as make, Relay(ministack.port) as relay:
        point = make(bucket, zip_of_packages("object_lambda", "indexer"), env, handler="object_lambda.olap.handler")
        yield Door(ACCESS_POINT, relay, point.alias, ACCESS_KEY, SECRET_KEY, REGION)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, type=Path, help="write the table of clients here")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ROWS] = []


class _Collector:
    """Takes the rows out of the reports, which come from every worker."""

    def __init__(self, rows: list[Row]) -> None:
        self._rows = rows

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._rows += [Row(**json.loads(str(value))) for name, value in report.user_properties if name == ROW]


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Collector(session.config.stash[ROWS]))


def pytest_sessionfinish(session: pytest.Session) -> None:
    place: Path | None = session.config.getoption(OPTION, None)
    rows: list[Row] = session.config.stash[ROWS]
    if place is not None and not hasattr(session.config, "workerinput"):
        place.write_text(page(rows, ORDER, NOT_AT, COMMAND))

"""What the gateway takes for a small GET and for a page of a listing, and in what memory, beside `rclone serve s3`."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.bench.bench import BINDERY, Bench
from tests.bench.measure import FailedError
from tests.bench.shelf import OURS, Shelf
from tests.bench.table import Answer, Table, mb, number
from tests.servers.process import HOST, ServerProcess, free_port

LOAD: Final = Path(__file__).with_name("load.py")
TICKS: Final = os.sysconf("SC_CLK_TCK")
HOT_KEYS: Final = 200
RSS_MOST_MB: Final = 180
"""80 MB, and the 96 MiB of pages and frames that it keeps by default."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server to put under load; each load becomes a row of `table`."""

    bench: Bench
    table: Table
    name: str
    port: int
    process: ServerProcess

    @property
    def cpu_s(self) -> float:
        """What it took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    @property
    def rss_bytes(self) -> int:
        """The most memory it held so far."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

    def load(self, what: str, paths: Sequence[str], *, clients: int, count: int) -> float:
        """Have `clients` ask for `paths` until there are `count` answers; returns the good ones for a second of its CPU."""
        self.bench.tell(f"serving: {self.name}, {what}, {clients} clients")
        listed = self.bench.folder / "paths"
        listed.write_text("".join(f"{path}\n" for path in paths))
        self._ask(listed, clients, max(count // 10, min(len(paths), count)))
        before_s = self.cpu_s
        with self.bench.server.traffic() as traffic:
            told = self._ask(listed, clients, count)
        taken_s = max(self.cpu_s - before_s, 1 / TICKS)
        failed: int = told["failed"]
        good: int = told["answers"] - failed
        self.table.add(
            self.name, what, clients, f"{good:,}" if not failed else f"{good:,} ({failed:,} failed)",
            number(int(good / taken_s)), number(taken_s / told["answers"] * 1e6),
            number(told["p50_ms"]), number(told["p99_ms"]), f"{traffic.requests:,}", mb(self.rss_bytes),
        )  # fmt: skip
        return good / taken_s

    def _ask(self, paths: Path, clients: int, count: int) -> dict[str, Any]:
        cost = self.bench.run(sys.executable, LOAD, HOST, str(self.port), str(clients), str(count), paths)
        told: dict[str, Any] = json.loads(cost.stdout)
        return told


def measure(bench: Bench) -> Answer:
    """Measure both under the same load."""
    answer = Answer("Serve")
    shelf = bench.shelf
    table = Table(
        "A server with one archive on S3, keep-alive clients in another process",
        ("server", "load", "clients", "answers", "a second of its CPU", "CPU us each", "p50 ms", "p99 ms", "S3 requests", "RSS MB"),
        note="`hot`: 200 members again and again; `spread`: members all over the archive; `list`: a page of 1,000 keys. A tenth of "
        "the load went before, as a warm-up. The times are those of clients on the same two cores: for comparison only. "
        "rclone serves the zip with a tenth of the members.",
    )
    answer.tables.append(table)
    hot, spread, lists = _paths(shelf, 500 if bench.quick else 5_000)
    count = 2_000 if bench.quick else 20_000
    cache = bench.scratch("serving-cache")
    ours = [str(BINDERY), "serve", "--mount", f"logs={shelf.url(OURS)}", "--cache", str(cache), "--port"]
    with _served(bench, table, "bindery serve", ours, path=f"/logs/{quote(shelf.key)}") as served:
        got = served.load("hot", [f"/logs/{path}" for path in hot], clients=16, count=count)
        served.load("spread", [f"/logs/{path}" for path in spread], clients=16, count=count)
        listed = served.load("list", [f"/logs{path}" for path in lists], clients=4, count=count // 20)
        served.load("spread", [f"/logs/{path}" for path in spread], clients=256, count=count)
        answer.at_most("gateway, RSS with 256 clients (80 MB and its caches)", served.rss_bytes / 1e6, RSS_MOST_MB, "MB")
    answer.at_least("gateway, hot GETs (1,000 is what a boto3 client can ask for)", got, 1_000, "GET/s of CPU")
    answer.at_most("gateway, CPU of a page of 1,000 keys", 1000 / listed, 10, "ms")
    # It opens a range to the end of the archive for every read: of the whole zip, that keeps the emulator busy for minutes.
    few = [quote(key) for key in sorted(shelf.objects.keys)[:HOT_KEYS]]
    bucket = few[0].partition("/")[0]
    remote = f":archive:S3:bench/{shelf.key_of('tenth.zip')}"
    rival = ["rclone", "serve", "s3", "-q", remote, "--addr"]
    try:
        with _served(bench, table, "rclone serve s3 (a tenth)", rival, path=f"/{few[0]}") as served:
            served.load("hot", [f"/{path}" for path in few], clients=16, count=count // 50)
            served.load("list", [f"/{bucket}?list-type=2&max-keys=1000"], clients=4, count=max(count // 1_000, 4))
    except FailedError as failed:
        bench.tell(f"serving: {failed}")
        table.add("rclone serve s3 (a tenth)", "gave up", *["-"] * 8)
    return answer


def _paths(shelf: Shelf, many: int) -> tuple[list[str], list[str], list[str]]:
    """Members asked again and again (side by side), `many` members from everywhere, and listings that start everywhere."""
    keys = sorted(shelf.objects.keys)
    access = [key for key in keys if key.startswith("access/")]
    hot = access[len(access) // 2 :][:HOT_KEYS]
    lists = [f"?list-type=2&max-keys=1000&start-after={quote(key, safe='')}" for key in keys[:: max(1, len(keys) // 20)]]
    return [quote(key) for key in hot], [quote(key) for key in keys[:: max(1, len(keys) // many)]], lists


@contextmanager
def _served(bench: Bench, table: Table, name: str, command: Sequence[str], *, path: str) -> Iterator[Served]:
    """Run a server until it answers `path`; its address or port is put behind `command`."""
    port = free_port()
    process = ServerProcess(
        [*command, f"{HOST}:{port}" if command[-1] == "--addr" else str(port)],
        env=bench.env(bench.server.env),
        folder=bench.folder,
        log=bench.folder / "served.log",
    )
    process.wait_until_answering(f"http://{HOST}:{port}{path}")
    try:
        yield Served(bench, table, name, port, process)
    finally:
        process.kill()

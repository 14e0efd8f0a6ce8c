"""What one member out of a big archive costs a fresh process, and what the next one costs, beside those who can do it."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tests.bench.bench import Bench
from tests.bench.measure import Cost, FailedError, cpu_ms, median_cpu_s, peak
from tests.bench.shelf import INDEXED, OURS, Shelf
from tests.bench.table import Answer, Table, mb, number

STATES: Final = {"empty process": "empty", "root known": "root", "page known": "page", "frame cached": "frame"}
MOST_REQUESTS: Final = {
    "get": {"empty": 3, "root": 2, "page": 1, "frame": 0},
    "head": {"empty": 2, "root": 1, "page": 0, "frame": 0},
    "list": {"empty": 3, "root": 2, "page": 0, "frame": 0},
}
"""DESIGN's promise: dependent requests by state before the call."""


@dataclass(frozen=True, slots=True)
class Reader:
    """One way to read a member.

    Args:
        name: Who reads.
        archive: Which archive of the shelf.
        read: Does it once, in a fresh process.
        rounds: How often; 0 for as often as the rest.
    """

    name: str
    archive: str
    read: Callable[[], Cost]
    rounds: int = 0


def measure(bench: Bench) -> Answer:
    """Measure one cold read by everyone, then ours by what is known before."""
    answer = Answer("Read one member")
    bench.tell("read: making the archives")
    shelf = bench.shelf
    table = Table(
        f"One cold member of {len(shelf.body):,} bytes, a fresh process each",
        (
            "reader",
            "archive",
            "archive MB",
            "members",
            "requests",
            "body bytes",
            "beyond the member",
            "bytes to ours",
            "CPU ms",
            "CPU to ours",
            "peak RSS MB",
        ),
        note="Everything on one S3 emulator, counted by the proxy before it. `bindery` is the floor alone in a small program, "
        "`bindery cat` the command line. `fails`: it ended with an error or with other bytes. "
        "Ours is `bindery` on the same archive, on all.tar.zst where we cannot read it.",
    )
    ours: dict[str, tuple[int, float]] = {}
    for reader in _readers(bench, shelf):
        _row(bench, answer, table, reader, ours)
    answer.tables += [table, _states(bench, answer, shelf)]
    return answer


def _readers(bench: Bench, shelf: Shelf) -> list[Reader]:
    env, key = bench.server.env, shelf.key

    def child(what: str, url: str, *arguments: str) -> Callable[[], Cost]:
        return lambda: bench.child(what, url, key, *arguments, env=env)

    def http(archive: str) -> str:
        return bench.server.http_url(shelf.key_of(archive))

    def ratarmount(archive: str, *, keep: bool) -> Callable[[], Cost]:
        index = bench.folder / f"{archive}.sqlite"

        def read() -> Cost:
            if not keep:
                index.unlink(missing_ok=True)
            return bench.child("ratarmount", http(archive), key, str(index), env=env)

        return read

    def rclone(archive: str) -> Callable[[], Cost]:
        return lambda: bench.run("rclone", "cat", f":archive:S3:bench/{shelf.key_of(archive)}/{key}", env=env)

    readers = [Reader("bindery", name, child("bindery", shelf.url(name))) for name in (OURS, *INDEXED)]
    readers.append(Reader("bindery cat", OURS, lambda: bench.bindery("cat", shelf.url(OURS), key, env=env)))
    for name in ("tenth.zip", "all.zip"):
        readers += [
            Reader("remotezip", name, child("remotezip", http(name))),
            Reader("fsspec zip::http", name, child("fsspec_zip", http(name))),
            Reader("fsspec zip::s3", name, child("fsspec_s3_zip", shelf.url(name))),
            Reader("rclone :archive:", name, rclone(name)),
            Reader("ratarmountcore, no index", name, ratarmount(name, keep=False), 2),
        ]
    readers.append(Reader("rclone :archive:", "all.sqfs", rclone("all.sqfs")))
    for name in ("all.tar", "all.tar.gz", "all.sqfs", OURS):
        readers += [
            Reader("ratarmountcore, no index", name, ratarmount(name, keep=False), 1),
            Reader("ratarmountcore, index local", name, ratarmount(name, keep=True)),
        ]
    return readers


def _row(bench: Bench, answer: Answer, table: Table, reader: Reader, ours: dict[str, tuple[int, float]]) -> None:
    """Measure one reader; `ours` is what we took, by archive."""
    shelf = bench.shelf
    bench.tell(f"read: {reader.name}, {reader.archive}")
    members = shelf.objects.count // 10 if reader.archive == "tenth.zip" else shelf.objects.count
    told = (reader.name, reader.archive, mb(shelf.sizes[reader.archive]), f"{members:,}")
    costs: list[Cost] = []
    requests: list[int] = []
    fetched: list[int] = []
    try:
        for _ in range(reader.rounds or bench.rounds):
            with bench.server.traffic() as traffic:
                costs.append(reader.read())
            requests.append(traffic.requests)
            fetched.append(traffic.bytes)
        whole = all(cost.stdout == shelf.body for cost in costs)
    except FailedError as failed:
        bench.tell(f"read: {reader.name} fails on {reader.archive}: {str(failed)[-200:]!r}")
        whole = False
    if not whole:
        table.add(*told, "fails", "-", "-", "-", "-", "-", "-")
        return
    beyond = max(fetched) - len(shelf.body)
    cpu_s = median_cpu_s(costs)
    if reader.name == "bindery":
        ours[reader.archive] = max(fetched), cpu_s
    our_bytes, our_cpu_s = ours.get(reader.archive, ours[OURS])
    table.add(
        *told, max(requests), f"{max(fetched):,}", f"{beyond:,}", f"{max(fetched) / our_bytes:.1f}",
        cpu_ms(costs), f"{cpu_s / our_cpu_s:.1f}", mb(peak(costs)),
    )  # fmt: skip
    if reader.name == "bindery":
        answer.at_most(f"cold GET out of {reader.archive}, {members:,} members", max(requests), 3, "requests")


def _states(bench: Bench, answer: Answer, shelf: Shelf) -> Table:
    """What the service takes by what it knows, worst of some members."""
    bench.tell("read: by state")
    step = max(1, shelf.objects.count // 30)
    keys = ",".join(sorted(shelf.objects.keys)[step // 2 :: step])
    cost = bench.child("states", shelf.url(OURS), keys, env=bench.server.env)
    told: dict[str, dict[str, list[list[Any]]]] = json.loads(cost.stdout)
    table = Table(
        "The service by what it knows before the call (all.tar.zst; worst of 30 members, CPU in the middle)",
        ("state", "call", "dependent requests", "promised", "requests", "body bytes", "CPU us"),
        note="Counted by the traced source. CPU includes sending the requests.",
    )
    for state, short in STATES.items():
        for call in ("get", "head", "list"):
            seen = told[short][call]
            depth, promised = max(each[0] for each in seen), MOST_REQUESTS[call][short]
            table.add(
                state, call.upper() + (" 1,000" if call == "list" else ""), depth, f"<= {promised}",
                max(each[1] for each in seen), f"{max(each[2] for each in seen):,}",
                number(int(statistics.median(each[3] for each in seen) * 1e6)),
            )  # fmt: skip
            answer.at_most(f"{call.upper()}, {state}", depth, promised, "requests")
    return table

"""What it costs a fresh process to list the members under a prefix, beside rclone."""

from tests.bench.bench import Bench
from tests.bench.measure import Cost, cpu_ms, peak
from tests.bench.table import Answer, Table, mb


def measure(bench: Bench) -> Answer:
    """Measure a day of logs, out of our archive and out of a zip."""
    answer = Answer("List")
    shelf = bench.shelf
    prefix = shelf.key.rpartition("/")[0] + "/" if "AWSLogs" in shelf.key else "access/2026-03-0"
    wanted = sum(key.startswith(prefix) for key in shelf.objects.keys)
    table = Table(
        f"The {wanted:,} members under a prefix, of {shelf.objects.count:,}",
        ("lister", "archive", "requests", "body bytes", "CPU ms", "peak RSS MB"),
        note="A fresh process each; what it printed was counted.",
    )
    env = bench.server.env

    def row(name: str, archive: str, *command: str) -> tuple[list[Cost], int]:
        bench.tell(f"listing: {name}, {archive}")
        costs, requests, fetched = [], 0, 0
        for _ in range(bench.rounds):
            with bench.server.traffic() as traffic:
                costs.append(bench.run(*command, env=env))
            requests, fetched = max(requests, traffic.requests), max(fetched, traffic.bytes)
        right = all(len(cost.stdout.splitlines()) == wanted for cost in costs)
        table.add(name, archive, requests if right else "fails", f"{fetched:,}", cpu_ms(costs), mb(peak(costs)))
        return costs, requests

    for archive in ("all.tar.zst", "all.zip"):
        _, requests = row("bindery ls -r", archive, "bindery", "ls", shelf.url(archive), prefix, "-r")
        pages = -(-wanted // 1000)
        answer.at_most(f"list {wanted:,} keys out of {archive}, empty process", requests, 1 + 2 * pages, "requests")
    for archive in ("all.zip", "all.sqfs"):
        folder = prefix if prefix.endswith("/") else prefix.rpartition("/")[0] + "/"
        inside = f":archive:S3:bench/{shelf.key_of(archive)}/{folder}"
        only = () if prefix.endswith("/") else ("--include", f"/{prefix[len(folder) :]}*")
        row("rclone lsf -R", archive, "rclone", "lsf", "-R", "--files-only", *only, inside)
    answer.tables.append(table)
    return answer

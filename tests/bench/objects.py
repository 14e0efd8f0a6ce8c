"""Small objects to pack: from our generator, or real log lines cut as services deliver them."""

import math
import random
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from archiver.samples import BEGIN, KINDS, samples
from tests.bench.server import CountedServer

Body = tuple[str, bytes]
"""A key and what lies under it."""

MEDIAN_LINES: Final = 3.6
"""Makes objects of 2 KB on average."""
REAL_MEDIAN_LINES: Final = 9.0
DAYS: Final = 31
UPLOADS: Final = 16


@dataclass(frozen=True, slots=True)
class Objects:
    """Objects in a folder.

    Args:
        folder: Where; a key is the path below it.
        count: How many.
        total_bytes: Their bytes in all.
        keys: In the order of their making.
    """

    folder: Path
    count: int
    total_bytes: int
    keys: list[str]

    def body(self, key: str) -> bytes:
        """One of them."""
        return (self.folder / key).read_bytes()


def small(count: int, *, seed: int = 7) -> Iterator[Body]:
    """`count` logs of 2 KB on average, of four kinds, spread over a month."""
    pick = random.Random(seed)
    kinds = tuple(KINDS.values())
    for number in range(count):
        when = BEGIN + timedelta(days=DAYS * number / count)
        made = kinds[number % len(kinds)](pick, when, max(1, min(int(pick.lognormvariate(math.log(MEDIAN_LINES), 0.8)), 400)))
        yield made.key, made.body


def large(count: int, size: int) -> Iterator[Body]:
    """`count` logs of `size` bytes."""
    lines = b"".join(sample.body for sample in samples(max(200, size * 8 // 5_000)))
    pick = random.Random(size)
    for number in range(count):
        start = pick.randrange(len(lines) - size)
        yield f"large/{number:06d}-{pick.getrandbits(64):016X}.log", lines[start : start + size]


def real(folder: Path) -> Iterator[Body]:
    """The lines of every `*.log` in a folder, once, cut into objects of a few lines with the names that services give them."""
    pick = random.Random(8130)
    for log in sorted(folder.glob("*.log")):
        kind, lines, at = log.name.split(".")[0], log.read_bytes().splitlines(keepends=True), 0
        while at < len(lines):
            take = max(1, int(pick.lognormvariate(math.log(REAL_MEDIAN_LINES), 0.8)))
            when = datetime(2022, 7, 1, tzinfo=UTC) + timedelta(seconds=86_400 * at // len(lines))
            name = f"{kind}-{when:%Y-%m-%d-%H-%M-%S}-{pick.getrandbits(64):016X}"
            yield f"{kind}/{when:%Y/%m/%d}/{name}", b"".join(lines[at : at + take])
            at += take


def write(objects: Iterable[Body], folder: Path) -> Objects:
    """Write objects as files."""
    made: set[Path] = set()
    keys, total = [], 0
    for key, body in objects:
        path = folder / key
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_bytes(body)
        keys.append(key)
        total += len(body)
    return Objects(folder, len(keys), total, keys)


def upload(objects: Objects, server: CountedServer, prefix: str) -> str:
    """Store objects below a prefix; returns its URL."""

    def put(key: str) -> None:
        server.store.put(f"{prefix}/{key}", objects.body(key))

    with ThreadPoolExecutor(UPLOADS) as threads:
        for _ in threads.map(put, objects.keys, chunksize=64):
            pass
    return f"s3://bench/{prefix}/"

"""How large an index is, how fast it is built, and what it costs to look into it, from 10^4 to 10^7 members."""

import json
import random
import statistics
from pathlib import Path
from typing import Any, Final

from indexer.limits import TAIL_BYTES
from tests.bench.archives import MadeZip, Maker, make_zip
from tests.bench.bench import Bench
from tests.bench.table import Answer, Table, mb, number

Steps = dict[str, list[list[int]]]
"""By step: dependent requests, requests and bytes of each time it was done."""

LOOKED_AT: Final = 40
RATED_MEMBERS: Final = 100_000
"""A rate is judged from here on; below, the start of the process would be judged."""


def measure(bench: Bench) -> Answer:
    """Measure it on zips whose members have names with 64 random bits."""
    answer = Answer("Index")
    size = Table(
        "Index of a zip, from its central directory",
        (
            "members",
            "zip as written by",
            "B a member",
            "entries/s of CPU",
            "build CPU s",
            "build RSS MB",
            "zip directory MB",
            "index MB",
        ),
        note="Names such as `auth/2026/03/01/auth-2026-03-01-09-15-27-07743AF9064D8F9A`; the entries of "
        "Python's zipfile have no extra fields, those of Info-ZIP time and owner, ours also the MD5 of each object (16 B of the "
        "index). Entries/s count the build alone, RSS all of the process.",
    )
    look = Table(
        "Cost of a look into it, with the root known but no page (the worst of some members)",
        ("members", "zip as written by", "first read B", "open", "HEAD requests", "HEAD B", "GET requests", "GET B beyond it",
         "LIST 1,000 requests", "LIST B", "LIST CPU ms"),
        note="Requests are dependent ones. The member is deflated by itself, as in every zip; a frame of ours is measured below.",
    )  # fmt: skip
    answer.tables += [size, look]
    counts = (10_000, 100_000) if bench.quick else (10_000, 1_000_000, 10_000_000)
    seen = [
        _one(bench, answer, size, look, members, maker=maker)
        for members in counts
        for maker in Maker
        if maker is not Maker.PYTHON or members < counts[-1]
    ]
    bench.drop("index")
    answer.at_most("first read of an index, every size", max(_worst(steps["open"], 2) for steps in seen), TAIL_BYTES, "B")
    answer.at_most("opening an index, every size", max(_worst(steps["open"], 0) for steps in seen), 1, "requests")
    answer.at_most("HEAD with the root known, every size", max(_worst(steps["find"], 0) for steps in seen), 1, "requests")
    answer.at_most("LIST 1,000 with the root known, every size", max(_worst(steps["list"], 0) for steps in seen), 2, "requests")
    return answer


def _one(bench: Bench, answer: Answer, size: Table, look: Table, members: int, *, maker: Maker) -> Steps:
    bench.tell(f"index: {members:,} members, {maker.value}")
    folder = bench.scratch("index")
    made = make_zip(folder / "a.zip", members, maker=maker)
    index = folder / "a.zip.bindery"
    runs = [bench.child("build", made.path, index) for _ in range(1 if members > 1_000_000 else 3)]
    told = [json.loads(run.stdout) for run in runs]
    cpu_s = statistics.median(each["cpu_s"] for each in told)
    per_member = told[0]["index_bytes"] / members
    rss = max(run.rss_bytes for run in runs)
    size.add(
        f"{members:,}", maker.value, number(per_member), number(int(members / cpu_s)), number(cpu_s), mb(rss),
        mb(made.directory_bytes), mb(told[0]["index_bytes"]),
    )  # fmt: skip
    told_look = _look(bench, made, index)
    _look_row(look, told_look, members, maker)
    what = f"{members:,} members, {maker.value}"
    most = 36 if maker is Maker.BINDERY else 20
    answer.at_most(f"index of a zip{' with MD5' if most == 36 else ''}, {what}", per_member, most, "B a member")
    if members >= RATED_MEMBERS:
        answer.at_least(f"index of a zip, build, {what}", members / cpu_s, 200_000, "entries/s of CPU")
        answer.at_most(f"index of a zip, peak RSS of the build, {what}", rss / 1e6, 256, "MB")
    steps: Steps = told_look["steps"]
    return steps


def _look(bench: Bench, made: MadeZip, index: Path) -> dict[str, Any]:
    names = sorted(made.samples)
    chosen = random.Random(3).sample(names, min(LOOKED_AT, len(names)))
    wanted = index.with_suffix(".names")
    wanted.write_text(json.dumps({name: len(made.samples[name]) for name in chosen}))
    told: dict[str, Any] = json.loads(bench.child("look", index, made.path, wanted).stdout)
    return told


def _look_row(look: Table, told: dict[str, Any], members: int, maker: Maker) -> None:
    steps = told["steps"]
    opened, find, read, listed = steps["open"], steps["find"], steps["read"], steps["list"]
    look.add(
        f"{members:,}",
        maker.value,
        f"{opened[0][2]:,}",
        opened[0][0],
        _worst(find, 0),
        f"{_worst(find, 2):,}",
        _worst(find, 0) + _worst(read, 0),
        f"{_worst(find, 2):,}",
        _worst(listed, 0),
        f"{_worst(listed, 2):,}",
        number(statistics.median(told["cpu_s"]["list"]) * 1000),
    )


def _worst(steps: list[list[int]], what: int) -> int:
    return max(step[what] for step in steps)

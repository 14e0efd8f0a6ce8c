"""Sorts what does not fit memory: sorted runs on disk, merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from archiver.scratch import Rows

RUN_ROWS: Final = 100_000
"""Rows sorted in memory at once: about 15 MB of names."""

RUNS: Final = 64
"""Most runs merged at once; of more, so many are first merged to one."""

Row = tuple[Any, ...]


def in_order(names: Iterable[bytes], scratch: Path, *, run_names: int = RUN_ROWS) -> Iterator[bytes]:
    """Sort names by their bytes and drop repeated ones, in bounded memory.

    Args:
        names: In any order.
        scratch: Folder for runs, used when there are more than `run_names`.
        run_names: Names held in memory.
    """
    for (name,), _ in groupby(sorted_rows(((name,) for name in names), scratch, run_rows=run_names)):
        yield name


def sorted_rows(rows: Iterable[Row], scratch: Path, *, run_rows: int = RUN_ROWS) -> Iterator[Row]:
    """Sort plain tuples, in bounded memory.

    Args:
        rows: In any order, of values as `Rows` takes them; those that come first in each decide, and can be compared.
        scratch: Folder for runs, used when there are more than `run_rows`.
        run_rows: Rows held in memory.
    """
    runs: list[Rows[Row]] = []
    held: list[Row] = []
    try:
        for row in rows:
            held.append(row)
            if len(held) == run_rows:
                runs.append(_run(sorted(held), scratch))
                held = []
            if len(runs) == RUNS:
                merged = _run(heapq.merge(*runs), scratch)
                for run in runs:
                    run.close()
                runs = [merged]
        held.sort()
        yield from heapq.merge(*runs, held)
    finally:
        for run in runs:
            run.close()


def _run(rows: Iterable[Row], scratch: Path) -> Rows[Row]:
    run: Rows[Row] = Rows(scratch, tuple)
    for row in rows:
        run.add(row)
    return run

"""Sorts names that do not fit memory: sorted runs on disk, merged."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from archiver.scratch import Rows

RUN_NAMES: Final = 100_000
"""Names sorted in memory at once: about 15 MB."""

RUNS: Final = 64
"""Most runs merged at once; of more, so many are first merged to one."""


def in_order(names: Iterable[bytes], scratch: Path, *, run_names: int = RUN_NAMES) -> Iterator[bytes]:
    """Sort names by their bytes and drop repeated ones, in bounded memory.

    Args:
        names: In any order.
        scratch: Folder for runs, used when there are more than `run_names`.
        run_names: Names held in memory.
    """
    runs: list[Rows[tuple[Any, ...]]] = []
    held: list[bytes] = []
    try:
        for name in names:
            held.append(name)
            if len(held) == run_names:
                runs.append(_run(sorted(held), scratch))
                held = []
            if len(runs) == RUNS:
                merged = _run(_merge(runs), scratch)
                for run in runs:
                    run.close()
                runs = [merged]
        held.sort()
        for name, _ in groupby(heapq.merge(_merge(runs), held)):
            yield name
    finally:
        for run in runs:
            run.close()


def _run(names: Iterable[bytes], scratch: Path) -> Rows[tuple[Any, ...]]:
    run: Rows[tuple[Any, ...]] = Rows(scratch, tuple)
    for name in names:
        run.add((name,))
    return run


def _merge(runs: list[Rows[tuple[Any, ...]]]) -> Iterator[bytes]:
    return (name for (name,) in heapq.merge(*runs))

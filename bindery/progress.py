"""Progress bars for long work: on a terminal, and nowhere else."""

from __future__ import annotations

from typing import Final, Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from archiver.progress import Phase
from bindery.console import count, err, size

TITLES: Final = {
    Phase.SELECT: "Selecting sources",
    Phase.PACK: "Fetching and packing",
    Phase.INDEX: "Indexing what was written",
    Phase.VERIFY: "Reading every member back",
    Phase.UPLOAD: "Uploading the archive",
}


class Bars:
    """Shows steps of work, one line each. A context manager, and an `archiver.progress.Progress`."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description:<26}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[done]:<28}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=err,
            disable=not err.is_terminal,
        )
        self._task: TaskID | None = None
        self._members = self._bytes = 0
        self._weighs_bytes = False

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._bars.stop()

    def begin(self, phase: Phase, members: int | None, member_bytes: int | None) -> None:
        """As `Progress.begin`: the bar fills with bytes where there are any, else with members."""
        self.step(TITLES[phase], member_bytes or members)
        self._weighs_bytes = bool(member_bytes)

    def advance(self, members: int, member_bytes: int) -> None:
        """As `Progress.advance`."""
        self.show(self._members + members, self._bytes + member_bytes)

    def step(self, title: str, total: int | None) -> None:
        """Begin a line; `total` is what it takes to fill the bar, None when that is not known."""
        self._members = self._bytes = 0
        self._weighs_bytes = False
        self._task = self._bars.add_task(title, total=total, done="")

    def show(self, members: int, member_bytes: int, *, total: int | None = None) -> None:
        """Say how much of the step is done in all."""
        if self._task is None:
            return
        self._members, self._bytes = members, member_bytes
        done = count(members) + (f", {size(member_bytes)}" if member_bytes else "")
        self._bars.update(self._task, completed=member_bytes if self._weighs_bytes else members, done=done, total=total)

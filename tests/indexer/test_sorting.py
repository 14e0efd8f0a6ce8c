"""Rows come back sorted, each name once and the later one, however small the runs are."""

from __future__ import annotations

import marshal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import sorting
from indexer.errors import DiskFull
from indexer.model import Member
from indexer.rows import row
from indexer.sorting import RowSorter
from tests.indexer.indexfile.made import NAMES, frames, members, plain_members


@contextmanager
def sized(run_members: int, block_members: int, merged_runs: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sorting, "RUN_MEMBERS", run_members)
        patch.setattr(sorting, "BLOCK_MEMBERS", block_members)
        patch.setattr(sorting, "MERGED_RUNS", merged_runs)
        yield


def empty_rows(names: Sequence[bytes]) -> list[Member]:
    """Members that differ in their time alone: which one of a name is kept shows."""
    return [Member(name, 0, at, ()) for at, name in enumerate(names)]


def batches(of: Sequence[Member], length: int) -> Iterator[list[tuple[Any, ...]]]:
    for at in range(0, len(of), length):
        yield [row(member) for member in of[at : at + length]]


def sorted_by(sorter: RowSorter, of: Sequence[Member], batch: int) -> list[tuple[Any, ...]]:
    try:
        for some in batches(of, batch):
            sorter.add(some)
        return list(sorter.sorted())
    finally:
        sorter.close()


@settings(max_examples=200)
@given(
    names=st.lists(NAMES | st.sampled_from([b"a", b"b", b"c"]), max_size=60),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(2, 4)),
    batch=st.integers(1, 7),
)
def test_names_in_any_order_come_back_sorted_once_each_the_last_one_wins(
    names: list[bytes], sizes: tuple[int, int, int], batch: int
) -> None:
    of = empty_rows(names)
    last = {member.name: member for member in of}
    with sized(*sizes), tempfile.TemporaryDirectory() as scratch:
        sorter = RowSorter(Path(scratch))
        assert sorted_by(sorter, of, batch) == [row(last[name]) for name in sorted(last)]
        assert sorter.duplicates == len(of) - len(last)
        assert len(sorter.duplicate_examples) == min(sorter.duplicates, 10)
        assert {name.encode() for name in sorter.duplicate_examples} <= set(last)
        assert list(Path(scratch).iterdir()) == []


@given(data=st.data())
def test_rows_of_every_form_survive_the_disk(data: st.DataObject) -> None:
    pool = data.draw(frames())
    of = [data.draw(members(name, pool)) for name in data.draw(st.lists(NAMES, min_size=1, max_size=8, unique=True))]
    with sized(1, 1, 2), tempfile.TemporaryDirectory() as scratch:
        assert sorted_by(RowSorter(Path(scratch)), of, 1) == sorted(map(row, of), key=lambda one: one[0])


def test_few_members_never_touch_the_disk(tmp_path: Path) -> None:
    of = plain_members(500)
    assert sorted_by(RowSorter(tmp_path / "there is no such folder"), of[::-1], 50) == [row(member) for member in of]


def test_nothing_gives_nothing(tmp_path: Path) -> None:
    assert sorted_by(RowSorter(tmp_path), [], 1) == []


def test_every_run_is_read_in_blocks_while_runs_are_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded memory: no more than a block of each run is taken in, whatever the length of the runs."""
    taken: list[int] = []
    whole = marshal.loads

    def counted(data: bytes) -> Any:
        block = whole(data)
        taken.append(len(block))
        return block

    of = plain_members(5000)
    with sized(1000, 16, 4):
        sorter = RowSorter(tmp_path)
        for some in batches(of[::-1], 100):
            sorter.add(some)
        monkeypatch.setattr(marshal, "loads", counted)
        merged = sorter.sorted()
        taken.clear()
        next(merged)
        assert sum(taken) <= 3 * 16 * 4
        assert len([None, *merged]) == 5000
        assert max(taken) <= 16
        sorter.close()


def test_a_full_disk_is_told_as_such_and_nothing_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []

    def full(**_: object) -> IO[bytes]:
        opened.append(open("/dev/full", "w+b"))  # noqa: PTH123, SIM115 - a device, as the system has it
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with sized(10, 4, 2):
        sorter = RowSorter(tmp_path)
        with pytest.raises(DiskFull, match="TMPDIR"):
            sorted_by(sorter, plain_members(100), 10)
    assert opened
    assert all(file.closed for file in opened)


def test_closing_gives_the_runs_back_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[IO[bytes]] = []
    really = tempfile.TemporaryFile

    def kept(**named: Any) -> IO[bytes]:
        opened.append(really(**named))
        return opened[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", kept)
    with sized(5, 2, 2):
        sorter = RowSorter(tmp_path)
        for some in batches(plain_members(60)[::-1], 5):
            sorter.add(some)
        next(sorter.sorted())
        sorter.close()
    assert len(opened) > 12
    assert all(file.closed for file in opened)

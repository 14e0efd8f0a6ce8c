"""What the benchmark measures with is right: its archives, its counting, its processes."""

import sys
import zipfile
from pathlib import Path

import pytest

from indexer.build import build_index
from indexer.source.local import LocalSource
from tests.bench.archives import SAMPLE, Maker, make_zip
from tests.bench.measure import FailedError, environment, run
from tests.bench.server import BUCKET, CountedServer
from tests.bench.table import Answer, Table


@pytest.mark.parametrize("maker", Maker)
def test_a_made_zip_is_one_for_python_too_and_its_samples_have_bytes(tmp_path: Path, maker: Maker) -> None:
    made = make_zip(tmp_path / "a.zip", 2 * SAMPLE + 1, maker=maker)
    with zipfile.ZipFile(made.path) as archive:
        assert len(set(archive.namelist())) == made.members == 2 * SAMPLE + 1
        assert len(made.samples) == 3
        assert all(archive.read(name) == body for name, body in made.samples.items())


def test_a_made_zip_is_indexed_whole(tmp_path: Path) -> None:
    made = make_zip(tmp_path / "a.zip", 5_000, maker=Maker.BINDERY)
    summary = build_index(f"file://{made.path}", LocalSource(), lambda _: None, scratch=tmp_path)
    assert (summary.members, summary.unreadable, summary.left_out) == (5_000, 0, {})


def test_a_process_is_charged_for_its_children(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    cost = run(["sh", "-c", f"{sys.executable} -c '{burn}'; true"], env=environment(tmp_path))
    assert cost.cpu_s >= 0.3


def test_the_memory_of_whoever_measures_is_not_charged(tmp_path: Path) -> None:
    ballast = bytearray(200_000_000)
    assert run(["true"], env=environment(tmp_path)).rss_bytes < len(ballast) // 4


def test_a_program_that_fails_is_an_error_that_tells_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(FailedError, match="out of luck"):
        run(["sh", "-c", "echo out of luck >&2; exit 3"], env=environment(tmp_path))


def test_requests_and_bytes_are_those_that_went_over_the_wire(tmp_path: Path) -> None:
    server = CountedServer(tmp_path / "s3")
    try:
        (tmp_path / "object").write_bytes(bytes(10_000))
        assert server.upload(tmp_path / "object", "a") == f"s3://{BUCKET}/a"
        with server.traffic() as traffic:
            cost = run(["curl", "-s", "-r", "10-109", server.http_url("a")], env=environment(tmp_path))
        assert (traffic.requests, traffic.bytes, len(cost.stdout)) == (1, 100, 100)
        with server.traffic() as traffic:
            pass
        assert (traffic.requests, traffic.bytes) == (0, 0)
    finally:
        server.close()


def test_a_missed_target_is_told_as_missed() -> None:
    answer = Answer("any")
    answer.at_most("size", 21, 20, "B")
    answer.at_least("rate", 300, 200, "/s")
    assert [(promise.met, promise.verdict) for promise in answer.promises] == [(False, "**no**"), (True, "yes")]


def test_a_table_takes_rows_of_its_width_only() -> None:
    table = Table("any", ("one", "two"))
    with pytest.raises(ValueError, match="3 cells"):
        table.add(1, 2, 3)

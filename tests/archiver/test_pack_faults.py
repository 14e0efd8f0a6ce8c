"""Whatever fails, wherever: one error of ours, nothing published, nothing left behind; and the next run is not hindered."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import archiver.pack
import indexer.build
from archiver import fetch, folders, uploads
from archiver.pack import Outcome, PackReport
from archiver.settings import Format
from indexer.errors import AccessRefused, BinderyError, DiskFull, SourceChanged, VerifyFailed
from indexer.limits import MIB
from tests.archiver.proxy import Proxy, proxy
from tests.archiver.trees import BOTH, Tree, bodies, pack_to, sample_tree, write_tree
from tests.servers.ministack import Bucket, Ministack

FORMATS = pytest.mark.parametrize("kind", BOTH)


@pytest.fixture
def through(ministack: Ministack) -> Iterator[Proxy]:
    """The emulator's bad side."""
    with proxy(ministack) as state:
        yield state


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 1 MiB, so that a small archive has several."""
    monkeypatch.setattr(uploads, "FIRST_PART_BYTES", MIB)


@pytest.fixture
def sources(s3_bucket: Bucket) -> Tree:
    """Some logs, and noise enough for an archive of several parts."""
    pick = random.Random(3)
    tree = {**sample_tree(8), "noise-1": pick.randbytes(MIB), "noise-2": pick.randbytes(MIB), "noise-3": b"small"}
    for key, body in tree.items():
        s3_bucket.put(f"in/{key}", body)
    return tree


def left_behind(bucket: Bucket) -> tuple[list[str], list[str]]:
    return bucket.keys("out/"), bucket.uploads()


def run_through(through: Proxy, bucket: Bucket, **settings: Any) -> PackReport:
    through.seen.clear()
    return pack_to(f"{bucket.url}/in", f"{bucket.url}/out/x", env=through.env(bucket.server), concurrency=2, **settings)


@pytest.mark.usefixtures("small_parts")
class TestEveryRequest:
    """Each request of a pack, spoiled in turn."""

    @FORMATS
    def test_refused_it_ends_the_pack_and_leaves_nothing(
        self, through: Proxy, s3_bucket: Bucket, sources: Tree, kind: Format
    ) -> None:
        run_through(through, s3_bucket, format=kind)
        requests = len(through.seen)
        failures = 0
        for spoiled in range(requests):
            for key in s3_bucket.keys("out/"):
                s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key=key)
            through.spoil = only(spoiled, "refuse")
            there = ["out/x", "out/x.bindery"]
            try:
                run_through(through, s3_bucket, format=kind)
            except AccessRefused:
                there = []
                failures += 1
            assert left_behind(s3_bucket) == (there, []), through.seen[spoiled]
        assert failures >= requests - 2

    def test_unanswered_it_is_sent_again_and_the_pack_succeeds(self, through: Proxy, s3_bucket: Bucket, sources: Tree) -> None:
        run_through(through, s3_bucket)
        kinds = {re.sub(r"\d+|in/\S+|=[^&]*", "", name): number for number, name in enumerate(through.seen)}
        for spoiled in kinds.values():  # one of each kind: clients wait before they try again
            for key in s3_bucket.keys("out/"):
                s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key=key)
            through.spoil = only(spoiled, "lose")
            report = run_through(through, s3_bucket)
            assert report.outcome is Outcome.PACKED
            assert left_behind(s3_bucket) == (["out/x", "out/x.bindery"], []), through.seen
            assert bodies(report, s3_bucket.server.env) == sources


class TestSources:
    """Sources that do not stand still."""

    @FORMATS
    def test_one_replaced_after_it_was_listed_ends_the_pack(
        self, through: Proxy, s3_bucket: Bucket, sources: Tree, kind: Format
    ) -> None:
        through.spoil = on(r"GET .*/in/", lambda: s3_bucket.put("in/noise-3", b"another"))
        with pytest.raises(SourceChanged, match="was replaced while it was packed"):
            run_through(through, s3_bucket, format=kind)
        assert left_behind(s3_bucket) == ([], [])

    def test_one_that_vanished_ends_the_pack(self, through: Proxy, s3_bucket: Bucket, sources: Tree) -> None:
        through.spoil = on(r"GET .*/in/", lambda: s3_bucket.client.delete_object(Bucket=s3_bucket.name, Key="in/noise-3"))
        with pytest.raises(SourceChanged, match="vanished while it was packed"):
            run_through(through, s3_bucket)
        assert left_behind(s3_bucket) == ([], [])

    @pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"longer than before")], ids=["gone", "changed"])
    def test_so_does_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]) -> None:
        tree = write_tree(tmp_path / "in", {"a": b"1", "b": b"2"})
        read = folders.FolderReader.read

        def meddle(self: Any, chosen: Any, start: int, stop: int) -> Any:
            if chosen.name == b"b":
                change(tree / "b")
            return read(self, chosen, start, stop)

        monkeypatch.setattr(folders.FolderReader, "read", meddle)
        with pytest.raises(SourceChanged):
            pack_to(tree, tmp_path / "out/x.zip")
        assert list((tmp_path / "out").iterdir()) == []


def only(spoiled: int, what: str) -> Callable[[int, str], str]:
    """Spoils one request."""
    return lambda number, name: what if number == spoiled else ""


def on(pattern: str, action: Callable[[], Any]) -> Callable[[int, str], str]:
    """Does something once, before the first request whose name matches is passed on."""
    once = threading.Lock()

    def spoil(number: int, name: str) -> str:
        if re.search(pattern, name) and once.acquire(blocking=False):
            action()
        return ""

    return spoil


class TestVerification:
    @FORMATS
    def test_an_archive_that_does_not_hold_what_was_fetched_is_withdrawn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Format
    ) -> None:
        tree = write_tree(tmp_path / "in", sample_tree(5))
        monkeypatch.setattr(archiver.pack, "fetch", spoiled(fetch.fetch))
        with pytest.raises(VerifyFailed, match=r"crc32 is|checksum"):
            pack_to(tree, tmp_path / "out/x", format=kind)
        assert list((tmp_path / "out").iterdir()) == []

    def test_one_that_was_replaced_meanwhile_is_not_ours_to_remove(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        tree = write_tree(tmp_path / "in", sample_tree(5))
        build = indexer.build.build_index

        def replace(*args: Any, **named: Any) -> Any:
            (tmp_path / "out/x.zip").write_bytes(b"somebody else's")
            return build(*args, **named)

        monkeypatch.setattr(archiver.pack, "build_index", replace)
        with pytest.raises(BinderyError):
            pack_to(tree, tmp_path / "out/x.zip", format=Format.ZIP)
        assert [(path.name, path.read_bytes()) for path in (tmp_path / "out").iterdir()] == [("x.zip", b"somebody else's")]


def spoiled(fetch: Any) -> Any:
    """`fetch`, but the writer is given other bytes than were summed up."""

    def fetched(*args: Any, **named: Any) -> Iterator[Any]:
        for number, piece in enumerate(fetch(*args, **named)):
            yield piece._replace(data=piece.data[:-1] + b"?") if number == 2 else piece

    return fetched


def test_a_full_scratch_folder_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = write_tree(tmp_path / "in", {f"{number:04d}": b"1" for number in range(600)})

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("archiver.scratch.marshal.dump", full)
    with pytest.raises(DiskFull, match="scratch"):
        pack_to(tree, tmp_path / "out/")
    assert not (tmp_path / "out").exists()


SCRIPT = """
import os, sys
from archiver.interrupt import Terminated
from archiver.settings import PackSettings
from archiver import uploads
from archiver.pack import pack
uploads.FIRST_PART_BYTES = 1 << 20
try:
    pack(PackSettings(sys.argv[1], sys.argv[2], concurrency=2, threads=1, env=dict(os.environ)))
except (Terminated, KeyboardInterrupt) as end:
    sys.exit(f"ended by {type(end).__name__}")
"""

STAGES = {
    "while fetching": r"GET .*/in/noise-2",
    "while uploading": r"PUT .*partNumber=2",
    "before it is complete": r"POST .*uploadId=",
    "while indexing": r"GET .*/out/in-[0-9a-f]{8}.tar.zst$",
    "before the index is there": r"PUT .*\.bindery",
}


def stopped(stage: str, through: Proxy, bucket: Bucket, end: signal.Signals) -> tuple[int, str]:
    """Run a pack until a stage of it, then send it a signal; tells how it ended."""
    reached, go_on = threading.Event(), threading.Event()

    def stall() -> None:
        reached.set()
        go_on.wait(60)

    through.spoil = on(STAGES[stage], stall)
    arguments = [sys.executable, "-c", SCRIPT, f"{bucket.url}/in", f"{bucket.url}/out/"]
    environment = {**os.environ, **through.env(bucket.server)}
    with subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert reached.wait(60), process.communicate()
        process.send_signal(end)
        if end is signal.SIGKILL:
            process.wait(30)
        go_on.set()
        _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_pack_is_completed_by_the_next_run(through: Proxy, s3_bucket: Bucket, sources: Tree, stage: str) -> None:
    assert stopped(stage, through, s3_bucket, signal.SIGKILL)[0] == -signal.SIGKILL
    report = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", env=s3_bucket.server.env)
    # What had been sent when the process died may still arrive.
    assert report.outcome in {"before it is complete": [Outcome.PACKED, Outcome.RESUMED]}.get(stage, list(Outcome))
    name = f"out/in-{report.sources[:8]}.tar.zst"
    assert left_behind(s3_bucket) == ([name, f"{name}.bindery"], [])
    assert bodies(report, s3_bucket.server.env) == sources


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_pack_that_is_asked_to_end_leaves_nothing(
    through: Proxy, s3_bucket: Bucket, sources: Tree, stage: str, end: signal.Signals
) -> None:
    code, errors = stopped(stage, through, s3_bucket, end)
    assert (code, errors.strip()) == (1, f"ended by {'KeyboardInterrupt' if end is signal.SIGINT else 'Terminated'}")
    assert left_behind(s3_bucket) == ([], [])


def test_a_killed_pack_to_a_folder_leaves_no_part_to_the_next_run(tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "in", sample_tree(50))
    script = (
        "from archiver import publish; import os; publish.FilePublication.publish = lambda self: os.kill(os.getpid(), 9)\n" + SCRIPT
    )
    killed = subprocess.run([sys.executable, "-c", script, tree, f"{tmp_path}/out/"], check=False, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "out").iterdir())) == 1
    report = pack_to(tree, f"{tmp_path}/out/")
    name = Path(report.archive.url).name
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [name, f"{name}.bindery"]


def test_two_packs_of_the_same_sources_at_once_end_as_one(s3_bucket: Bucket, sources: Tree, through: Proxy) -> None:
    env = s3_bucket.server.env
    other: list[PackReport] = []
    # The other pack runs from its beginning to its end before this one's last call.
    through.spoil = on(r"PUT .*/out/", lambda: other.append(pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", env=env)))
    mine = pack_to(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", env=through.env(s3_bucket.server))
    assert (mine.outcome, mine.archive) == (Outcome.PACKED, other[0].archive)  # the same bytes, whoever sent them
    assert len(s3_bucket.keys("out/")) == 2
    assert s3_bucket.uploads() == []

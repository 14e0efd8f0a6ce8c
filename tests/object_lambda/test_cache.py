"""The disk cache: what it gives back is right or nothing, whatever happens to the folder."""

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.model import Identity, Span
from object_lambda.cache import ASIDE_S, TOUCH_AFTER_S, DiskCache
from object_lambda.cache_eviction import TEMPORARY_LIFE_S, TEMPORARY_SUFFIX
from object_lambda.cache_unit import HEADER_BYTES, UNIT_BYTES_MOST, UnitKey, decode, disk_bytes, disk_bytes_of, encode_header

MIB = 1 << 20
ARCHIVE = Identity("s3://bucket/logs.tar.zst", "0123", 10_000_000)
REPLACED = Identity("s3://bucket/logs.tar.zst", "4567", 10_000_000)


def content(of: Identity, span: Span) -> bytes:
    """What the object holds there: different at every version and place."""
    return random.Random(f"{of.etag}-{span.start}").randbytes(span.length)


class Bench:
    """A cache with a clock of its own and a memory of what it reported."""

    def __init__(self, folder: Path, budget_bytes: int = 64 * MIB) -> None:
        self.now_s = 1_000_000_000.0
        self.reports: list[str] = []
        self.folder = folder
        self.cache = DiskCache(str(folder), budget_bytes=budget_bytes, clock=lambda: self.now_s, report=self.reports.append)

    def put(self, of: Identity, start: int, length: int) -> None:
        self.cache.put(of, Span(start, start + length), content(of, Span(start, start + length)))

    def holds(self, of: Identity, start: int, length: int) -> bool:
        found = self.cache.get(of, Span(start, start + length))
        assert found is None or found == content(of, Span(start, start + length))
        return found is not None

    def files(self, suffix: str = ".unit") -> list[Path]:
        return sorted(self.folder.glob(f"*/*{suffix}"))

    def disk_bytes(self) -> int:
        return sum(-(-path.stat().st_size // 4096) * 4096 for path in self.files())

    def age(self, of: Identity, start: int, length: int, mtime_s: float) -> None:
        key = UnitKey.of(of, Span(start, start + length))
        os.utime(self.folder / key.folder / key.file, (mtime_s, mtime_s))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "cache")


def test_what_was_put_is_found_and_nothing_else(bench: Bench) -> None:
    bench.put(ARCHIVE, 100, 5000)
    assert bench.holds(ARCHIVE, 100, 5000)
    assert not bench.holds(ARCHIVE, 100, 4999)
    assert not bench.holds(ARCHIVE, 101, 5000)
    assert not bench.holds(REPLACED, 100, 5000)
    assert bench.reports == []


def test_another_process_finds_what_was_put(bench: Bench) -> None:
    bench.put(ARCHIVE, 100, 5000)
    assert Bench(bench.folder).holds(ARCHIVE, 100, 5000)


def test_paths_are_made_of_digests_only(bench: Bench) -> None:
    bench.cache.put(Identity("s3://bucket/../../etc/passwd", "../\0", 9), Span(0, 9), b"123456789")
    (path,) = bench.files()
    assert path.parent.parent == bench.folder
    assert set(path.stem) <= set("0123456789abcdef-")
    assert path.stat().st_mode & 0o077 == 0
    assert bench.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damage", ["empty", "cut", "longer", "header", "payload", "other unit", "folder", "link"])
def test_a_damaged_unit_is_dropped_and_can_be_written_again(bench: Bench, damage: str) -> None:
    bench.put(ARCHIVE, 0, 5000)
    (path,) = bench.files()
    whole = path.read_bytes()
    bench.put(REPLACED, 0, 5000)
    (other,) = (file for file in bench.files() if file != path)
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(whole[:-1])
        case "longer":
            path.write_bytes(whole + b"\0")
        case "header":
            path.write_bytes(whole[:20] + b"\xff" + whole[21:])
        case "payload":
            path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        case "other unit":
            path.write_bytes(other.read_bytes())
        case "link":
            path.unlink()
            path.symlink_to(other)
        case "folder":
            path.unlink()
            path.mkdir()
    assert not bench.holds(ARCHIVE, 0, 5000)
    assert len(bench.reports) == 1
    if damage != "folder":  # what is not ours is not removed, only never served
        bench.put(ARCHIVE, 0, 5000)
        assert bench.holds(ARCHIVE, 0, 5000)


@given(data=st.data())
def test_no_change_of_a_file_passes_for_the_unit(data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=1, max_size=40))
    key = UnitKey.of(ARCHIVE, Span(7, 7 + len(payload)))
    file = encode_header(key, payload) + payload
    assert decode(key, file) == payload
    changed = bytearray(file)
    match data.draw(st.sampled_from(["flip", "cut", "grow"])):
        case "flip":
            changed[data.draw(st.integers(0, len(file) - 1))] ^= data.draw(st.integers(1, 255))
        case "cut":
            del changed[data.draw(st.integers(0, len(file) - 1)) :]
        case _:
            changed += data.draw(st.binary(min_size=1, max_size=3))
    assert decode(key, bytes(changed)) is None


def test_a_unit_cannot_be_made_for_other_bytes_or_for_none() -> None:
    with pytest.raises(ValueError, match="are not the 2"):
        encode_header(UnitKey.of(ARCHIVE, Span(0, 2)), b"123")
    for span in (Span(0, 0), Span(5, 4), Span(-1, 4), Span(0, UNIT_BYTES_MOST + 1)):
        with pytest.raises(ValueError, match="no unit"):
            UnitKey.of(ARCHIVE, span)


def test_a_file_name_tells_what_the_unit_takes_on_disk() -> None:
    for length in (1, 4096 - HEADER_BYTES, 4096 - HEADER_BYTES + 1, UNIT_BYTES_MOST):
        assert disk_bytes_of(UnitKey.of(ARCHIVE, Span(0, length)).file) == disk_bytes(length)
    name = UnitKey.of(ARCHIVE, Span(0, 10)).file
    for other in ("tally", "x" + name, name + ".tmp", name[:33] + "zz.unit", name[:33] + "0.unit", name[:33] + "fffffffff.unit"):
        assert disk_bytes_of(other) is None


# --- budget ---------------------------------------------------------------------------------------------------------


def test_the_longest_unread_go_first(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget_bytes=32 * 8192)
    for number in range(30):
        bench.put(ARCHIVE, number * 5000, 5000)
        bench.age(ARCHIVE, number * 5000, 5000, bench.now_s - 10_000 + number)
    assert len(bench.files()) == 30
    assert bench.holds(ARCHIVE, 0, 5000)  # read, so it is the youngest now
    for number in range(30, 32):
        bench.put(ARCHIVE, number * 5000, 5000)
    kept = [number for number in range(32) if bench.holds(ARCHIVE, number * 5000, 5000)]
    assert kept == [0, *range(5, 32)]  # swept to 28 units: budget less two steps


@settings(max_examples=25)
@given(lengths=st.lists(st.integers(1, 12_000), max_size=150), budget_blocks=st.integers(0, 200))
def test_the_folder_never_exceeds_its_budget(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], budget_blocks: int
) -> None:
    bench = Bench(tmp_path_factory.mktemp("cache"), budget_bytes=budget_blocks * 4096)
    for number, length in enumerate(lengths):
        bench.now_s += 1
        bench.put(ARCHIVE, number * 20_000, length)
        assert bench.disk_bytes() <= budget_blocks * 4096
    assert bench.reports == []


def test_processes_that_share_a_folder_share_its_budget(tmp_path: Path) -> None:
    benches = [Bench(tmp_path, budget_bytes=64 * 8192) for _ in range(8)]
    for number in range(400):
        benches[number % 8].put(ARCHIVE, number * 5000, 5000)
        assert benches[0].disk_bytes() <= 64 * 8192
    assert len(benches[0].files()) > 32


def test_a_unit_that_would_empty_the_cache_is_not_kept(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget_bytes=16 * 8192)
    bench.put(ARCHIVE, 0, 8192)
    assert (bench.files(), bench.reports) == ([], [])


def test_a_hit_renews_the_age_once_in_a_while(bench: Bench) -> None:
    bench.put(ARCHIVE, 0, 5000)
    (path,) = bench.files()
    bench.age(ARCHIVE, 0, 5000, bench.now_s - TOUCH_AFTER_S)
    assert bench.holds(ARCHIVE, 0, 5000)
    assert path.stat().st_mtime == bench.now_s - TOUCH_AFTER_S
    bench.now_s += 1
    assert bench.holds(ARCHIVE, 0, 5000)
    assert path.stat().st_mtime == bench.now_s


def test_leftovers_of_killed_writers_are_swept_and_those_at_work_are_not(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget_bytes=32 * 8192)
    bench.put(ARCHIVE, 0, 5000)
    folder = bench.files()[0].parent
    for name, age_s in (("old", TEMPORARY_LIFE_S + 1), ("young", TEMPORARY_LIFE_S - 1)):
        path = folder / f"{name}{TEMPORARY_SUFFIX}"
        path.write_bytes(b"half a unit")
        os.utime(path, (bench.now_s - age_s, bench.now_s - age_s))
    bench.put(ARCHIVE, 5000, 5000)
    assert [path.stem for path in bench.files(TEMPORARY_SUFFIX)] == ["young"]


# --- what can go wrong ----------------------------------------------------------------------------------------------


def test_a_full_disk_costs_the_cache_and_no_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.put(ARCHIVE, 0, 5000)
    real_open = os.open
    opened: list[str] = []

    def full(path: Path | str, *args: int, **kwargs: int) -> int:
        if str(path).endswith(TEMPORARY_SUFFIX):
            opened.append(str(path))
            raise OSError(28, "No space left on device")
        return real_open(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", full)
    for _ in range(3):
        bench.put(ARCHIVE, 5000, 5000)
    assert len(opened) == 1
    bench.now_s += ASIDE_S
    bench.put(ARCHIVE, 5000, 5000)
    assert len(opened) == 2
    assert bench.reports == [f"the cache in {bench.folder} cannot be written and steps aside: No space left on device"]
    monkeypatch.undo()
    bench.now_s += ASIDE_S
    bench.put(ARCHIVE, 5000, 5000)
    assert bench.holds(ARCHIVE, 5000, 5000)


def test_a_full_disk_makes_the_cache_give_back_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, budget_bytes=320 * 8192)
    for number in range(40):
        bench.put(ARCHIVE, number * 5000, 5000)

    def full(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("object_lambda.cache.encode_header", full)
    bench.put(ARCHIVE, 400_000, 5000)
    assert len(bench.files()) == 20  # one step of 320 / 16
    assert bench.files(TEMPORARY_SUFFIX) == []


def test_a_folder_that_cannot_be_made_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    bench = Bench(tmp_path / "file" / "cache")
    for number in range(5):
        bench.put(ARCHIVE, number, 100)
    assert not bench.holds(ARCHIVE, 0, 100)
    assert sorted(line.rsplit(": ", 1)[0] for line in bench.reports) == [
        f"the cache in {bench.folder} cannot be read",
        f"the cache in {bench.folder} cannot be written and steps aside",
    ]


def test_a_sweep_that_another_process_is_at_is_left_to_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget_bytes=16 * 8192)
    bench.put(ARCHIVE, 0, 5000)
    hold = "import fcntl,sys; f=open(sys.argv[1]); fcntl.flock(f,2); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path / "sweep.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    with holder:
        holder.stdout.readline()
        for number in range(1, 24):
            bench.put(ARCHIVE, number * 5000, 5000)
        assert len(bench.files()) == 24
        holder.stdin.close()
    bench.put(ARCHIVE, 24 * 5000, 5000)
    assert len(bench.files()) == 14


def test_many_threads_share_one_cache(tmp_path: Path) -> None:
    bench = Bench(tmp_path, budget_bytes=40 * 8192)
    wrong: list[int] = []

    def work(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(150):
            start = order.randrange(60) * 5000
            span = Span(start, start + 5000)
            found = bench.cache.get(ARCHIVE, span)
            if found is None:
                bench.cache.put(ARCHIVE, span, content(ARCHIVE, span))
            elif found != content(ARCHIVE, span):
                wrong.append(start)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, bench.reports) == ([], [])
    assert 0 < bench.disk_bytes() <= 40 * 8192 + 8 * 8192  # each thread may have one write under way while another sweeps


WRITER = """
import random, sys, time
from indexer.model import Identity, Span
from object_lambda.cache import DiskCache
cache = DiskCache(sys.argv[1], budget_bytes=4 << 20, clock=time.time, report=print)
order = random.Random(int(sys.argv[2]))
of = Identity("s3://bucket/logs.tar.zst", "0123", 10_000_000)
while True:
    number = order.randrange(100)
    start, length = number * 100_000, 1 + number * 900
    cache.put(of, Span(start, start + length), random.Random(f"0123-{start}").randbytes(length))
    sys.stdout.write(".")
    sys.stdout.flush()
"""


def test_writers_killed_at_any_moment_leave_no_wrong_byte(tmp_path: Path) -> None:
    moments = random.Random(5)
    found = 0
    for seed in range(12):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(seed * 2 + more)], stdout=subprocess.PIPE)
            for more in range(2)
        ]
        for writer in writers:
            assert writer.stdout is not None
            writer.stdout.read(moments.randrange(1, 120))
            writer.kill()
            writer.wait()
            writer.stdout.close()
        bench = Bench(tmp_path, budget_bytes=4 * MIB)
        found += sum(bench.holds(ARCHIVE, number * 100_000, 1 + number * 900) for number in range(100))
        assert bench.reports == []
        assert bench.disk_bytes() <= 4 * MIB
    assert found > 100

"""The memory that was allowed suffices, whatever is packed: measured from outside, as the peak of a process of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from archiver.samples import samples
from indexer.limits import GIB, MIB
from tests.archiver.trees import BOTH, write_tree
from tests.servers.ministack import Bucket

ALLOWED_BYTES = 256 * MIB

SCRIPT = """
import os, sys
from pathlib import Path
from archiver.frames import LEVELS
from archiver.pack import pack
from archiver.settings import Format, PackSettings
source, destination, kind, scratch = sys.argv[1:]
pack(PackSettings(source, destination, format=Format(kind), level=LEVELS["fast"], scratch=Path(scratch), env=dict(os.environ)))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_bytes(source: str, destination: str, kind: str, scratch: Path, env: dict[str, str] | None = None) -> int:
    """Pack in a process of its own; tells the most memory it held."""
    command = [sys.executable, "-c", SCRIPT, source, destination, kind, str(scratch)]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, check=True, capture_output=True, text=True, timeout=280)
    return int(done.stdout) * 1024


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file of 1.5 GiB that does not shrink, and 50,000 names of small files."""
    folder = tmp_path_factory.mktemp("mixed") / "in"
    folder.mkdir()
    noise = Random(5).randbytes(MIB)
    with (folder / "large").open("wb") as file:
        for _ in range(3 * GIB // 2 // MIB):
            file.write(noise)
    bodies = write_tree(folder.parent / "bodies", {f"{number}": b"%09d\n" % number * 10 for number in range(50)})
    for number in range(50_000):
        if number % 500 == 0:
            (folder / f"{number // 500:03d}").mkdir()
        (folder / f"{number // 500:03d}/{number:05d}").hardlink_to(bodies / f"{number % 50}")
    return folder


@pytest.mark.parametrize("kind", BOTH)
def test_one_large_file_and_many_small_ones_fit_the_same_memory(mixed: Path, tmp_path: Path, kind: str) -> None:
    try:
        assert peak_bytes(str(mixed), f"{tmp_path}/out/", kind, tmp_path) <= ALLOWED_BYTES
    finally:
        shutil.rmtree(tmp_path / "out")


def test_a_bucket_of_middling_objects_fits_it_too(s3_bucket: Bucket, tmp_path: Path) -> None:
    bodies = [sample.body for sample in samples(40)]
    pick = Random(6)
    for number in range(400):
        s3_bucket.put(f"in/{number:04d}", pick.randbytes(100_000) + b"".join(pick.choices(bodies, k=20)))
    s3_bucket.put("in/large", pick.randbytes(64 * MIB))
    peak = peak_bytes(f"{s3_bucket.url}/in", f"{s3_bucket.url}/out/", "tar.zst", tmp_path, s3_bucket.server.env)
    assert peak <= ALLOWED_BYTES

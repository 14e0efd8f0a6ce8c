"""Archives without an index are indexed when they are first asked for."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from indexer.drivers import run
from indexer.drivers_async import run_async
from indexer.errors import ArchiveUnsupported, IndexMissing, ObjectMissing
from indexer.source import Source
from indexer.source.memory import AsyncMemorySource, MemorySource
from indexer.source.trace import Trace, TracedSource
from object_lambda.first_touch import TouchingSource, touched
from object_lambda.first_touch_async import AsyncTouchingSource
from object_lambda.mounts import Mount
from object_lambda.touched_indexes import TouchedIndexes
from tests.indexer.formats.archives import GOLDEN

ZIP = (GOLDEN / "7zip_26.02_deflate.zip").read_bytes()
SQUASHFS = (GOLDEN / "mksquashfs_4.5.1_zstd.squashfs").read_bytes()
TAR = (GOLDEN / "gnutar_1.34_ustar.tar").read_bytes()


def mounted(name: str) -> Mount:
    return Mount("bucket", b"", f"s3://archives/{name}", f"s3://archives/{name}.bindery")


def touching(source: Source, folder: Path) -> TouchingSource:
    return TouchingSource(source, folder=str(folder), ensure=TouchedIndexes(str(folder), source).ensure)


@pytest.mark.parametrize(("name", "data"), [("a.zip", ZIP), ("a.squashfs", SQUASHFS), ("a.tar", TAR)])
def test_an_archive_without_an_index_is_indexed_and_read(name: str, data: bytes, tmp_path: Path) -> None:
    memory = MemorySource({f"s3://archives/{name}": data})
    source = touching(memory, tmp_path / "indexes")
    index = run(touched(mounted(name)), source)
    assert index.archive(f"s3://archives/{name}") == memory.identity(f"s3://archives/{name}")
    assert run(index.find(b"plain.txt"), source) is not None


def test_the_second_touch_costs_no_read_of_the_archive(tmp_path: Path) -> None:
    trace = Trace()
    memory = TracedSource(MemorySource({"s3://archives/a.zip": ZIP}), trace)
    first = run(touched(mounted("a.zip")), touching(memory, tmp_path))
    assert any(request.kind == "read" for request in trace.made)
    trace.clear()
    # Another process, which finds what the first one left.
    second = run(touched(mounted("a.zip")), touching(memory, tmp_path))
    assert {request.kind for request in trace.made} == {"head"}
    assert second.identity == first.identity


def test_a_replaced_archive_gets_an_index_of_its_own(tmp_path: Path) -> None:
    objects = {"s3://archives/a.zip": ZIP}
    memory = MemorySource(objects)
    source = touching(memory, tmp_path)
    before = run(touched(mounted("a.zip")), source)
    memory = MemorySource({"s3://archives/a.zip": (GOLDEN / "python_3.11_store.zip").read_bytes()})
    after = run(touched(mounted("a.zip")), touching(memory, tmp_path))
    assert before.archive_etag != after.archive_etag
    assert len(list(tmp_path.glob("*.bindery"))) == 2


def test_an_archive_that_must_be_read_whole_is_left_to_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("object_lambda.touched_indexes.SMALL_BYTES", 1000)
    memory = MemorySource({"s3://archives/a.tar": TAR})
    with pytest.raises(IndexMissing, match="bindery index"):
        run(touched(mounted("a.tar")), touching(memory, tmp_path))
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_what_is_absent_and_what_is_no_archive_are_told_apart(tmp_path: Path) -> None:
    memory = MemorySource({"s3://archives/notes": b"no archive at all"})
    source = touching(memory, tmp_path)
    with pytest.raises(ObjectMissing):
        run(touched(mounted("nothing.zip")), source)
    with pytest.raises(ArchiveUnsupported):
        run(touched(mounted("notes")), source)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def test_many_threads_make_one_index(tmp_path: Path) -> None:
    trace = Trace()
    memory = TracedSource(MemorySource({"s3://archives/a.zip": ZIP}), trace)
    indexes = TouchedIndexes(str(tmp_path), memory)
    barrier = threading.Barrier(8)

    def touch() -> str:
        barrier.wait()
        return indexes.ensure("s3://archives/a.zip")

    with ThreadPoolExecutor(8) as threads:
        urls = {future.result() for future in [threads.submit(touch) for _ in range(8)]}
    assert len(urls) == 1
    tails = [request for request in trace.made if request.kind == "read"]
    assert len({request.span for request in tails}) == len(tails), "a part of the archive was read twice"


def test_many_tasks_wait_for_one_index(tmp_path: Path) -> None:
    trace = Trace()
    memory = TracedSource(MemorySource({"s3://archives/a.zip": ZIP}), trace)

    async def touch_all() -> set[str]:
        with ThreadPoolExecutor(2) as threads:
            inner = AsyncMemorySource({"s3://archives/a.zip": ZIP})
            ensure = TouchedIndexes(str(tmp_path), memory).ensure
            source = AsyncTouchingSource(inner, folder=str(tmp_path), ensure=ensure, threads=threads)
            indexes = await asyncio.gather(*[run_async(touched(mounted("a.zip")), source) for _ in range(50)])
            assert all(await asyncio.gather(*[run_async(index.find(b"plain.txt"), source) for index in indexes]))
            return {index.identity.url for index in indexes}

    assert len(asyncio.run(touch_all())) == 1
    assert [request.kind for request in trace.made].count("head") == 2, "one by the wait, one by the build"


def test_the_folder_keeps_what_fits_and_forgets_the_longest_unused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = MemorySource({f"s3://archives/{n}.zip": ZIP for n in range(4)})
    indexes = TouchedIndexes(str(tmp_path), memory)
    paths = []
    for n in range(3):
        paths.append(Path(indexes.ensure(f"s3://archives/{n}.zip").removeprefix("file://")))
        os.utime(paths[-1], (1000 + n, paths[-1].stat().st_mtime))
    monkeypatch.setattr("object_lambda.touched_indexes.KEPT_BYTES", 3 * paths[0].stat().st_size)
    indexes.ensure("s3://archives/3.zip")
    assert [path.exists() for path in paths] == [False, True, True]

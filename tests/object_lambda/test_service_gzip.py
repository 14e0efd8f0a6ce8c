"""Members of a tar.gz through the service: what is behind a checkpoint costs one step more, and no more."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
from pathlib import Path

import pytest

from indexer import checkpoints, gzipstream
from indexer.build import build_index
from indexer.drivers import run, stream
from indexer.source.memory import MemorySource
from indexer.source.trace import Trace, TracedSource
from object_lambda.mounts import Mount
from object_lambda.requests import ObjectRequest
from object_lambda.wiring import ServiceSettings, new_service

ARCHIVE, INDEX = "s3://archives/logs.tgz", "s3://archives/logs.tgz.bindery"


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_STEP_BYTES", 33_000)
    monkeypatch.setattr(gzipstream, "CHECKPOINT_RAW_BYTES", 100_000)
    some = random.Random(1)
    return {
        f"logs/{number:03}.log": b"".join(b"%d line\n" % some.randrange(10**6) for _ in range(some.randrange(400)))
        for number in range(300)
    }


def test_members_behind_checkpoints_are_served_and_their_frames_remembered(files: dict[str, bytes], tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert gzip.decompress(out.getvalue())
    objects = {ARCHIVE: out.getvalue()}
    index = bytearray()
    summary = build_index(ARCHIVE, MemorySource(objects), index.extend, scratch=tmp_path)
    assert summary.frames > 5
    objects[INDEX] = bytes(index)
    trace = Trace()
    source = TracedSource(MemorySource(objects), trace)
    mount = Mount("bucket", b"", ARCHIVE, INDEX)
    service = new_service([mount], clock=lambda: 0.0, settings=ServiceSettings())

    def get(name: str, byte_range: str | None = None) -> bytes:
        answer = run(service.get(ObjectRequest("bucket", name.encode(), range=byte_range)), source)
        rest = b"" if answer.rest is None else b"".join(stream(answer.rest, source))
        return answer.start + rest

    last = max(files)
    assert get(last) == files[last]
    assert [(request.url, request.depth) for request in trace.made] == [(INDEX, 1), (ARCHIVE, 2), (INDEX, 2)]
    trace.clear()
    assert get(last, "bytes=3-9") == files[last][3:10]
    assert trace.requests == 0
    for name, data in files.items():
        assert get(name) == data
    # A frame is fetched twice at most: as far as one member needs, then for the next one all of it.
    assert trace.requests <= 3 * summary.frames

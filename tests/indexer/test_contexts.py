"""Contexts of a build: where they will lie is told at once, and that is where they lie."""

from __future__ import annotations

import errno
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest

from indexer.contexts import ContextSpool
from indexer.errors import DiskFull, IndexDamaged
from indexer.indexfile.context import check_place, decode_context
from indexer.indexfile.layout import HEADER
from indexer.indexfile.writer import ArchiveFacts, write_rows
from indexer.limits import CONTEXT_BYTES
from indexer.model import Identity, Span

ARCHIVE = Identity("s3://bucket/a.tar.gz", "etag", 1000)
SOME = random.Random(1)
KEPT = [b"", b"x", b"window" * 4000, SOME.randbytes(CONTEXT_BYTES), bytes(CONTEXT_BYTES)]


def test_each_context_lies_where_it_was_told_to_before_the_file_was_written(tmp_path: Path) -> None:
    spool = ContextSpool(ARCHIVE, tmp_path)
    places = [spool.keep(context) for context in KEPT]
    out = bytearray()
    write_rows((), ArchiveFacts(ARCHIVE.etag, ARCHIVE.size, "tar.gz"), out.extend, contexts=spool.pieces())
    spool.close()
    index = Identity("s3://bucket/a.tar.gz.bindery", "other", len(out))
    assert places[0].start == len(HEADER)
    for context, place in zip(KEPT, places, strict=True):
        check_place(index, place)
        assert decode_context(bytes(out[place.start : place.stop]), ARCHIVE, index, place) == context
    assert list(tmp_path.iterdir()) == []


def test_a_build_without_contexts_takes_no_scratch_file(tmp_path: Path) -> None:
    spool = ContextSpool(ARCHIVE, tmp_path / "not-there")
    assert list(spool.pieces()) == []
    spool.close()


def test_a_context_of_another_archive_is_noticed(tmp_path: Path) -> None:
    spool = ContextSpool(ARCHIVE, tmp_path)
    place = spool.keep(b"window")
    data = b"".join(spool.pieces())
    spool.close()
    other = Identity(ARCHIVE.url, "another version", ARCHIVE.size)
    with pytest.raises(IndexDamaged, match=f"context at {place.start}"):
        decode_context(data, other, Identity("s3://bucket/index", "e", 10_000), place)


def test_a_context_is_never_longer_than_a_window(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the limit is 32768"):
        ContextSpool(ARCHIVE, tmp_path).keep(bytes(CONTEXT_BYTES + 1))


def test_a_full_disk_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(errno.ENOSPC, "no space left")

        def close(self) -> None:
            pass

    def full(**_: Any) -> Full:
        return Full()

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = ContextSpool(ARCHIVE, tmp_path)
    with pytest.raises(DiskFull, match="contexts"):
        spool.keep(b"window")
    spool.close()


@pytest.mark.parametrize("place", [Span(0, 40), Span(50, 50), Span(90, 101), Span(16, 16 + 2 * CONTEXT_BYTES + 1)])
def test_a_place_where_no_context_can_lie_is_refused(place: Span) -> None:
    with pytest.raises(IndexDamaged):
        check_place(Identity("s3://bucket/index", "e", 100), place)

"""Local files keep the contract, and what only files can do is answered clearly."""

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.errors import AccessRefused, BinderyError, LocationInvalid, ObjectMissing, ObjectReplaced, StoreFailed
from indexer.model import Span
from indexer.source import Source
from indexer.source.local import LocalSource, failure
from indexer.source.local_async import AsyncLocalSource
from tests.indexer.source.contract import InLoop, SourceContract, SyncSourceContract


class Folder:
    """A folder. Each content is renamed into place, and no two have the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.turn = 0

    def put(self, name: str, data: bytes) -> str:
        self.turn += 1
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = self.root / "scratch"
        scratch.write_bytes(data)
        os.utime(scratch, ns=(0, 1_700_000_000_000_000_000 + self.turn))
        scratch.replace(path)
        return self.url(name)

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def url(self, name: str) -> str:
        return f"file://{self.root / name}"


@pytest.fixture
def shelf(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


class TestLocalSource(SyncSourceContract):
    @pytest.fixture
    def source(self) -> Source:
        return LocalSource()

    def test_a_change_in_place_is_noticed(self, shelf: Folder, source: Source) -> None:
        of = source.head(shelf.put("a", b"before")).identity
        with (shelf.root / "a").open("r+b") as file:
            file.write(b"after!")
        with pytest.raises(ObjectReplaced):
            source.read(of, (Span(0, 6),))

    def test_a_change_while_reading_is_noticed(self, shelf: Folder, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        of = source.head(shelf.put("a", b"before" * 100)).identity
        pread = os.pread

        def torn(file: int, length: int, offset: int) -> bytes:
            (shelf.root / "a").write_bytes(b"cut")
            return pread(file, length, offset)

        monkeypatch.setattr(os, "pread", torn)
        with pytest.raises(ObjectReplaced):
            source.read(of, (Span(0, 6),))
        with pytest.raises(ObjectReplaced):
            source.tail(of.url, 6)

    def test_short_reads_of_the_system_are_continued(self, shelf: Folder, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        of = source.head(shelf.put("a", bytes(range(100)))).identity
        pread = os.pread
        monkeypatch.setattr(os, "pread", lambda file, length, offset: pread(file, min(length, 7), offset))
        assert source.read(of, (Span(0, 100),)) == [bytes(range(100))]

    def test_a_disk_that_gives_too_little_is_an_error(self, shelf: Folder, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        of = source.head(shelf.put("a", bytes(100))).identity
        monkeypatch.setattr(os, "pread", lambda file, length, offset: b"")
        with pytest.raises(StoreFailed, match="fewer bytes"):
            source.read(of, (Span(0, 100),))

    def test_a_disk_that_fails_is_an_error(self, shelf: Folder, source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(file: int, length: int, offset: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        url = shelf.put("a", bytes(100))
        monkeypatch.setattr(os, "pread", fail)
        with pytest.raises(StoreFailed, match="Input/output error"):
            source.tail(url, 5)

    def test_no_descriptor_stays_open(self, shelf: Folder, source: Source) -> None:
        def descriptors() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        url = shelf.put("a", b"x")
        before = descriptors()
        of = source.tail(url, 1).identity
        shelf.put("a", b"y")
        with pytest.raises(ObjectReplaced):
            source.read(of, (Span(0, 1),))
        with pytest.raises(LocationInvalid):
            source.head(f"file://{shelf.root}")
        assert descriptors() == before

    def test_only_regular_files_are_read(self, shelf: Folder, source: Source) -> None:
        os.mkfifo(shelf.root / "pipe")
        (shelf.root / "loop").symlink_to("loop")
        for name, word in {"": "folder", "pipe": "regular", "loop": "cannot be opened", "x" * 300: "cannot be opened"}.items():
            with pytest.raises(LocationInvalid, match=word):
                source.head(shelf.url(name))

    def test_a_path_through_a_file_leads_nowhere(self, shelf: Folder, source: Source) -> None:
        shelf.put("a", b"x")
        with pytest.raises(ObjectMissing):
            source.head(shelf.url("a/b"))

    def test_a_link_is_followed(self, shelf: Folder, source: Source) -> None:
        shelf.put("a", b"x")
        (shelf.root / "link").symlink_to("a")
        assert source.tail(shelf.url("link"), 9).data == b"x"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.EACCES, AccessRefused), (errno.EPERM, AccessRefused), (errno.ENOENT, ObjectMissing), (errno.EIO, StoreFailed)],
)
def test_errors_of_the_system_are_told_apart(number: int, kind: type[BinderyError]) -> None:
    error = failure(OSError(number, os.strerror(number)), "file:///a")
    assert type(error) is kind
    assert error.facts == {"object": "file:///a"}


class TestAsyncLocalSource(SourceContract):
    @pytest.fixture
    def source(self) -> Iterator[Source]:
        with asyncio.Runner() as runner:
            yield InLoop(AsyncLocalSource(), runner)

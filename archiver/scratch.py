"""Rows spooled to disk: what is known of millions of sources is never held in memory."""

from __future__ import annotations

import errno
import marshal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Generic, TypeVar

from indexer.errors import DiskFull, StoreFailed

R = TypeVar("R", bound=tuple[Any, ...])

BLOCK_ROWS: Final = 512
"""Rows written at once."""


class Rows(Generic[R]):
    """Named tuples in a file without a name, which is gone when the process is.

    Args:
        folder: Where there is room.
        make: Makes a row of its values: `SomeRow._make`.
    """

    def __init__(self, folder: Path, make: Callable[[tuple[Any, ...]], R]) -> None:
        with disk_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=folder, prefix="bindery-rows-")  # noqa: SIM115 - see close
        self._make = make
        self._waiting: list[tuple[Any, ...]] = []
        self.count = 0

    def add(self, row: R) -> None:
        """Add one row; its values are numbers, texts, bytes, None, or tuples of these."""
        self._waiting.append(tuple(row))
        self.count += 1
        if len(self._waiting) == BLOCK_ROWS:
            self._write()

    def __iter__(self) -> Iterator[R]:
        """All rows in the order they were added. One reader at a time, and none is added meanwhile."""
        self._write()
        at = 0
        while True:
            self._file.seek(at)
            try:
                block = marshal.load(self._file)  # noqa: S302 - written by this process, into a file without a name
            except EOFError:
                return
            at = self._file.tell()
            yield from map(self._make, block)

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

    def _write(self) -> None:
        if self._waiting:
            with disk_errors():
                self._file.seek(0, 2)
                marshal.dump(self._waiting, self._file)
                self._file.flush()
            self._waiting = []


@contextmanager
def disk_errors(what: str = "the scratch files", hint: str = "Free some space or name another scratch folder") -> Iterator[None]:
    """Turn an error of the disk into one of ours; `what` it was that was written, and what to do when it is full."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"there is no room for {what}", hint=hint) from error
        raise StoreFailed(f"the disk failed at {what}: {error.strerror}", hint="Check the disk and try again") from error

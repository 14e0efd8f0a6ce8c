"""An index on its way: written to a file without a name, read from there, and published when it is known to be right."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from archiver.scratch import disk_errors
from indexer.limits import MIB
from indexer.urls import FILE


class Draft:
    """An index that is not yet where it belongs: a file without a name.

    Args:
        scratch: Folder for it.
    """

    def __init__(self, scratch: Path) -> None:
        self.folder = scratch
        with disk_errors():
            self._file: IO[bytes] = tempfile.TemporaryFile(dir=scratch, prefix="bindery-index-")  # noqa: SIM115 - see close

    def write(self, data: bytes) -> None:
        """Add bytes."""
        with disk_errors():
            self._file.write(data)

    @property
    def url(self) -> str:
        """Where a local source finds what was written."""
        with disk_errors():
            self._file.flush()
        return f"{FILE}:///proc/self/fd/{self._file.fileno()}"

    def pieces(self) -> Iterator[bytes]:
        """All bytes, from the first."""
        self._file.seek(0)
        while piece := self._file.read(MIB):
            yield piece

    def close(self) -> None:
        """Give the room back."""
        self._file.close()

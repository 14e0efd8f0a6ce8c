"""Contexts of a build on their way into its index file: told at once where they will lie, kept on disk until it is written."""

from __future__ import annotations

import errno
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from indexer.errors import DiskFull
from indexer.indexfile.block import new_compressor, tag_of
from indexer.indexfile.context import encode_context
from indexer.indexfile.layout import HEADER
from indexer.model import Identity, Span

PIECE_BYTES: Final = 1 << 20


class ContextSpool:
    """Takes contexts one by one, and gives back the part of the index file that they become.

    Args:
        archive: What the index describes.
        scratch: Folder for them; the file there has no name, so nothing is left behind.
    """

    def __init__(self, archive: Identity, scratch: Path) -> None:
        self._tag = tag_of(archive.etag, archive.size)
        self._scratch = scratch
        self._compressor = new_compressor()
        self._file: IO[bytes] | None = None
        self.bytes = 0

    def keep(self, context: bytes) -> Span:
        """Take a context; tells where it will lie in the index file.

        Raises:
            DiskFull: The scratch folder has no room for it.
        """
        block = encode_context(context, self._tag, self._compressor)
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._scratch, prefix="bindery-contexts-")  # noqa: SIM115 - closed by `close`
        try:
            self._file.write(block)
        except OSError as error:
            raise _failure(error) from None
        start = len(HEADER) + self.bytes
        self.bytes += len(block)
        return Span(start, start + len(block))

    def pieces(self) -> Iterator[bytes]:
        """All contexts as the bytes that follow the index file's header.

        Raises:
            DiskFull: The last of them found no room.
        """
        if self._file is None:
            return
        try:
            self._file.flush()
        except OSError as error:
            raise _failure(error) from None
        self._file.seek(0)
        while piece := self._file.read(PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Give the scratch space back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _failure(error: OSError) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(
            "there is no room for the index's contexts", hint="Free some space or name another scratch folder with TMPDIR"
        )
    return error

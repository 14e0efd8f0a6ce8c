"""Writes tgz: a pax tar in independent gzip members, each of which is a frame.

Stock tools read it as they read any tar.gz, because gzip members may follow one another (RFC 1952 section 2.2).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from archiver.framedtar import FramedTar
from archiver.frames import Level

GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS
"""Tells zlib to write header and trailer of gzip; it names no file and no time."""


class TgzWriter(FramedTar):
    """A `Writer` of tgz; arguments as `FramedTar`."""

    def __init__(self, out: Callable[[bytes], object], executor: Executor, *, level: Level, sources: str, most_bytes: int) -> None:
        super().__init__(out, executor, compress=gzip_member, level=level, sources=sources, most_bytes=most_bytes)


def gzip_member(level: Level, raw: bytes) -> bytes:
    """Compress `raw` into one gzip member. Lets other threads run meanwhile."""
    deflate = zlib.compressobj(level.deflate_level, zlib.DEFLATED, GZIP_WINDOW_BITS)
    return deflate.compress(raw) + deflate.flush()

"""Writes tar.zst: a pax tar in independent zstd frames, with a seek table behind them.

Stock tools read it as they read any tar.zst: frames follow one another (RFC 8878 section 3), and decoders pass over the skippable
frame that holds the seek table (the seekable format of the zstd project, version 0.1.0).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Final

from archiver.framedtar import FramedTar
from archiver.frames import Level, zstd_frame

SEEK_TABLE_MAGIC: Final = 0x184D2A5E
SEEK_TABLE_END_MAGIC: Final = 0x8F92EAB1
SEEK_TABLE_FRAMES: Final = 0x8000000
"""Most frames a seek table may list; an archive with more has none, and is read by its index all the same."""


class TarZstWriter(FramedTar):
    """A `Writer` of tar.zst; arguments as `FramedTar`."""

    def __init__(self, out: Callable[[bytes], object], executor: Executor, *, level: Level, sources: str, most_bytes: int) -> None:
        self._stored = array("I")
        self._raw = array("I")
        super().__init__(out, executor, compress=zstd_frame, level=level, sources=sources, most_bytes=most_bytes)

    def frame_written(self, stored_bytes: int, raw_bytes: int) -> None:
        """As `FramedTar.frame_written`."""
        self._stored.append(stored_bytes)
        self._raw.append(raw_bytes)

    def close(self) -> None:
        """As `Writer.close`."""
        super().close()
        if len(self._stored) <= SEEK_TABLE_FRAMES:
            self._out(seek_table(self._stored, self._raw))


def seek_table(stored: array[int], raw: array[int]) -> bytes:
    """The skippable frame that lists the stored and raw length of every frame, without their checksums."""
    lengths = array("I", bytes(8 * len(stored)))
    lengths[0::2], lengths[1::2] = stored, raw
    if sys.byteorder == "big":
        lengths.byteswap()
    end = struct.pack("<IBI", len(stored), 0, SEEK_TABLE_END_MAGIC)
    return struct.pack("<II", SEEK_TABLE_MAGIC, 8 * len(stored) + len(end)) + lengths.tobytes() + end

"""Decoders that stand on a library of their own, loaded when the first such frame is read: deflate64, lz4 and lzo blocks.

They know nothing of members and archives: what does not decode is a ValueError, which `indexer.decoders` turns into an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

SQUASHFS_BLOCK_BYTES: Final = 1 << 20
"""Longest block of a squashfs once decoded; neither an lz4 nor an lzo block tells its own length."""

INFLATE64_STEP_BYTES: Final = 1024
"""Stored bytes decoded at a time: the library does not bound its output, and deflate grows at most 1,032 times."""


def lz4_block(data: bytes) -> bytes:
    """Decode one lz4 block, as squashfs has them: no frame around it. Memory: `SQUASHFS_BLOCK_BYTES`."""
    import lz4.block  # noqa: PLC0415 - see the module

    try:
        decoded: bytes = lz4.block.decompress(data, uncompressed_size=SQUASHFS_BLOCK_BYTES)
    except lz4.block.LZ4BlockError as error:
        raise ValueError(str(error)) from None
    return decoded


def lzo_block(data: bytes) -> bytes:
    """Decode one lzo1x block. Memory: what it decodes to, at most 256 times its length."""
    import lzallright  # noqa: PLC0415 - see the module

    try:
        decoded: bytes = lzallright.LZOCompressor.decompress(data, SQUASHFS_BLOCK_BYTES)
    except lzallright.LZOError as error:
        raise ValueError(str(error.args[0])) from None
    if len(decoded) > SQUASHFS_BLOCK_BYTES:
        raise ValueError(f"a block of {len(decoded)} bytes")
    return decoded


class Inflate64:
    """Decodes deflate64 (APPNOTE 4.4.5, method 9), which Windows writes into zips from 2 GiB on."""

    def __init__(self) -> None:
        import inflate64  # noqa: PLC0415 - see the module

        self._inflate: Any = inflate64.Inflater()

    @property
    def finished(self) -> bool:
        """Whether the end of the stream was reached."""
        return bool(self._inflate.eof)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Decode the next stored bytes, a little at a time."""
        for at in range(0, len(data), INFLATE64_STEP_BYTES):
            if self._inflate.eof:
                return
            piece: bytes = self._inflate.inflate(data[at : at + INFLATE64_STEP_BYTES])
            if piece:
                yield piece

"""How the stored bytes of a frame become its decoded bytes: one table, a decoder for each `Codec`.

A frame that arrives in pieces is decoded by a `Decoder`; one that is there in whole by a call of its own, which costs less. Neither
decodes more than it was asked for: `decode` stops at `upto`. A frame that decodes to less, or not at all, is an error.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final

from indexer.decoders import (
    Bytes,
    Decoder,
    Deflate64Decoder,
    InflateDecoder,
    LzmaZipDecoder,
    StoredDecoder,
    ZstdDecoder,
    bzip2_decoder,
    checked,
    damaged,
    lz4_decoder,
    lzma_decoder,
    lzo_decoder,
    raw_lzma,
    take,
    xz_block_decoder,
)
from indexer.errors import MemberUnreadable
from indexer.limits import DECODE_PIECE_BYTES
from indexer.model import Codec
from indexer.zstdframes import frame_header


def stored(data: Bytes, upto: int) -> bytes:
    """Take the first `upto` bytes as they are."""
    return bytes(data[:upto])


def inflater(codec: Codec, window_bits: int) -> Callable[[Bytes, int], bytes]:
    """Make the one-shot form of `InflateDecoder`, which needs no pieces."""

    def inflate(data: Bytes, upto: int) -> bytes:
        decompressor = zlib.decompressobj(window_bits)
        try:
            decoded = decompressor.decompress(data, upto)
            if 0 < len(decompressor.unconsumed_tail) <= 8:  # only a trailer is left: have its checksum verified
                decompressor.decompress(decompressor.unconsumed_tail, 1)
        except zlib.error as error:
            raise damaged(codec, error) from None
        return decoded

    return inflate


def streamed(codec: Codec) -> Callable[[Bytes, int], bytes]:
    """Make the one-shot form of a codec out of its `Decoder`."""

    def decode_pieces(data: Bytes, upto: int) -> bytes:
        return take(DECODERS[codec]().feed(data), upto)

    return decode_pieces


def lzma_zip(data: Bytes, upto: int) -> bytes:
    """One-shot form of `LzmaZipDecoder`, with no larger a dictionary than what is decoded."""
    lead_bytes = 4 + int.from_bytes(data[2:4], "little")
    return take(raw_lzma(data[4:lead_bytes], upto + DECODE_PIECE_BYTES).feed(data[lead_bytes:]), upto)


def zstd(data: Bytes, upto: int) -> bytes:
    """Decode a zstd frame: in one call when it says that it holds just as much as is wanted, else piece by piece."""
    import zstandard  # noqa: PLC0415 - see LibraryStream

    try:
        header = frame_header(data)
        if header is None:
            raise damaged(Codec.ZSTD, "it ends in its header")
        if header.skippable_bytes is None and header.content_bytes == upto:
            checked(header)
            return zstandard.ZstdDecompressor().decompress(data, max_output_size=upto, allow_extra_data=True)
    except (zstandard.ZstdError, ValueError) as error:
        raise damaged(Codec.ZSTD, error) from None
    return take(ZstdDecoder().feed(data), upto)


DECODERS: Final[dict[Codec, Callable[[], Decoder]]] = {
    Codec.STORED: StoredDecoder,
    Codec.DEFLATE: lambda: InflateDecoder(Codec.DEFLATE, -15),
    Codec.DEFLATE64: Deflate64Decoder,
    Codec.BZIP2: bzip2_decoder,
    Codec.LZMA: LzmaZipDecoder,
    Codec.ZSTD: ZstdDecoder,
    Codec.GZIP: lambda: InflateDecoder(Codec.GZIP, 31),
    Codec.XZ: lzma_decoder(Codec.XZ),
    Codec.ZLIB: lambda: InflateDecoder(Codec.ZLIB, 15),
    Codec.LZMA_ALONE: lzma_decoder(Codec.LZMA_ALONE),
    Codec.XZ_BLOCK: xz_block_decoder,
    Codec.LZ4_BLOCK: lz4_decoder,
    Codec.LZO: lzo_decoder,
}
"""Begins the decoding of a frame that arrives in pieces."""

ONE_SHOT: Final[dict[Codec, Callable[[Bytes, int], bytes]]] = {
    Codec.STORED: stored,
    Codec.DEFLATE: inflater(Codec.DEFLATE, -15),
    Codec.DEFLATE64: streamed(Codec.DEFLATE64),
    Codec.BZIP2: streamed(Codec.BZIP2),
    Codec.LZMA: lzma_zip,
    Codec.ZSTD: zstd,
    Codec.GZIP: inflater(Codec.GZIP, 31),
    Codec.XZ: streamed(Codec.XZ),
    Codec.ZLIB: inflater(Codec.ZLIB, 15),
    Codec.LZMA_ALONE: streamed(Codec.LZMA_ALONE),
    Codec.XZ_BLOCK: streamed(Codec.XZ_BLOCK),
    Codec.LZ4_BLOCK: streamed(Codec.LZ4_BLOCK),
    Codec.LZO: streamed(Codec.LZO),
}
"""Decodes a frame that is there in whole: the same answers, without the cost of a decoder's pieces."""

WITHOUT_DECODER: Final[dict[Codec, str]] = {
    Codec.DEFLATE_AT: "a window out of the index",
}
"""What would have to be there to decode the others."""


def decode(codec: Codec, stored: Bytes, upto: int) -> bytes:
    """Decode the first `upto` bytes of a frame.

    Args:
        codec: How it is coded.
        stored: Its stored bytes, without any lead; what follows the frame is passed over.
        upto: How many decoded bytes are wanted: at most the frame's `raw_bytes`. Memory is taken in proportion to this alone.

    Returns:
        Exactly `upto` bytes.

    Raises:
        MemberDamaged: They do not decode, or to less (without member and archive: the caller knows them).
        MemberUnreadable: There is no decoder for this codec.
    """
    if upto <= 0:
        return b""
    if codec not in ONE_SHOT:
        raise unreadable(codec)
    decoded = ONE_SHOT[codec](stored, upto)
    if len(decoded) != upto:
        raise damaged(codec, f"they end after {len(decoded)} of {upto} bytes")
    return decoded


def decoder(codec: Codec) -> Decoder:
    """Begin to decode a frame that arrives in pieces.

    Raises:
        MemberUnreadable: There is no decoder for this codec.
    """
    if codec not in DECODERS:
        raise unreadable(codec)
    return DECODERS[codec]()


def unreadable(codec: Codec) -> MemberUnreadable:
    """The error for a codec without a decoder."""
    return MemberUnreadable(
        f"it is compressed with {codec.name.lower()}, and there is nothing here to decode it with",
        hint=f"Reading it needs {WITHOUT_DECODER[codec]}",
    )

"""Decoders of frames: each takes the stored bytes of one frame as they arrive, and hands out decoded pieces of bounded length.

Nothing here decodes more than is taken of it, whatever the stored bytes promise. `indexer.codecs` tells which codec has which. The
libraries behind the rarer ones are imported when the first such frame is read.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from indexer.errors import MemberDamaged, MemberUnreadable
from indexer.limits import DECODE_PIECE_BYTES, DECODE_WINDOW_BYTES
from indexer.model import Codec
from indexer.zstdframes import FrameHeader, Walk, frame_header

Bytes = bytes | memoryview

LZMA_MEMORY_BYTES: Final = DECODE_WINDOW_BYTES + 8 * 1024 * 1024
"""What liblzma may take: beside the dictionary it counts its own state, 64 KiB and the probabilities (4 MiB at lc + lp = 12)."""


class Decoder(Protocol):
    """Decodes one frame that arrives in pieces.

    Attributes:
        finished: Whether the frame told its own end, and it was reached. What follows it is passed over.
    """

    @property
    def finished(self) -> bool:
        """Whether the end of the frame was reached; a frame of `STORED` bytes never tells."""
        ...

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """Decode the next stored bytes.

        Returns:
            Decoded pieces of at most `DECODE_PIECE_BYTES` each, none empty. Take them all before the next call; or take as many as
            you want and drop the decoder.

        Raises:
            MemberDamaged: The bytes do not decode (without member and archive: the caller knows them).
        """
        ...


def damaged(codec: Codec, why: object) -> MemberDamaged:
    """The error for bytes that do not decode."""
    return MemberDamaged(f"the stored bytes do not decode as {codec.name.lower()}: {why}")


@dataclass(slots=True)
class StoredDecoder:
    """Bytes that stand for themselves."""

    finished: bool = False

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        for at in range(0, len(data), DECODE_PIECE_BYTES):
            yield bytes(data[at : at + DECODE_PIECE_BYTES])


class InflateDecoder:
    """Deflate, bare or wrapped as gzip or zlib; wrapped, its checksum is verified at its end.

    Args:
        codec: What it is called in errors.
        window_bits: As zlib takes it: -15 bare, 15 zlib, 31 gzip.
        window: What was decoded before a bare stream's first bit.
    """

    __slots__ = ("_codec", "_inflate")

    def __init__(self, codec: Codec, window_bits: int, window: bytes = b"") -> None:
        self._codec = codec
        self._inflate = zlib.decompressobj(window_bits, zdict=window) if window else zlib.decompressobj(window_bits)

    @property
    def finished(self) -> bool:
        """Whether the end of the frame was reached."""
        return self._inflate.eof

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        inflate = self._inflate
        while not inflate.eof:
            try:
                piece = inflate.decompress(data, DECODE_PIECE_BYTES)
            except zlib.error as error:
                raise damaged(self._codec, error) from None
            if piece:
                yield piece
            data = inflate.unconsumed_tail
            if not data and len(piece) < DECODE_PIECE_BYTES:
                return


class LibraryStream:
    """A codec whose library bounds its own output (bz2, lzma). Streams that follow one another are read as one, as the tools do.

    Args:
        codec: What it is called in errors.
        begin: Makes the library's decoder.
        faults: What the library raises.
    """

    __slots__ = ("_begin", "_codec", "_faults", "_library")

    def __init__(self, codec: Codec, begin: Callable[[], Any], faults: tuple[type[Exception], ...]) -> None:
        self._codec = codec
        self._begin = begin
        self._faults = faults
        self._library: Any = self._begun()

    def _begun(self) -> Any:  # noqa: ANN401 - bz2 and lzma share no type
        try:
            return self._begin()
        except self._faults as error:  # properties that cannot be
            raise damaged(self._codec, error) from None

    @property
    def finished(self) -> bool:
        """Whether the end of a stream was reached; another may follow."""
        return bool(self._library.eof)

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        while True:
            if self._library.eof:
                data = self._library.unused_data or data
                if not data:
                    return
                self._library = self._begun()
            try:
                piece = self._library.decompress(data, DECODE_PIECE_BYTES)
            except self._faults as error:
                raise damaged(self._codec, error) from None
            data = b""
            if piece:
                yield piece
            elif not self._library.unused_data if self._library.eof else self._library.needs_input:
                return


@dataclass(slots=True)
class LzmaZipDecoder:
    """LZMA as zip carries it: two bytes of version, two of length, the properties, the raw stream (APPNOTE 5.8.8)."""

    finished: bool = False
    _lead: bytes = b""
    _stream: LibraryStream | None = None

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        if self._stream is None:
            self._lead += data
            lead_bytes = 4 + int.from_bytes(self._lead[2:4], "little")
            if len(self._lead) < max(lead_bytes, 9):
                return
            self._stream = raw_lzma(self._lead[4:lead_bytes], DECODE_WINDOW_BYTES)
            data, self._lead = self._lead[lead_bytes:], b""
        yield from self._stream.feed(data)
        self.finished = self._stream.finished


def raw_lzma(properties: Bytes, window_bytes: int) -> LibraryStream:
    """Begin an LZMA stream without header (lzma-specification, section "lzma properties").

    Args:
        properties: One byte for lc, lp and pb, four for the dictionary's size.
        window_bytes: Take no larger dictionary: one as long as what is decoded is always enough.
    """
    import lzma  # noqa: PLC0415 - only those who read such a member pay for it

    if len(properties) != 5:
        raise damaged(Codec.LZMA, f"{len(properties)} bytes of properties")
    packed = properties[0]
    if packed >= 9 * 5 * 5:
        raise damaged(Codec.LZMA, "its properties cannot be")
    filters = [
        {
            "id": lzma.FILTER_LZMA1,
            "lc": packed % 9,
            "lp": packed // 9 % 5,
            "pb": packed // 45,
            "dict_size": max(4096, min(int.from_bytes(properties[1:], "little"), window_bytes)),
        }
    ]
    return LibraryStream(
        Codec.LZMA, lambda: lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters), (lzma.LZMAError, ValueError, MemoryError)
    )


@dataclass(slots=True)
class ZstdDecoder:
    """Zstd frames one after another, decoded a few blocks at a time so that no four bytes become a gigabyte."""

    finished: bool = False
    _held: bytes = b""
    _walk: Walk | None = None
    _skip_bytes: int = 0
    _library: Any = field(default=None)

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        import zstandard  # noqa: PLC0415 - see LibraryStream

        held = memoryview(self._held + data if self._held else data)
        at = 0
        try:
            while at < len(held):
                if self._skip_bytes:
                    step = min(self._skip_bytes, len(held) - at)
                    self._skip_bytes -= step
                    at += step
                    continue
                if self._walk is None:
                    header = frame_header(held, at)
                    if header is None:
                        break
                    if header.skippable_bytes is not None:
                        self._skip_bytes = header.length + header.skippable_bytes
                        continue
                    self._walk, self.finished = Walk(checked(header)), False
                    self._library = zstandard.ZstdDecompressor(max_window_size=DECODE_WINDOW_BYTES).decompressobj()
                end = self._walk.advance(held, at, raw_bytes=DECODE_PIECE_BYTES)
                if end == at:
                    break
                piece = self._library.decompress(held[at:end])
                at = end
                if self._walk.finished:
                    self._walk, self.finished = None, True
                if piece:
                    yield piece
        except (zstandard.ZstdError, ValueError) as error:
            raise damaged(Codec.ZSTD, error) from None
        self._held = bytes(held[at:])


class BlockDecoder:
    """A codec whose blocks are decoded in one piece (lz4, lzo): each is to be fed whole. None is longer than 1 MiB.

    Args:
        codec: What it is called in errors.
        decode: Decodes a block; what does not decode is a ValueError.
    """

    __slots__ = ("_codec", "_decode", "finished")

    def __init__(self, codec: Codec, decode: Callable[[bytes], bytes]) -> None:
        self._codec, self._decode = codec, decode
        self.finished = False

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        try:
            decoded = self._decode(bytes(data))
        except ValueError as error:
            raise damaged(self._codec, error) from None
        self.finished = True
        if decoded:
            yield decoded


class Deflate64Decoder:
    """Deflate64, in steps small enough to bound what the library hands out."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        from indexer.codecs_rare import Inflate64  # noqa: PLC0415 - see LibraryStream

        self._stream = Inflate64()

    @property
    def finished(self) -> bool:
        """Whether the end of the frame was reached."""
        return self._stream.finished

    def feed(self, data: Bytes) -> Iterator[bytes]:
        """See `Decoder.feed`."""
        try:
            yield from self._stream.feed(bytes(data))
        except ValueError as error:
            raise damaged(Codec.DEFLATE64, error) from None


def lz4_decoder() -> Decoder:
    """Begin an lz4 block."""
    from indexer.codecs_rare import lz4_block  # noqa: PLC0415 - see LibraryStream

    return BlockDecoder(Codec.LZ4_BLOCK, lz4_block)


def lzo_decoder() -> Decoder:
    """Begin an lzo block."""
    from indexer.codecs_rare import lzo_block  # noqa: PLC0415 - see LibraryStream

    return BlockDecoder(Codec.LZO, lzo_block)


def checked(header: FrameHeader) -> FrameHeader:
    """Refuse a zstd frame that needs what we cannot give: a dictionary, or more memory than the limit."""
    if header.dictionary:
        raise MemberUnreadable(f"its zstd frame needs dictionary {header.dictionary}, which is not known")
    if header.window_bytes > DECODE_WINDOW_BYTES:
        raise MemberUnreadable(f"its zstd frame needs a window of {header.window_bytes} bytes, the limit is {DECODE_WINDOW_BYTES}")
    return header


def bzip2_decoder() -> Decoder:
    """Begin a bzip2 stream."""
    import bz2  # noqa: PLC0415 - see LibraryStream

    return LibraryStream(Codec.BZIP2, bz2.BZ2Decompressor, (OSError, ValueError))


def lzma_decoder(codec: Codec) -> Callable[[], Decoder]:
    """Make the function that begins an `.xz` or `.lzma` stream."""

    def begin() -> Decoder:
        import lzma  # noqa: PLC0415 - see LibraryStream

        kind = lzma.FORMAT_XZ if codec is Codec.XZ else lzma.FORMAT_ALONE
        return LibraryStream(codec, lambda: lzma.LZMADecompressor(kind, memlimit=LZMA_MEMORY_BYTES), (lzma.LZMAError, MemoryError))

    return begin


XZ_HEADER: Final = b"\xfd7zXZ\0" + bytes(2) + zlib.crc32(bytes(2)).to_bytes(4, "little")
"""Header of an xz stream whose blocks have no check (xz-file-format 2.1.1)."""


def xz_block_decoder() -> Decoder:
    """Begin a block of an xz stream: it is decoded as the first one of a stream without checks."""
    import lzma  # noqa: PLC0415 - see LibraryStream

    def begin() -> lzma.LZMADecompressor:
        library = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=LZMA_MEMORY_BYTES)
        library.decompress(XZ_HEADER)
        return library

    return LibraryStream(Codec.XZ_BLOCK, begin, (lzma.LZMAError, MemoryError))


def take(decoded: Iterator[bytes], upto: int) -> bytes:
    """Join pieces until there are `upto` bytes; what follows is not decoded."""
    parts: list[bytes] = []
    wanted = upto
    for piece in decoded:
        parts.append(piece if len(piece) <= wanted else piece[:wanted])
        wanted -= len(parts[-1])
        if not wanted:
            break
    return parts[0] if len(parts) == 1 else b"".join(parts)

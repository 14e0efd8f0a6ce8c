from __future__ import annotations

import bz2
import gzip
import lzma
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import codecs
from indexer.errors import MemberDamaged, MemberUnreadable
from indexer.limits import DECODE_PIECE_BYTES, DECODE_WINDOW_BYTES, MIB
from indexer.model import Codec

TEXT = b"".join(b'{"level":"info","line":%d,"path":"/var/log/app-%d.log"}\n' % (line, line % 7) for line in range(4000))


def raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-15)
    return squeeze.compress(data) + squeeze.flush()


def zip_lzma(data: bytes) -> bytes:
    filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20}]
    squeeze = lzma.LZMACompressor(lzma.FORMAT_RAW, filters=filters)
    properties: bytes = lzma._encode_filter_properties(filters[0])  # type: ignore[attr-defined]  # as zipfile does
    return bytes((9, 4)) + len(properties).to_bytes(2, "little") + properties + squeeze.compress(data) + squeeze.flush()


ENCODERS: dict[Codec, Callable[[bytes], bytes]] = {
    Codec.STORED: bytes,
    Codec.DEFLATE: raw_deflate,
    Codec.BZIP2: bz2.compress,
    Codec.LZMA: zip_lzma,
    Codec.ZSTD: zstandard.ZstdCompressor(write_checksum=True).compress,
    Codec.GZIP: gzip.compress,
    Codec.XZ: lzma.compress,
    Codec.ZLIB: zlib.compress,
    Codec.LZMA_ALONE: lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
}

every_codec = pytest.mark.parametrize("codec", list(ENCODERS), ids=lambda codec: codec.name)


def in_pieces(codec: Codec, stored: bytes, piece: int) -> bytes:
    decoder = codecs.decoder(codec)
    return b"".join(out for at in range(0, len(stored), piece) for out in decoder.feed(stored[at : at + piece]))


def test_every_codec_is_decoded_or_refused_with_what_it_would_need() -> None:
    assert set(codecs.DECODERS) == set(codecs.ONE_SHOT)
    assert set(codecs.DECODERS) | set(codecs.WITHOUT_DECODER) == set(Codec)
    assert not set(codecs.DECODERS) & set(codecs.WITHOUT_DECODER)
    for codec, need in codecs.WITHOUT_DECODER.items():
        for call in (lambda codec=codec: codecs.decode(codec, b"x", 1), lambda codec=codec: codecs.decoder(codec)):
            with pytest.raises(MemberUnreadable, match=need):
                call()


@every_codec
@pytest.mark.parametrize("data", [TEXT, b"", b"x", bytes(300_000)], ids=["text", "empty", "one", "zeros"])
def test_a_frame_decodes_whole_in_part_and_in_pieces(codec: Codec, data: bytes) -> None:
    stored = ENCODERS[codec](data)
    for upto in {0, min(1, len(data)), len(data) // 2, len(data)}:
        assert codecs.decode(codec, stored, upto) == data[:upto]
        assert codecs.decode(codec, memoryview(stored), upto) == data[:upto]
    for piece in (len(stored) or 1, 1000, 7, 1):
        assert data.startswith(in_pieces(codec, stored[: 3000 * piece], piece))
    assert in_pieces(codec, stored, 999) == data


@every_codec
def test_what_follows_a_frame_is_passed_over(codec: Codec) -> None:
    stored = ENCODERS[codec](TEXT)
    assert codecs.decode(codec, stored + b"PK\1\2" + bytes(100), len(TEXT)) == TEXT


@every_codec
def test_a_frame_that_ends_early_is_damage_never_a_shorter_answer(codec: Codec) -> None:
    stored = ENCODERS[codec](TEXT)
    for kept in (0, 1, 5, len(stored) // 2, len(stored) - 60):
        with pytest.raises(MemberDamaged):
            codecs.decode(codec, stored[:kept], len(TEXT))
    with pytest.raises(MemberDamaged):
        codecs.decode(codec, stored, len(TEXT) + 1)


@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.ZLIB, Codec.ZSTD, Codec.XZ, Codec.BZIP2], ids=lambda codec: codec.name)
def test_a_checksum_in_the_frame_is_verified(codec: Codec) -> None:
    stored = bytearray(ENCODERS[codec](TEXT))
    at = {Codec.GZIP: -6, Codec.ZLIB: -2, Codec.ZSTD: -2, Codec.XZ: -60, Codec.BZIP2: 12}[codec]
    stored[at] ^= 0xFF
    with pytest.raises(MemberDamaged):
        codecs.decode(codec, bytes(stored), len(TEXT))


@every_codec
def test_a_bomb_is_decoded_no_further_than_asked(codec: Codec) -> None:
    bomb = ENCODERS[codec](bytes(64 * MIB))
    codecs.decode(codec, bomb, 100)
    tracemalloc.start()
    try:
        assert codecs.decode(codec, bomb, 100) == bytes(100)
        decoder = codecs.decoder(codec)
        first = next(decoder.feed(bomb))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0 < len(first) <= DECODE_PIECE_BYTES
    assert peak < 12 * MIB


def test_streams_of_one_codec_one_after_another_are_read_as_one() -> None:
    for codec in (Codec.BZIP2, Codec.XZ, Codec.ZSTD):
        stored = ENCODERS[codec](b"abc") + ENCODERS[codec](b"") + ENCODERS[codec](b"defg")
        assert codecs.decode(codec, stored, 7) == b"abcdefg"
        assert in_pieces(codec, stored, 1) == b"abcdefg"


def test_skippable_zstd_frames_are_passed_over() -> None:
    compress = zstandard.ZstdCompressor().compress
    stored = b"\x5a\x2a\x4d\x18\3\0\0\0xyz" + compress(b"abc") + b"\x50\x2a\x4d\x18\0\0\0\0" + compress(b"d")
    assert codecs.decode(Codec.ZSTD, stored, 4) == b"abcd"
    assert in_pieces(Codec.ZSTD, stored, 1) == b"abcd"


def test_a_zstd_frame_without_content_size_decodes() -> None:
    squeeze = zstandard.ZstdCompressor().compressobj()
    stored = squeeze.compress(TEXT) + squeeze.flush()
    assert zstandard.frame_content_size(stored) == -1
    assert codecs.decode(Codec.ZSTD, stored, len(TEXT)) == TEXT


def test_a_zstd_frame_that_wants_more_memory_than_the_limit_is_unreadable() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=31)
    squeeze = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    stored = squeeze.compress(b"abc") + squeeze.flush()
    with pytest.raises(MemberUnreadable, match=str(DECODE_WINDOW_BYTES)):
        codecs.decode(Codec.ZSTD, stored, 3)


def test_a_zstd_frame_with_a_dictionary_is_unreadable() -> None:
    samples: list[bytes | bytearray | memoryview[int]] = [
        b'{"id":%d,"host":"web-%d","status":200}' % (n, n % 9) for n in range(2000)
    ]
    dictionary = zstandard.train_dictionary(4096, samples)
    stored = zstandard.ZstdCompressor(dict_data=dictionary).compress(bytes(samples[0]))
    with pytest.raises(MemberUnreadable, match="dictionary"):
        codecs.decode(Codec.ZSTD, stored, len(samples[0]))


@every_codec
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_damage_is_a_named_error_or_an_answer_of_the_right_length(codec: Codec, data: st.DataObject) -> None:
    stored = bytearray(ENCODERS[codec](TEXT[:5000]))
    for at in data.draw(st.lists(st.integers(0, len(stored) - 1), max_size=4)):
        stored[at] ^= data.draw(st.integers(1, 255))
    del stored[data.draw(st.integers(0, len(stored))) :]
    with suppress(MemberDamaged, MemberUnreadable):
        assert len(codecs.decode(codec, bytes(stored), 5000)) == 5000
    with suppress(MemberDamaged, MemberUnreadable):
        in_pieces(codec, bytes(stored), data.draw(st.integers(1, 400)))


def test_rare_libraries_are_imported_only_when_such_a_frame_is_read() -> None:
    probe = "import sys, indexer.codecs; sys.exit(bool({'bz2', 'lzma', 'zstandard'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", probe], check=False, timeout=60).returncode == 0

"""Foreign bytes as an archive of each kind: scanned, and every member that is not listed as unreadable read back."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import zstandard

from indexer.codecs import decode, decoder
from indexer.drivers import answer, stream
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, LimitExceeded, MemberDamaged, MemberUnreadable
from indexer.formats import KINDS
from indexer.indexfile.block import new_compressor, tag_of
from indexer.indexfile.context import encode_context
from indexer.indexfile.layout import HEADER
from indexer.limits import NAME_BYTES, OBJECT_BYTES
from indexer.model import Codec, Member, Span
from indexer.plan import read
from indexer.scan import Keep
from indexer.source.memory import MemorySource

URL = "memory://fuzzed"
INDEX_URL = "memory://fuzzed.bindery"
READ_BYTES = 1 << 20
"""No more of a member than this is read: a sparse file may claim to be of any length."""


def scan_anything(kind: str, data: bytes) -> None:
    """Take `data` for an archive of `kind`."""
    index = bytearray(HEADER)
    objects = {URL: data}
    source = MemorySource(objects)
    archive = source.identity(URL)
    steps = KINDS[kind].scan(archive)
    reply: Any = None
    members: list[Member] = []
    with suppress(ArchiveDamaged, ArchiveUnsupported, LimitExceeded, StopIteration):
        while True:
            told = steps.send(reply)
            reply = None
            if isinstance(told, list):
                members += told
            elif isinstance(told, Keep):
                start = len(index)
                index += encode_context(told.data, tag_of(archive.etag, archive.size), new_compressor())
                reply = Span(start, len(index))
            else:
                reply = answer(told, source)
    objects[INDEX_URL] = bytes(index)
    of_index = source.identity(INDEX_URL)
    for member in members:
        check(member, len(data))
        if member.unreadable is None:
            with suppress(MemberDamaged, MemberUnreadable):
                wanted = min(member.size, READ_BYTES)
                assert sum(len(piece) for piece in stream(read(archive, member, 0, wanted, index=of_index), source)) == wanted


def check(member: Member, archive_bytes: int) -> None:
    """What holds of every member, whatever the archive."""
    assert member.key
    assert len(member.name) <= NAME_BYTES
    assert b".." not in member.name.split(b"/")
    assert b"\0" not in member.name
    assert 0 <= member.size <= OBJECT_BYTES
    assert 0 <= member.mtime_s < 1 << 38
    if member.unreadable is None:
        assert sum(extent.length for extent in member.extents) == member.size
    for frame, offset, length in member.extents:
        assert length > 0
        if frame is not None:
            assert 0 <= frame.start <= frame.start + frame.lead_bytes + frame.stored_bytes <= archive_bytes
            assert 0 <= offset <= offset + length <= frame.raw_bytes


def scan_zip(data: bytes) -> None:
    """Take `data` for a zip."""
    scan_anything("zip", data)


def scan_tar(data: bytes) -> None:
    """Take `data` for a tar."""
    scan_anything("tar", data)


def scan_tar_zst(data: bytes) -> None:
    """Take `data` for zstd frames that hold a tar."""
    scan_anything("tar.zst", data)


def scan_framed_tar(data: bytes) -> None:
    """Take `data` for what sound zstd frames of 3,000 bytes hold."""
    compress = zstandard.ZstdCompressor(level=1).compress
    scan_anything("tar.zst", b"".join(compress(data[at : at + 3000]) for at in range(0, len(data), 3000)))


def scan_tar_gz(data: bytes) -> None:
    """Take `data` for gzip members that hold a tar."""
    scan_anything("tar.gz", data)


def scan_gzipped_tar(data: bytes) -> None:
    """Take `data` for what a sound gzip file holds."""
    scan_anything("tar.gz", gzip.compress(data, 1))


def scan_squashfs(data: bytes) -> None:
    """Take `data` for a squashfs image."""
    scan_anything("squashfs", data)


def scan_single_file(data: bytes) -> None:
    """Take `data` for each kind of compressed single file."""
    for kind in ("gz", "zst", "bz2", "xz"):
        scan_anything(kind, data)


def scan_resealed_tar(data: bytes) -> None:
    """As `scan_tar`, with the checksum of whatever looks like a header put right, so that damage reaches what stands behind it."""
    resealed = bytearray(data)
    for at in range(0, len(data) - 511, 512):
        if resealed[at + 257 : at + 262] == b"ustar":
            resealed[at + 148 : at + 156] = b" " * 8
            resealed[at + 148 : at + 156] = b"%06o\0 " % sum(resealed[at : at + 512])
    scan_anything("tar", bytes(resealed))


def decode_anything(data: bytes) -> None:
    """Take the first byte for a codec, the second for a length, the rest for a frame: whole, and in pieces."""
    if len(data) < 2:
        return
    codec, upto, stored = Codec(data[0] % len(Codec)), data[1] << 6, data[2:]
    with suppress(MemberDamaged, MemberUnreadable):
        assert len(decode(codec, stored, upto)) == upto
    with suppress(MemberDamaged, MemberUnreadable):
        pieces = decoder(codec)
        decoded = 0
        for at in range(0, len(stored), 100):
            for piece in pieces.feed(stored[at : at + 100]):
                assert piece
                decoded += len(piece)
                if decoded > READ_BYTES:
                    return


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        scan_zip,
        scan_squashfs,
        scan_tar,
        scan_resealed_tar,
        scan_tar_zst,
        scan_framed_tar,
        scan_tar_gz,
        scan_gzipped_tar,
        scan_single_file,
        decode_anything,
    )
}

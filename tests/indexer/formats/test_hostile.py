from __future__ import annotations

import gzip
import random
import tracemalloc
from collections.abc import Callable
from struct import pack

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.asks import Need
from indexer.drivers import answer
from indexer.formats import KINDS
from indexer.source.memory import MemorySource
from tests.fuzz.scanners import TARGETS
from tests.indexer.formats.archives import GOLDEN, damaged
from tests.indexer.formats.tars import END, entry

SEEDS = {
    "scan_zip": ("infozip_3.0_zip64.zip", "7zip_26.02_ntfs-times.zip", "python_3.11_lzma.zip", "infozip_3.0_prefix.zip"),
    "scan_tar": ("gnutar_1.34_oldgnu.tar",),
    "scan_resealed_tar": ("gnutar_1.34_sparse-gnu.tar", "gnutar_1.34_sparse-1.0.tar", "gnutar_1.34_links-pax.tar"),
    "scan_tar_zst": ("pzstd_1.5.4_frames.tar.zst", "zstd_1.5.4_concatenated.tar.zst", "zstd_1.5.4_piped.tar.zst"),
    "scan_tar_gz": ("gzip_1.12_members.tgz", "gnutar_1.34_sparse.tar.gz"),
    "scan_gzipped_tar": ("bsdtar_3.6.2_pax.tar",),
    "scan_single_file": ("gzip_1.12_joined.gz", "zstd_1.5.4_joined.zst", "bzip2_1.0.8_joined.bz2", "xz_5.4.1_joined.xz"),
    "scan_framed_tar": ("bsdtar_3.6.2_pax.tar", "gnutar_1.34_links.tar"),
}
KEPT_BYTES = 30_000


@pytest.mark.parametrize(("target", "seed"), [(target, seed) for target, seeds in SEEDS.items() for seed in seeds])
@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_archive_is_refused_by_name_or_read_within_its_bounds(target: str, seed: str, data: st.DataObject) -> None:
    whole = (GOLDEN / seed).read_bytes()
    TARGETS[target](data.draw(damaged(whole[-KEPT_BYTES:] if target == "scan_zip" else whole[:KEPT_BYTES])))


@pytest.mark.parametrize("target", TARGETS)
@given(data=st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_bytes_of_any_kind_are_refused_by_name(target: str, data: bytes) -> None:
    TARGETS[target](data)


def directory_of(entries: int) -> bytes:
    """A zip of empty members, made without a writer because half a million of them take one too long."""
    name = b"logs/2026/11/20/host-%09d.json.gz"
    lengths = len(name % 0)
    local = b"".join(b"PK\3\4" + bytes(22) + pack("<HH", lengths, 0) + name % number for number in range(entries))
    central = b"".join(
        b"PK\1\2" + bytes(24) + pack("<HHH", lengths, 0, 0) + bytes(8) + pack("<I", number * (30 + lengths)) + name % number
        for number in range(entries)
    )
    end64 = b"PK\6\6" + pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, entries, entries, len(central), len(local))
    locator = b"PK\6\7" + pack("<IQI", 0, len(local) + len(central), 1)
    return local + central + end64 + locator + b"PK\5\6" + pack("<HHHHIIH", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def tar_of(entries: int) -> bytes:
    return b"".join(entry(b"logs/%09d" % number, b"line\n" * 30) for number in range(entries)) + END


def framed_tar_of(entries: int) -> bytes:
    raw = tar_of(entries)
    compress = zstandard.ZstdCompressor(level=1).compress
    return b"".join(compress(raw[at : at + 100_000]) for at in range(0, len(raw), 100_000))


def single_frame_tar_of(entries: int) -> bytes:
    return zstandard.ZstdCompressor(level=1).compress(tar_of(entries))


def gzip_tar_of(entries: int) -> bytes:
    """One gzip member, of bytes that compress so badly that its blocks are short."""
    some = random.Random(1)
    return gzip.compress(b"".join(entry(b"logs/%09d" % number, some.randbytes(300)) for number in range(entries)) + END, 1)


def gzip_members_tar_of(entries: int) -> bytes:
    raw = tar_of(entries)
    return b"".join(gzip.compress(raw[at : at + 50_000], 1) for at in range(0, len(raw), 50_000))


def peak_of(kind: str, data: bytes) -> int:
    """Most memory that a scan takes whose members nobody keeps."""
    source = MemorySource({"memory://archive": data})
    steps = KINDS[kind].scan(source.identity("memory://archive"))
    tracemalloc.start()
    try:
        told = next(steps)
        while True:
            told = steps.send(answer(told, source) if isinstance(told, Need) else None)
    except StopIteration:
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("kind", "made", "few"),
    [
        ("zip", directory_of, 12_000),
        ("tar", tar_of, 5000),
        ("tar.zst", framed_tar_of, 5000),
        ("tar.zst", single_frame_tar_of, 5000),
        ("tar.gz", gzip_tar_of, 5000),
        ("tar.gz", gzip_members_tar_of, 5000),
    ],
)
def test_memory_does_not_grow_with_the_members(
    kind: str, made: Callable[[int], bytes], few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.scan.REQUEST_BYTES", 1 << 18)
    monkeypatch.setattr("indexer.formats.tar_zst.FRAME_MEMBERS", 1000)
    monkeypatch.setattr("indexer.zstdstream.WHOLE_FRAME_BYTES", 1 << 18)
    monkeypatch.setattr("indexer.tarmembers.LINK_TARGETS", 1000)
    monkeypatch.setattr("indexer.gzipstream.CHECKPOINT_RAW_BYTES", 200_000)
    monkeypatch.setattr("indexer.gzipstream.GZIP_STRETCH_RAW_BYTES", 800_000)
    monkeypatch.setattr("indexer.checkpoints.CHECKPOINT_STEP_BYTES", 100_000)
    small, large = peak_of(kind, made(few)), peak_of(kind, made(5 * few))
    assert large < small * 1.25 + (1 << 18)

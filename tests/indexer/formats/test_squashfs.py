"""Squashfs images that stock tools made are covered by the golden archives; here is what else can be in one."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.drivers import stream
from indexer.errors import ArchiveDamaged, ArchiveUnsupported, BinderyError, LimitExceeded, MemberDamaged, MemberUnreadable
from indexer.formats import squashfs
from indexer.limits import OBJECT_BYTES
from indexer.plan import read
from indexer.squashfs import SUPERBLOCK_BYTES, Superblock
from tests.indexer.formats.archives import GOLDEN, Scanned, scanned

PLAIN = (GOLDEN / "mksquashfs_4.5.1_plain.squashfs").read_bytes()
"""An image whose tables are not compressed, so that every change of a byte is a change of what they say."""
LINKS = (GOLDEN / "mksquashfs_4.5.1_links.squashfs").read_bytes()
TABLES = Superblock.decode(PLAIN, archive="s3://b/a", archive_bytes=len(PLAIN)).inode_table


def found_in(data: bytes) -> Scanned:
    return scanned(squashfs.scan, data)


def contents(found: Scanned) -> dict[str, bytes | None]:
    """Every member's bytes; None for one that cannot be read, for whatever reason is told."""
    told: dict[str, bytes | None] = {}
    for name, member in found.by_name().items():
        try:
            told[name] = found.read(member)
        except (MemberDamaged, MemberUnreadable):
            told[name] = None
    return told


def survives(data: bytes) -> None:
    """An image that is damaged or hostile gives a named error, or members that are read in bounds."""
    try:
        found = found_in(data)
    except (ArchiveDamaged, ArchiveUnsupported, LimitExceeded):
        return
    for member in found.members:
        if member.unreadable is None:
            assert sum(extent.length for extent in member.extents) == member.size <= OBJECT_BYTES


def test_a_scan_is_two_dependent_reads_and_none_of_the_files() -> None:
    found = found_in(PLAIN)
    assert len(found.needs) == 2
    assert min(span.start for need in found.needs[1:] for span in need.spans) == TABLES


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_any_changed_byte_of_the_tables_is_an_error_or_read_in_bounds(flip: int) -> None:
    for at in (*range(SUPERBLOCK_BYTES), *range(TABLES, len(PLAIN.rstrip(b"\0")))):
        survives(PLAIN[:at] + bytes([PLAIN[at] ^ flip]) + PLAIN[at + 1 :])


def test_an_image_cut_off_anywhere_is_an_error() -> None:
    stop = len(PLAIN.rstrip(b"\0"))
    for length in range(0, stop, 7):
        with pytest.raises((ArchiveDamaged, ArchiveUnsupported)):
            found_in(PLAIN[:length])


@given(st.binary(min_size=1, max_size=200), st.integers(0, len(PLAIN) - 1))
def test_rubbish_written_over_an_image_does_no_harm(rubbish: bytes, at: int) -> None:
    survives(PLAIN[:at] + rubbish + PLAIN[at + len(rubbish) :])


@given(st.binary(max_size=300))
def test_rubbish_behind_a_magic_number_is_an_error(rubbish: bytes) -> None:
    with pytest.raises(BinderyError):
        found_in(b"hsqs" + rubbish)


def test_a_directory_that_holds_itself_ends_the_scan() -> None:
    block = Superblock.decode(PLAIN, archive="s3://b/a", archive_bytes=len(PLAIN))
    root = (block.root & 0xFFFF).to_bytes(2, "little")
    table = PLAIN[block.directory_table :]
    place = block.directory_table + table.index(b"\x01\x00\x03\x00logs") - 4  # the entry `logs`, a directory, in the root
    assert PLAIN[place : place + 2] != root
    with pytest.raises(ArchiveDamaged, match="in two places, or in itself"):
        found_in(PLAIN[:place] + root + PLAIN[place + 2 :])


def test_links_are_followed_inside_the_image_only() -> None:
    found = found_in(LINKS).by_name()
    assert found["outside"].unreadable is not None
    assert "leads out of the archive" in found["outside"].unreadable
    assert "a chain of more than 40 links" in str(found["loop-a"].unreadable)
    assert found["hard.txt"].extents == found["data/file.txt"].extents
    assert found["chain.txt"].extents == found["data/file.txt"].extents
    assert "folder" not in found


def test_another_version_is_refused_with_a_clear_word() -> None:
    with pytest.raises(ArchiveUnsupported, match="version 3"):
        found_in(PLAIN[:28] + b"\x03\0" + PLAIN[30:])


@pytest.mark.parametrize("compressor", ["gzip", "lzma", "lzo", "lz4", "xz", "zstd"])
def test_many_files_of_many_sizes_come_back(compressor: str, tmp_path: Path) -> None:
    if shutil.which("mksquashfs") is None:
        pytest.fail("mksquashfs is not installed: make system-packages")
    folder = tmp_path / "tree"
    files = {f"d{n % 7}/f{n:04d}": bytes([n % 251]) * (n * 37 % 9000) + n.to_bytes(4) * (n % 5) for n in range(700)}
    files |= {"large": bytes(range(256)) * 4000, "deep/" * 30 + "leaf": b"leaf", "zeros": bytes(700_000)}
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    image = tmp_path / "image.squashfs"
    command = ["mksquashfs", str(folder), str(image), "-comp", compressor, "-quiet", "-no-progress", "-b", "16K"]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    found = found_in(image.read_bytes())
    assert contents(found) == files
    zeros = found.by_name()["zeros"]
    assert all(extent.frame is None for extent in zeros.extents)


@given(st.integers(0, 256_000), st.integers(0, 256_000))
def test_any_range_of_a_file_of_many_blocks_comes_back(first: int, second: int) -> None:
    found = large_image()
    (member,) = found.members
    start, stop = sorted((first, second))
    assert b"".join(stream(read(found.archive, member, start, stop), found.source)) == LARGE_BYTES[start:stop]


LARGE_BYTES = bytes(range(256)) * 1000


@functools.cache
def large_image() -> Scanned:
    """An image with one file of many blocks and a tail."""
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "tree").mkdir()
        (Path(scratch) / "tree" / "large").write_bytes(LARGE_BYTES)
        command = ["mksquashfs", "tree", "image", "-quiet", "-no-progress", "-b", "4096", "-always-use-fragments"]
        subprocess.run(command, check=True, timeout=120, capture_output=True, cwd=scratch)
        return found_in((Path(scratch) / "image").read_bytes())

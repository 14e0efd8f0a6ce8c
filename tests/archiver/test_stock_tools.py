"""Stock tools read what we write: the trees they extract equal the sources."""

import gzip
import subprocess
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import zstandard

from archiver.frames import LEVELS
from archiver.settings import Format
from archiver.writers import Entry, Sums, Writer
from archiver.writers.tar_zst import TarZstWriter
from archiver.writers.zip import Method, ZipWriter
from indexer.limits import FRAME_STORED_BYTES_MOST, MIB
from indexer.model import DEFAULT_ATTRIBUTES, Codec
from tests.archiver.trees import Tree, members, odd_tree, pack_to, path_of, read_tree, sample_tree, write_tree


def tool(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"},
    )
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.fixture(params=["logs", "odd"])
def tree(request: pytest.FixtureRequest) -> Tree:
    """Sources that a folder can hold."""
    return sample_tree(300) if request.param == "logs" else odd_tree()


@pytest.fixture
def extracted(tmp_path: Path) -> Path:
    """Where a tool extracts to."""
    folder = tmp_path / "extracted"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("command", [["tar", "--zstd", "-xf"], ["bsdtar", "-xf"]], ids=["gnu-tar", "bsdtar"])
def test_tar_extracts_a_tar_zst(tmp_path: Path, extracted: Path, tree: Tree, command: list[str]) -> None:
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.tar.zst"))
    tool(*command, archive, folder=extracted)
    assert read_tree(extracted) == tree
    for key in list(tree)[:20]:
        assert (extracted / key).stat().st_mtime == (tmp_path / "in" / key).stat().st_mtime


@pytest.mark.parametrize("command", [["tar", "xzf"], ["bsdtar", "-xf"]], ids=["gnu-tar", "bsdtar"])
def test_tar_extracts_a_tgz(tmp_path: Path, extracted: Path, tree: Tree, command: list[str]) -> None:
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.tgz", format=Format.TGZ))
    tool(*command, archive, folder=extracted)
    assert read_tree(extracted) == tree
    tool("gzip", "-t", archive, folder=tmp_path)
    for key in list(tree)[:20]:
        assert (extracted / key).stat().st_mtime == (tmp_path / "in" / key).stat().st_mtime


def test_python_reads_a_tgz_and_what_it_carries(tmp_path: Path, tree: Tree) -> None:
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.tgz", format=Format.TGZ))
    with tarfile.open(archive, mode="r:gz") as tar:
        assert {entry.name: (tar.extractfile(entry) or archive.open("rb")).read() for entry in tar} == tree
        assert tar.pax_headers["BINDERY.etag"] == "md5"


def test_every_gzip_member_of_a_tgz_is_a_frame(tmp_path: Path) -> None:
    report = pack_to(write_tree(tmp_path / "in", sample_tree(700)), tmp_path / "x.tgz", format=Format.TGZ)
    frames = {extent.frame for member in members(report).values() for extent in member.extents if extent.frame}
    assert {frame.codec for frame in frames} == {Codec.GZIP}
    assert max(frame.stored_bytes for frame in frames) <= FRAME_STORED_BYTES_MOST
    data = path_of(report).read_bytes()
    for frame in frames:
        assert len(gzip.decompress(data[frame.start : frame.start + frame.stored_bytes])) == frame.raw_bytes


def test_zstd_tests_it_and_knows_its_frames(tmp_path: Path, tree: Tree) -> None:
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.tar.zst"))
    subprocess.run(["zstd", "-tq", archive], check=True, timeout=60)
    listed = subprocess.run(["zstd", "-lv", archive], check=True, capture_output=True, text=True, timeout=60).stdout
    assert "# Skippable Frames: 1" in listed
    assert "Check: XXH64" in listed


@pytest.mark.parametrize("level", LEVELS)
def test_python_reads_a_tar_zst_of_every_level(tmp_path: Path, level: str) -> None:
    tree = sample_tree(60)
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.tar.zst", level=LEVELS[level]))
    decompressor = zstandard.ZstdDecompressor()
    with (
        archive.open("rb") as file,
        decompressor.stream_reader(file, read_across_frames=True) as raw,
        tarfile.open(fileobj=raw, mode="r|") as tar,
    ):
        read = {entry.name: (tar.extractfile(entry) or file).read() for entry in tar}
    assert read == tree


@pytest.mark.parametrize(
    ("command", "method"),
    [
        (["unzip", "-q"], Method.DEFLATE),
        (["7zz", "x", "-y", "-bso0", "-bsp0"], Method.DEFLATE),
        (["7zz", "x", "-y", "-bso0", "-bsp0"], Method.ZSTD),
        (["bsdtar", "-xf"], Method.DEFLATE),
    ],
    ids=["unzip-deflate", "7zip-deflate", "7zip-zstd", "bsdtar-deflate"],
)
def test_unzippers_extract_a_zip(tmp_path: Path, extracted: Path, tree: Tree, command: list[str], method: Method) -> None:
    if command[0] == "unzip":
        tree = {key: body for key, body in tree.items() if "\n" not in key}  # unzip writes ^J for a line feed
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.zip", format=Format.ZIP, method=method))
    tool(*command, archive, folder=extracted)
    assert read_tree(extracted) == tree
    for key in list(tree)[:20]:
        assert (extracted / key).stat().st_mtime == (tmp_path / "in" / key).stat().st_mtime


def test_python_reads_a_deflated_zip(tmp_path: Path, tree: Tree) -> None:
    archive = path_of(pack_to(write_tree(tmp_path / "in", tree), tmp_path / "x.zip", format=Format.ZIP, method=Method.DEFLATE))
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        assert {info.filename: file.read(info) for info in file.infolist()} == tree
        assert file.comment.startswith(b"BINDERY.sources=")


@contextmanager
def written(path: Path, kind: Format) -> Iterator[Writer]:
    """A writer alone, for archives whose sources would take long to make."""
    with path.open("wb") as file, ThreadPoolExecutor(1) as executor:
        if kind is Format.ZIP:
            yield ZipWriter(
                file.write,
                executor,
                level=LEVELS["fast"],
                method=Method.ZSTD,
                sources="0" * 64,
                scratch=path.parent,
                most_bytes=MIB,
            )
        else:
            yield TarZstWriter(file.write, executor, level=LEVELS["fast"], sources="0" * 64, most_bytes=1)


def entry(name: bytes, size: int) -> Entry:
    return Entry(name, size, 1_700_000_000, None, DEFAULT_ATTRIBUTES)


def test_more_members_than_a_plain_zip_can_count(tmp_path: Path) -> None:
    with written(tmp_path / "x.zip", Format.ZIP) as writer:
        for number in range(66_000):
            body = b"%d" % number
            writer.add(entry(b"%05d" % number, len(body)), body, Sums(zlib.crc32(body), "0" * 32))
        writer.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as file:
        assert len(file.infolist()) == 66_000
        assert file.read("65999") == b"65999"
    assert tool("7zz", "l", "-ba", "x.zip", folder=tmp_path).count("\n") == 66_000


def test_a_member_beyond_4_gib_is_told_in_64_bits(tmp_path: Path) -> None:
    size, piece, checksum = 2**32 + 10, bytes(16 * MIB), 0
    with written(tmp_path / "x.zip", Format.ZIP) as writer:
        writer.begin(entry(b"zeros", size))
        for at in range(0, size, len(piece)):
            data = piece[: size - at]
            checksum = zlib.crc32(data, checksum)
            writer.feed(data)
        writer.end(Sums(checksum, "0" * 32))
        writer.add(entry(b"zz-after", 8), b"after it", Sums(zlib.crc32(b"after it"), "0" * 32))
        writer.close()
    with zipfile.ZipFile(tmp_path / "x.zip") as file:
        assert [(info.filename, info.file_size) for info in file.infolist()] == [("zeros", size), ("zz-after", 8)]
        assert file.read("zz-after") == b"after it"
    assert "Everything is Ok" in tool("7zz", "t", "x.zip", folder=tmp_path)


def test_a_member_beyond_8_gib_is_told_by_pax(tmp_path: Path) -> None:
    """Its size does not fit eleven octal digits; its headers suffice to see that."""
    with written(tmp_path / "x.tar.zst", Format.TAR_ZST) as writer:
        writer.begin(entry(b"huge", 9 << 30))
        writer.feed(bytes(2 * MIB))
    decompressor = zstandard.ZstdDecompressor()
    with (
        (tmp_path / "x.tar.zst").open("rb") as file,
        decompressor.stream_reader(file, read_across_frames=True) as raw,
        tarfile.open(fileobj=raw, mode="r|") as tar,
    ):
        read = tar.next()
    assert read is not None
    assert (read.name, read.size) == ("huge", 9 << 30)

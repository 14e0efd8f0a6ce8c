"""Sources for packs, and what came out of them."""

import os
import zlib
from pathlib import Path
from typing import Any

from archiver.pack import PackReport, pack
from archiver.samples import samples
from archiver.settings import Format, PackSettings
from archiver.writing import KEEPS
from indexer import plan
from indexer.drivers import run, stream
from indexer.indexfile.reader import open_index
from indexer.model import Member
from indexer.source.route import RoutedSource

Tree = dict[str, bytes]


def sample_tree(count: int) -> Tree:
    """Keys and bodies of `count` generated logs."""
    return {sample.key: sample.body for sample in samples(count)}


def odd_tree() -> Tree:
    """Names and sizes at the edges of the formats, all of which a folder can hold."""
    return {
        "empty": b"",
        "one": b"1",
        "a block": bytes(512),
        "a-b/x": b"sorts before a/b",
        "a/b": b"sorts after a-b",
        "a.b": b"between",
        "snowman ☃/é": "Grüße".encode(),
        "new\nline": b"in a name",
        "n" * 100: b"fills the name field",
        "n" * 101: b"does not fit it",
        "p" * 150 + "/" + "n" * 90: b"goes into prefix and name",
        "d/" * 80 + "deep": b"many segments",
        "p/" * 100 + "n" * 150: b"needs a pax path",
        "noise": os.urandom(300_000),
        "zeros": bytes(3_000_000),
        "large": b"".join(b"line %08d of a large log\n" % number for number in range(400_000)),
    }


def write_tree(folder: Path, tree: Tree) -> Path:
    """Write a tree as files below `folder`, with times of their own; returns it."""
    for number, (key, body) in enumerate(tree.items()):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    return folder


def read_tree(folder: Path) -> Tree:
    """All files below `folder`."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pack_to(source: Path | str, destination: Path | str, **settings: Any) -> PackReport:
    """Pack with few requests and threads, as befits a test."""
    return pack(PackSettings(source=str(source), destination=str(destination), **{"concurrency": 8, "threads": 2, **settings}))


def members(report: PackReport, env: dict[str, str] | None = None) -> dict[str, Member]:
    """All members by name, through the published index."""
    source = RoutedSource(env or {})
    index = run(open_index(report.index), source)
    found: dict[str, Member] = {}
    start = b""
    while window := run(index.window(start, 1000), source):
        found |= {member.key: member for member in window}
        start = window[-1].name + b"\0"
    return found


def bodies(report: PackReport, env: dict[str, str] | None = None) -> Tree:
    """All members' bytes, through the published index."""
    source = RoutedSource(env or {})
    read: Tree = {}
    for key, member in members(report, env).items():
        read[key] = b"".join(stream(plan.read(report.archive, member, 0, member.size), source))
        assert member.crc32 in (None, zlib.crc32(read[key]))  # a squashfs tells none
    return read


def path_of(report: PackReport) -> Path:
    """Where a local archive is."""
    return Path(report.archive.url.removeprefix("file://"))


BOTH = [Format.TAR_ZST, Format.ZIP]
KEEPING = [kind for kind, keeps in KEEPS.items() if keeps.etag and keeps.attributes]
ALL = list(Format)

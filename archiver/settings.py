"""What one run of the packer is told."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from archiver.frames import LEVELS, Level
from archiver.writers.zip import Method
from indexer.errors import SettingInvalid
from indexer.formats import by_name
from indexer.limits import MIB

LEAST_MEMORY_BYTES: Final = 128 * MIB
"""The interpreter and its libraries take about 70 MiB; below this nothing would be left for requests in flight."""

MOST_CONCURRENCY: Final = 1024


class Format(enum.StrEnum):
    """Kinds of archive we write; also the end of a derived name."""

    TAR_ZST = "tar.zst"
    ZIP = "zip"
    TGZ = "tgz"
    SQUASHFS = "squashfs"


KIND_OF_FORMAT: Final = {Format.TAR_ZST: "tar.zst", Format.ZIP: "zip", Format.TGZ: "tar.gz", Format.SQUASHFS: "squashfs"}
"""What each format is called where it is indexed (`indexer.formats.KINDS`)."""


def format_for(destination: str, asked: str | None) -> Format:
    """The format to write.

    Args:
        destination: The archive, or the folder in which it gets a name; the end of an archive's name tells its format.
        asked: The format that was asked for; None to go by the name, and by `tar.zst` where the name tells nothing.

    Raises:
        SettingInvalid: It is none we write, or the name promises another one: then no tool would know the archive by its name.
    """
    if asked is not None and asked not in list(Format):
        known = ", ".join(Format)
        raise SettingInvalid(f"{asked!r} is none of {known}", hint="See `bindery pack --help`", setting="--format")
    kind = None if destination.endswith("/") else by_name(destination)
    if kind is None:
        return Format.TAR_ZST if asked is None else Format(asked)
    told = {name: each for each, name in KIND_OF_FORMAT.items()}.get(kind.name)
    if told is None or (asked is not None and asked != told):
        hint = "Give the archive a name that ends as its format does, or a folder that ends in /"
        written = f"not {asked}" if asked is not None else "which is not written here"
        raise SettingInvalid(f"the name of the archive says {kind.name}, {written}", hint=hint, destination=destination)
    return told


class Names(enum.StrEnum):
    """What members are called."""

    RELATIVE = "relative"
    """By what follows the source prefix or folder."""
    KEY = "key"
    """By their whole key; in a folder that is the same as RELATIVE."""


@dataclass(frozen=True, slots=True)
class PackSettings:
    """One run of the packer.

    Args:
        source: `s3://bucket/prefix`, a folder, or a file that lists sources, one a line.
        destination: The archive's URL; when it ends in `/`, the folder or prefix in which it gets a derived name.
        base: For a listing: the bucket, prefix or folder below which its lines are keys or paths; None when they are URLs.
        format: Kind of archive.
        level: How hard to compress.
        method: For zip: how members are compressed.
        names: What members are called.
        leave_out_unpackable: Leave out keys that an archive cannot hold safely, instead of refusing to pack.
        memory_bytes: What the process may take in all.
        concurrency: Requests in flight.
        threads: Threads that compress.
        scratch: Folder for scratch files; they take about 100 bytes a member.
        env: The variables with which stores are reached.
    """

    source: str
    destination: str
    base: str | None = None
    format: Format = Format.TAR_ZST
    level: Level = LEVELS["default"]
    method: Method = Method.ZSTD
    names: Names = Names.RELATIVE
    leave_out_unpackable: bool = False
    memory_bytes: int = 256 * MIB
    concurrency: int = 64
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    scratch: Path = Path("/tmp")  # noqa: S108 - files without a name, see archiver.scratch
    env: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        problems = {
            "source": "" if self.source else "is empty",
            "destination": "" if self.destination else "is empty",
            "method": "is for members of a zip: zstd or deflate" if self.method is Method.STORED else "",
            "memory": f"is below {LEAST_MEMORY_BYTES // MIB} MiB" if self.memory_bytes < LEAST_MEMORY_BYTES else "",
            "concurrency": "" if 1 <= self.concurrency <= MOST_CONCURRENCY else f"is not between 1 and {MOST_CONCURRENCY}",
            "threads": "" if self.threads >= 1 else "is below 1",
            "scratch": "" if self.scratch.is_dir() else f"{str(self.scratch)!r} is not a folder",
        }
        told = {name: problem for name, problem in problems.items() if problem}
        if told:
            text = "; ".join(f"{name} {problem}" for name, problem in told.items())
            raise SettingInvalid(text, hint="See `bindery pack --help`", setting=", ".join(told))

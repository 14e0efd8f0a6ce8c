"""Writes squashfs 4.0 through a program that turns a tar into an image: mksquashfs 4.5 or newer, else tar2sqfs.

The tar is streamed to the program's standard input, so that no tree of files is needed; the image grows in a file without a name
and is handed to the sink when it is whole, because its superblock is written last. The format keeps names, times and bytes. It has
no place for ETags and attributes that its readers would look at, so those are not kept (docs/decisions/0015).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from archiver import tarheaders
from archiver.frames import Level
from archiver.memberheaders import plain
from archiver.scratch import disk_errors
from archiver.writers import Data, Entry, Sums
from indexer.errors import BinderyError, DiskFull, StoreFailed, ToolMissing
from indexer.limits import KIB, MIB
from indexer.model import DEFAULT_ATTRIBUTES

BLOCK_BYTES: Final = 256 * KIB
"""What a reader decodes for a small member, as a frame of ours: logs of that length take about 32 KiB."""

PADDED_BYTES: Final = 4 * KIB
"""Images are a multiple of this long, so that they can be mounted from a block device."""

LEAST_TOOL_BYTES: Final = 64 * MIB
QUOTED_BYTES: Final = 400
"""As much of a program's complaint is quoted."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes an image of a tar.

    Args:
        name: What it is called.
        arguments: Its options, with fields in braces; the program reads the tar from standard input.
        wants_folders: Whether folders must stand in the tar, lest they get the time of now.
    """

    name: str
    arguments: str
    wants_folders: bool

    def command(self, program: str, level: Level, file: int, *, threads: int, memory_bytes: int) -> list[str]:
        """The whole command line; the image goes to the open file of that number."""
        fields = {
            "image": f"/proc/self/fd/{file}",
            "level": level.member_level,
            "block": BLOCK_BYTES,
            "threads": threads,
            "mib": max(memory_bytes, LEAST_TOOL_BYTES) // MIB,
        }
        return [program, *(argument.format(**fields) for argument in self.arguments.split())]


TOOLS: Final = (
    Tool(
        "mksquashfs",
        "- {image} -tar -noappend -comp zstd -Xcompression-level {level} -b {block} -all-root -root-mode 755 -no-xattrs "
        "-no-progress -quiet -processors {threads} -mem {mib}M",
        wants_folders=True,
    ),
    Tool(
        "tar2sqfs",
        "--force --quiet --no-xattr --no-skip --compressor zstd --comp-extra level={level} --block-size {block} "
        "--num-jobs {threads} {image}",
        wants_folders=False,
    ),
)
"""In the order of preference. Both give the same bytes whatever the threads do."""


class SquashfsWriter:
    """A `Writer` of squashfs.

    Args:
        out: Takes the archive's bytes in order, all of them in `close`.
        level: How hard to compress.
        sources: What the archive was made from; it is written behind the image, where no reader looks.
        newest_s: The latest time of all members; the image's own time, and its root folder's.
        scratch: Folder for the image until it is whole.
        threads: Threads that compress.
        memory_bytes: What the program may take; it needs 64 MiB, and more when members are many.
        env: Where programs are found (`PATH`).

    Raises:
        ToolMissing: No such program is installed, or it is too old.
    """

    def __init__(
        self,
        out: Callable[[bytes], object],
        *,
        level: Level,
        sources: str,
        newest_s: int,
        scratch: Path,
        threads: int,
        memory_bytes: int,
        env: Mapping[str, str],
    ) -> None:
        self._out = out
        self._sources = sources
        self._tool, program = find_tool(env)
        self._folder: tuple[bytes, ...] = ()
        self._padding = b""
        with disk_errors():
            self._image: IO[bytes] = tempfile.TemporaryFile(dir=scratch, prefix="bindery-image-")  # noqa: SIM115 - see discard
            self._said: IO[bytes] = tempfile.TemporaryFile(dir=scratch, prefix="bindery-said-")  # noqa: SIM115
        file = self._image.fileno()
        self._process = subprocess.Popen(  # noqa: S603 - the program that the user has installed
            self._tool.command(program, level, file, threads=threads, memory_bytes=memory_bytes),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            pass_fds=(file,),
            env={"PATH": os.defpath, "LC_ALL": "C", "SOURCE_DATE_EPOCH": str(newest_s)},
            start_new_session=True,  # an interrupt is ours to handle
        )
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        self._tar: IO[bytes] = self._process.stdin

    def add(self, entry: Entry, data: Data, sums: Sums) -> None:  # noqa: ARG002 - the format has none
        """As `Writer.add`."""
        self._write(self._headers(entry))
        self._write(data)
        self._write(tarheaders.padding(entry.size))

    def begin(self, entry: Entry) -> None:
        """As `Writer.begin`."""
        self._write(self._headers(entry))
        self._padding = tarheaders.padding(entry.size)

    def feed(self, data: Data) -> None:
        """As `Writer.feed`."""
        self._write(data)

    def end(self, sums: Sums) -> None:  # noqa: ARG002 - as in add
        """As `Writer.end`."""
        self._write(self._padding)

    def close(self) -> None:
        """As `Writer.close`."""
        self._write(tarheaders.END_OF_ARCHIVE)
        try:
            self._tar.close()
        except BrokenPipeError:
            raise self._failed() from None
        if self._process.wait():
            raise self._failed()
        with disk_errors():
            self._image.seek(0)
            length = 0
            while piece := self._image.read(MIB):
                self._out(piece)
                length += len(piece)
        told = f"\nBINDERY.sources={self._sources}\n".encode()
        self._out(bytes(-(length + len(told)) % PADDED_BYTES) + told)
        self.discard()

    def discard(self) -> None:
        """As `Writer.discard`."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._tar.close()
        self._process.wait()
        self._image.close()
        self._said.close()

    def _headers(self, entry: Entry) -> bytes:
        if not self._tool.wants_folders:
            return plain(entry, [])
        *segments, _ = entry.name.split(b"/")
        inside, self._folder = self._folder, tuple(segments)
        known = next((at for at, (old, new) in enumerate(zip(inside, segments, strict=False)) if old != new), len(inside))
        folders = [
            plain(Entry(b"/".join(segments[: at + 1]) + b"/", 0, 0, None, DEFAULT_ATTRIBUTES), [])
            for at in range(min(known, len(segments)), len(segments))
        ]
        return b"".join((*folders, plain(entry, [])))

    def _write(self, data: Data) -> None:
        try:
            self._tar.write(data)
        except BrokenPipeError:
            raise self._failed() from None

    def _failed(self) -> BinderyError:
        """What the program's end means."""
        self._process.wait()
        self._said.seek(0)
        said = self._said.read(QUOTED_BYTES).decode(errors="replace").strip()
        if "No space left" in said:
            return DiskFull("there is no room for the image", hint="Free some space or name another scratch folder")
        return StoreFailed(f"{self._tool.name} failed: {said or 'it did not say why'}", hint="Pack as tar.zst, zip or tgz instead")


def find_tool(env: Mapping[str, str]) -> tuple[Tool, str]:
    """The first of `TOOLS` that is installed and knows its options, and its path.

    Raises:
        ToolMissing: There is none.
    """
    path = env.get("PATH", os.defpath)
    for tool in TOOLS:
        program = shutil.which(tool.name, path=path)
        if program is not None and _knows(program, tool):
            return tool, program
    raise ToolMissing(
        "squashfs images are made by a program that is not installed here",
        hint="Install squashfs-tools 4.5 or newer (mksquashfs), or squashfs-tools-ng (tar2sqfs); tar.zst, zip and tgz need none",
        tool=TOOLS[0].name,
    )


def _knows(program: str, tool: Tool) -> bool:
    """Whether a program names our options in its help: mksquashfs reads tars since 4.5, and not every build has zstd."""
    asked = subprocess.run([program, "-help"], capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60)  # noqa: S603 - as above
    told = (asked.stdout + asked.stderr).decode(errors="replace")
    return "zstd" in told and (tool.name != "mksquashfs" or "\n-tar" in told)

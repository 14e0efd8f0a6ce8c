"""`bindery repack`: the members of an archive, packed anew."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bindery.console import print_json
from bindery.opened import Archive
from bindery.packing import ArchiveFormat, CompressionLevel, MemoryMib, ZipMethod, one_of, tell_report
from bindery.progress import Bars
from indexer.limits import MIB

NAME: Final = "repack"
HELP: Final = "Pack the members of an archive anew, with frames."


def run(
    archive: Archive,
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="The new archive; when it ends in /, a name made of the old one's is added.")
    ],
    archive_format: ArchiveFormat = None,
    level: CompressionLevel = "default",
    method: ZipMethod = "zstd",
    leave_out_unpackable: Annotated[
        bool, typer.Option("--leave-out-unpackable", help="Leave out members that cannot be read or packed, and say which.")
    ] = False,
    memory_mib: MemoryMib = 256,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
) -> None:
    """Repack, and say what came of it."""
    from archiver.frames import LEVELS  # noqa: PLC0415 - no other command pays for the clients that write
    from archiver.repack import repack  # noqa: PLC0415
    from archiver.settings import PackSettings, format_for  # noqa: PLC0415
    from archiver.writers.zip import Method  # noqa: PLC0415

    settings = PackSettings(
        source=archive,
        destination=destination,
        format=format_for(destination, archive_format),
        level=LEVELS[one_of("--level", level, list(LEVELS))],
        method=Method[one_of("--method", method, ["zstd", "deflate"]).upper()],
        leave_out_unpackable=leave_out_unpackable,
        memory_bytes=memory_mib * MIB,
        scratch=Path(tempfile.gettempdir()),
        env=os.environ,
    )
    with Bars() as bars:
        report = repack(settings, bars)
    if as_json:
        print_json(report.as_json())
    else:
        tell_report(report)

"""`bindery pack`: many objects into one archive with its index."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bindery.console import print_json
from bindery.packing import ArchiveFormat, CompressionLevel, MemoryMib, ZipMethod, one_of, tell_report
from bindery.progress import Bars
from indexer import urls
from indexer.limits import MIB

NAME: Final = "pack"
HELP: Final = "Pack objects or files into one indexed archive."


def run(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="s3://bucket/prefix, a folder, or a file that lists one URL or key a line.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DEST", help="The archive; when it ends in /, a name made of the sources is added.")
    ],
    archive_format: ArchiveFormat = None,
    level: CompressionLevel = "default",
    method: ZipMethod = "zstd",
    names: Annotated[
        str,
        typer.Option(
            "--names", metavar="WHICH", help="Name members by what follows the source prefix (relative), or by their key."
        ),
    ] = "relative",
    base: Annotated[
        str | None, typer.Option("--base", metavar="URL", help="For a list of keys: the bucket, prefix or folder they lie in.")
    ] = None,
    leave_out_unpackable: Annotated[
        bool, typer.Option("--leave-out-unpackable", help="Leave out keys that no archive can hold safely, and say which.")
    ] = False,
    memory_mib: MemoryMib = 256,
    concurrency: Annotated[int, typer.Option("--concurrency", help="Requests in flight.")] = 64,
    catalog: Annotated[
        str | None,
        typer.Option("--catalog", metavar="CATALOG", help="Then bind the archive in this catalog, under the keys packed."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
) -> None:
    """Pack, and say what was saved."""
    from archiver.catalog import Binding, CatalogEditor, prefix_of  # noqa: PLC0415
    from archiver.frames import LEVELS  # noqa: PLC0415 - no other command pays for the clients that write
    from archiver.pack import pack  # noqa: PLC0415
    from archiver.settings import Names, PackSettings, format_for  # noqa: PLC0415
    from archiver.writers.zip import Method  # noqa: PLC0415

    settings = PackSettings(
        source=source,
        destination=destination,
        base=base,
        format=format_for(destination, archive_format),
        level=LEVELS[one_of("--level", level, list(LEVELS))],
        method=Method[one_of("--method", method, ["zstd", "deflate"]).upper()],
        names=Names(one_of("--names", names, [which.value for which in Names])),
        leave_out_unpackable=leave_out_unpackable,
        memory_bytes=memory_mib * MIB,
        concurrency=concurrency,
        scratch=Path(tempfile.gettempdir()),
        env=os.environ,
    )
    editor = None if catalog is None else CatalogEditor(urls.parse(catalog), os.environ)
    with Bars() as bars:
        report = pack(settings, bars)
    if editor is not None:
        editor.add([Binding(report.archive.url, report.index, prefix_of(settings))])
    if as_json:
        print_json(report.as_json() | ({} if editor is None else {"catalog": editor.url}))
        return
    tell_report(report)

"""`bindery install`: an archive that exists, uploaded and indexed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bindery.console import count, print_json, size, tell
from bindery.progress import Bars

NAME: Final = "install"
HELP: Final = "Upload an archive of any tool, and index it."


def run(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The archive, a local file of any kind that can be indexed.")],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="Its URL; when it ends in /, the file's name is added.")],
    storage_class: Annotated[
        str | None,
        typer.Option(
            "--storage-class", metavar="CLASS", help="STANDARD, INTELLIGENT_TIERING, STANDARD_IA, ONEZONE_IA or GLACIER_IR."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
) -> None:
    """Upload, index, and say what is in it."""
    from archiver.install import InstallSettings, install  # noqa: PLC0415 - no command that reads pays for the clients that write

    settings = InstallSettings(file, destination, storage_class, Path(tempfile.gettempdir()), os.environ)
    with Bars() as bars:
        report = install(settings, bars)
    if as_json:
        print_json(report.as_json())
        return
    told = f"{report.outcome.value}: {report.kind}, {size(report.archive.size)}"
    if report.summary is not None:
        told += f", {count(report.summary.members)} members; index {size(report.summary.index_bytes)}"
    tell(told)
    typer.echo(report.archive.url.removeprefix("file://"))

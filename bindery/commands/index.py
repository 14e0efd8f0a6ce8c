"""`bindery index`: the index of an archive that is there already."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bindery.console import count, print_json, size, tell
from bindery.opened import Archive, IndexUrl
from bindery.progress import Bars
from indexer import urls

NAME: Final = "index"
HELP: Final = "Build the index of an archive, and write it beside it."


def run(
    archive: Archive,
    index: IndexUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
) -> None:
    """Index an archive made by any tool; one that is there already is built anew."""
    from archiver.reindex import reindex  # noqa: PLC0415 - no command that reads pays for the clients that write

    url = urls.parse(archive)
    place = urls.parse(index) if index else urls.index_url(url)
    with Bars() as bars:
        bars.step("Indexing", None)
        summary = reindex(
            url, place, env=os.environ, scratch=Path(tempfile.gettempdir()), progress=lambda members: bars.show(members, 0)
        )
    if as_json:
        print_json(summary.as_json() | {"index": place})
        return
    packed = f"{size(summary.bytes)} in {size(summary.stored_bytes)}"
    tell(f"{count(summary.members)} members, {packed}; index {size(summary.index_bytes)}")
    if summary.unreadable:
        tell(f"{count(summary.unreadable)} members cannot be read; `bindery verify` tells why")
    if summary.duplicates:
        tell(f"{count(summary.duplicates)} names appear more than once; the last one counts")
    for fault, number in summary.left_out.items():
        tell(f"{count(number)} names were left out: {fault}")
    for example in summary.examples:
        tell(f"  {example}")
    typer.echo(place.removeprefix("file://"))

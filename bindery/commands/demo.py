"""`bindery demo`: the whole path on this machine in a minute, from a folder of small logs to an S3 client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

NAME: Final = "demo"
HELP: Final = "Show it all on this machine; needs no account."


def run(
    folder: Annotated[
        Path,
        typer.Option("--folder", metavar="DIR", help="Where logs and archive are put; it is kept, so that you can go on with it."),
    ] = Path("bindery-demo"),
    objects: Annotated[int, typer.Option("--objects", min=1, max=1_000_000, help="How many logs to make.")] = 20_000,
) -> None:
    """Show what Bindery does."""
    from bindery.demonstration import demonstrate  # noqa: PLC0415 - no other command pays for what it needs

    demonstrate(folder, objects)

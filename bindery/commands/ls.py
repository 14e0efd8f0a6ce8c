"""`bindery ls`: the members of an archive, as `aws s3 ls` shows objects."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from bindery.console import print_json
from bindery.opened import BUCKET, Archive, IndexUrl, Opened, TraceCost, opened
from object_lambda.answers import ListAnswer
from object_lambda.listing import token_of
from object_lambda.requests import ListRequest

NAME: Final = "ls"
HELP: Final = "List the members of an archive, like `aws s3 ls`."


def run(
    archive: Archive,
    prefix: Annotated[str, typer.Argument(metavar="[PREFIX]", help="Only names that begin with this.")] = "",
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="All names, one a line, not only down to the next /.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    index: IndexUrl = None,
    trace_cost: TraceCost = False,
) -> None:
    """Print the members under a prefix."""
    wanted = os.fsencode(prefix)
    with opened(archive, index, trace_cost=trace_cost) as place:
        for page in pages(place, wanted, b"" if recursive else b"/"):
            if as_json:
                _print_json(page)
            elif recursive:
                sys.stdout.write("".join(f"{entry.key.decode()}\n" for entry in page.entries))
            else:
                _print_table(page, wanted)


def pages(place: Opened, prefix: bytes, delimiter: bytes) -> Iterator[ListAnswer]:
    """All pages of a listing."""
    token: str | None = None
    while True:
        page = place.run(place.service.list(ListRequest(BUCKET, prefix=prefix, delimiter=delimiter, token=token)))
        yield page
        if page.last is None:
            return
        token = token_of(page.last)


def _print_json(page: ListAnswer) -> None:
    for rolled in page.prefixes:
        print_json({"prefix": rolled.decode()})
    for entry in page.entries:
        modified = datetime.fromtimestamp(entry.mtime_s, UTC).isoformat()
        print_json({"key": entry.key.decode(), "size": entry.size, "etag": entry.etag, "last_modified": modified})


def _print_table(page: ListAnswer, prefix: bytes) -> None:
    shown = prefix.rfind(b"/") + 1
    for rolled in page.prefixes:
        sys.stdout.write(f"{'PRE':>30} {rolled[shown:].decode()}\n")
    for entry in page.entries:
        modified = datetime.fromtimestamp(entry.mtime_s, UTC)
        sys.stdout.write(f"{modified:%Y-%m-%d %H:%M:%S} {entry.size:>10} {entry.key[shown:].decode()}\n")

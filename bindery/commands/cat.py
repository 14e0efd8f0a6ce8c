"""`bindery cat`: a member's bytes on stdout."""

from __future__ import annotations

import os
import re
import sys
from typing import Annotated, Final

import typer

from bindery.opened import Archive, IndexUrl, TraceCost, opened
from indexer.errors import RangeInvalid

NAME: Final = "cat"
HELP: Final = "Write a member's bytes to stdout."

RANGE: Final = re.compile("([0-9]{1,19})-([0-9]{0,19})|-[0-9]{1,19}")
"""No more digits than the size of an object can have (`indexer.limits.OBJECT_BYTES`)."""


def run(
    archive: Archive,
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Its name, as `bindery ls -r` tells it.")],
    byte_range: Annotated[
        str | None, typer.Option("--range", metavar="A-B", help="Only bytes A to B, both included; A- to the end, -N the last N.")
    ] = None,
    index: IndexUrl = None,
    trace_cost: TraceCost = False,
) -> None:
    """Print one member."""
    header = None if byte_range is None else _header(byte_range)
    with opened(archive, index, trace_cost=trace_cost) as place:
        _, pieces = place.get(os.fsencode(member), header)
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _header(byte_range: str) -> str:
    """The Range header for an option's value; S3 would ignore one that is not well formed, a person wants to know."""
    match = RANGE.fullmatch(byte_range)
    if match is None or (match[2] and int(match[1]) > int(match[2])):
        raise RangeInvalid("this is no range of bytes", hint="Write --range 0-99, 100- or -50", setting="--range", value=byte_range)
    return f"bytes={byte_range}"

"""`bindery verify`: reads every member and says whether all is right."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from archiver.check import check
from bindery.console import count, print_json, size, tell
from bindery.opened import Archive, IndexUrl
from bindery.progress import Bars
from indexer import urls
from indexer.errors import VerifyFailed
from indexer.indexfile.reader import Index
from indexer.source.route import open_source

NAME: Final = "verify"
HELP: Final = "Read every member and check it."


def run(
    archive: Archive,
    index: IndexUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
) -> None:
    """Check an archive against its index."""
    url = urls.parse(archive)
    with Bars() as bars:
        bars.step("Reading every member", None)

        def progress(members: int, of: Index) -> None:
            bars.show(members, 0, total=of.members)

        report = check(url, urls.parse(index) if index else urls.index_url(url), open_source(os.environ), progress)
    if as_json:
        print_json(
            {
                "archive": url,
                "right": report.right,
                "members": report.members,
                "bytes": report.bytes,
                "checked": report.checked,
                "unreadable": report.unreadable,
                "damaged": report.damaged,
                "faults": report.faults,
            }
        )
    else:
        for fault in report.faults:
            tell(fault)
        tell(f"{count(report.members)} members, {size(report.bytes)}; {count(report.checked)} compared with a checksum")
    if not report.right:
        raise VerifyFailed(
            f"{count(report.damaged)} members are damaged and {count(report.unreadable)} cannot be read",
            hint="All others are right",
            archive=url,
        )

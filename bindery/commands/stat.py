"""`bindery stat`: what an archive holds, or where one member lies."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from bindery.console import count, print_json, size
from bindery.opened import Archive, IndexUrl, Opened, TraceCost, opened
from indexer.model import Extent
from object_lambda.members import etag_of

NAME: Final = "stat"
HELP: Final = "Tell what an archive holds, or all about one member."


def run(
    archive: Archive,
    member: Annotated[str | None, typer.Argument(metavar="[MEMBER]", help="One member; all of the archive without it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    index: IndexUrl = None,
    trace_cost: TraceCost = False,
) -> None:
    """Print facts."""
    with opened(archive, index, trace_cost=trace_cost) as place:
        facts = _archive(place) if member is None else _member(place, os.fsencode(member))
    if as_json:
        print_json(facts)
        return
    table = Table(show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, _shown(name, value))
    Console().print(table)


def _archive(place: Opened) -> dict[str, Any]:
    root = place.root()
    index = root.index
    return {
        "archive": place.mount.archive,
        "kind": index.kind,
        "members": index.members,
        "bytes": index.bytes,
        "stored_bytes": index.archive_size,
        "index_bytes": index.identity.size,
        "frames": index.facts.get("frames", 0),
        "unreadable": index.unreadable,
        "etag": index.archive_etag,
        "index": index.identity.url,
        "pages": index.facts["pages"],
        "facts": {name: value for name, value in sorted(index.facts.items()) if name not in SHOWN_FACTS},
    }


SHOWN_FACTS: Final = {"archive_etag", "archive_size", "bytes", "frames", "kind", "members", "pages", "unreadable"}


def _member(place: Opened, name: bytes) -> dict[str, Any]:
    root = place.root()
    found = place.run(root.index.find(name))
    if found is None:
        raise place.missing(name)
    attributes = {key: value for key, value in found.attributes._asdict().items() if value}
    if "metadata" in attributes:
        attributes["metadata"] = dict(found.attributes.metadata)
    return {
        "member": name.decode(),
        "size": found.size,
        "last_modified": datetime.fromtimestamp(found.mtime_s, UTC).isoformat(),
        "etag": etag_of(found, root.index.archive_etag),
        "crc32": None if found.crc32 is None else f"{found.crc32:08x}",
        **attributes,
        "unreadable": found.unreadable,
        "extents": [_extent(extent) for extent in found.extents],
    }


def _extent(extent: Extent) -> dict[str, Any]:
    frame, offset, length = extent
    if frame is None:
        return {"zeros": length}
    return {
        "offset": offset,
        "length": length,
        "frame": {
            "start": frame.start,
            "stored_bytes": frame.stored_bytes,
            "raw_bytes": frame.raw_bytes,
            "codec": frame.codec.name.lower(),
            "lead_bytes": frame.lead_bytes,
        },
    }


def _shown(name: str, value: object) -> str:
    """A fact for a person."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if type(value) is int:
        return f"{count(value)} ({size(value)})" if name.endswith("bytes") or name == "size" else count(value)
    return "" if value is None else str(value)

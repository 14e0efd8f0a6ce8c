"""`bindery catalog`: which archives are bound under one prefix."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from bindery.console import count, print_json, size, tell
from bindery.opened import IndexUrl
from indexer import urls
from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.reader import open_catalog
from indexer.drivers import run
from indexer.errors import CatalogStale, SettingInvalid
from indexer.source.route import open_source

if TYPE_CHECKING:
    from archiver.catalog import CatalogEditor, Committed

NAME: Final = "catalog"
HELP: Final = "Bind archives under one prefix: add, remove, ls, check, rebuild."

app = typer.Typer(help=HELP, no_args_is_help=True, rich_markup_mode=None)

Catalog = Annotated[str, typer.Argument(metavar="CATALOG", help="The catalog: a URL or path that ends in .bindery-catalog.")]
Archives = Annotated[list[str], typer.Argument(metavar="ARCHIVE...", help="Archives, the newest last.")]
Prefix = Annotated[str, typer.Option("--prefix", metavar="PREFIX", help="Put this before each member's name to make its key.")]
AsJson = Annotated[bool, typer.Option("--json", help="Tell the result as JSON.")]


@app.command("add")
def add(catalog: Catalog, archives: Archives, prefix: Prefix = "", index: IndexUrl = None, as_json: AsJson = False) -> None:
    """Bind indexed archives. Of two with one key, the one bound later answers."""
    from archiver.catalog import Binding  # noqa: PLC0415 - no command that reads pays for the clients that write

    if index and len(archives) > 1:
        raise SettingInvalid("one index is not that of several archives", hint="Add them one by one", setting="--index")
    found = [urls.parse(archive) for archive in archives]
    places = [urls.parse(index)] if index else [urls.index_url(url) for url in found]
    bindings = [Binding(url, place, prefix.encode()) for url, place in zip(found, places, strict=True)]
    _tell(_editor(catalog).add(bindings), as_json=as_json)


@app.command("remove")
def remove(catalog: Catalog, archives: Archives, as_json: AsJson = False) -> None:
    """Take archives out of the catalog; they themselves stay where they are."""
    _tell(_editor(catalog).remove([urls.parse(archive) for archive in archives]), as_json=as_json)


@app.command("ls")
def ls(catalog: Catalog, as_json: AsJson = False) -> None:
    """List the archives, the oldest first."""
    source = open_source(os.environ)
    entries = run(run(open_catalog(urls.parse(catalog)), source).entries(), source)
    for entry in sorted(entries, key=lambda entry: entry.sequence):
        if as_json:
            print_json(_facts(entry))
        else:
            spread = f"{entry.low.decode()} .. {entry.high.decode()}"
            sys.stdout.write(f"{entry.sequence:>6} {count(entry.members):>13} {_shown(entry.archive.url)}  {spread}\n")


@app.command("check")
def check(catalog: Catalog, as_json: AsJson = False) -> None:
    """Look whether every archive and its index still are the versions bound."""
    findings = _editor(catalog).check()
    wrong = [finding for finding in findings if finding.problem]
    for finding in wrong:
        if not as_json:
            tell(finding.problem)
    if as_json:
        print_json({"archives": len(findings), "wrong": {one.entry.archive.url: one.problem for one in wrong}})
    else:
        tell(f"{count(len(findings))} archives, {count(len(wrong))} wrong")
    if wrong:
        hint = "Bind them again with `bindery catalog add`, or take them out with `bindery catalog remove`"
        raise CatalogStale(f"{count(len(wrong))} archives are not as they were bound", hint=hint, catalog=catalog)


@app.command("rebuild")
def rebuild(
    catalog: Catalog,
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="Where the archives are: a prefix in a bucket, or a folder.")],
    prefix: Prefix = "",
    as_json: AsJson = False,
) -> None:
    """Make the catalog anew, of all archives in a folder that have their index beside them."""
    _tell(_editor(catalog).rebuild(folder, prefix.encode()), as_json=as_json)


def _editor(catalog: str) -> CatalogEditor:
    from archiver.catalog import CatalogEditor  # noqa: PLC0415

    return CatalogEditor(urls.parse(catalog), os.environ)


def _tell(done: Committed, *, as_json: bool) -> None:
    entries = done.state.entries
    members, stored = sum(entry.members for entry in entries), sum(entry.archive.size for entry in entries)
    if as_json:
        told = {"changed": done.changed, "archives": len(entries), "members": members, "stored_bytes": stored, "lost": done.lost}
        print_json(told)
        return
    changed = "" if done.changed else "nothing to do: "
    tell(f"{changed}{count(len(entries))} archives, {count(members)} members, {size(stored)}")


def _facts(entry: CatalogEntry) -> dict[str, object]:
    return {
        "archive": entry.archive.url,
        "etag": entry.archive.etag,
        "stored_bytes": entry.archive.size,
        "index": entry.index.url,
        "index_etag": entry.index.etag,
        "index_bytes": entry.index.size,
        "kind": entry.kind,
        "prefix": entry.prefix.decode(),
        "first": entry.low.decode(),
        "last": entry.high.decode(),
        "members": entry.members,
        "bytes": entry.member_bytes,
        "unreadable": entry.unreadable,
        "sequence": entry.sequence,
        "filter_bytes": len(entry.filter or b""),
    }


def _shown(url: str) -> str:
    return url.removeprefix("file://")

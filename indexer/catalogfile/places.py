"""How a catalog spells where archives are: relative to itself where it can, so that both may be copied together."""

from __future__ import annotations

from typing import Final

from indexer.indexfile.columns import ColumnDamaged

RELATIVE: Final = "./"
"""No absolute URL begins so."""

FILE: Final = "file://"


def spelled(url: str, catalog: str) -> str:
    """The spelling of `url` in the catalog at `catalog`; both canonical."""
    folder = _folder(catalog)
    return RELATIVE + url[len(folder) :] if url.startswith(folder) else url


def resolved(spelling: str, catalog: str) -> str:
    """Undo `spelled`.

    Raises:
        ColumnDamaged: It is no location, or one that this catalog must not name: who can write to a bucket shall not choose which
            of the reader's own files are read.
    """
    url = _folder(catalog) + spelling[len(RELATIVE) :] if spelling.startswith(RELATIVE) else spelling
    scheme, mark, rest = url.partition("://")
    if not (scheme and mark and rest) or url.endswith("/") or "\0" in url:
        raise ColumnDamaged("a place is none")
    if url.startswith(FILE) and not catalog.startswith(FILE):
        raise ColumnDamaged("a place is a local file")
    if url.startswith(FILE) and (not rest.startswith("/") or ".." in rest.split("/")):
        raise ColumnDamaged("a place is no absolute path")
    return url


def _folder(catalog: str) -> str:
    """Where the catalog lies; a bucket's name is no folder of another bucket's."""
    return catalog[: catalog.rindex("/") + 1]

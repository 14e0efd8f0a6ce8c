"""Indexes an archive that is there already, and publishes the index beside it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from archiver.buckets import Buckets
from archiver.publish import FilePublication, Publication, exists
from archiver.scratch import disk_errors
from archiver.uploads import ObjectPublication
from indexer.build import BuildSummary, build_index
from indexer.drivers import run
from indexer.errors import IndexDamaged, IndexMissing, IndexUnsupported
from indexer.indexfile.reader import open_index
from indexer.limits import MIB
from indexer.model import Identity
from indexer.source import Source
from indexer.source.route import open_source
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, INDEX_SUFFIX, split

UPLOAD_BYTES: Final = 32 * MIB
"""Parts of an index in flight at most."""


def reindex(
    archive_url: str,
    index_url: str,
    *,
    env: Mapping[str, str],
    scratch: Path,
    progress: Callable[[int], object] | None = None,
) -> BuildSummary:
    """Build the index of an archive and put it at `index_url`, in place of one that is there.

    Args:
        archive_url: The archive.
        index_url: Where its index belongs. Only an index is replaced there, or what is named as one.
        env: The variables with which stores are reached.
        scratch: Folder for the index until it is whole, and for sorting.
        progress: Told the number of members found so far.

    Returns:
        What was found.

    Raises:
        As `indexer.build.build_index`; and DestinationExists when something else than an index has this place (the archive itself,
        say), or another writer was quicker. What was there is still there then.
    """
    if index_url == archive_url:
        raise exists(index_url)
    source = open_source(env)
    there = _replaceable(index_url, source)
    with disk_errors(), tempfile.TemporaryFile(dir=scratch, prefix="bindery-index-") as file:
        summary = build_index(archive_url, source, file.write, scratch=scratch, progress=progress)
        file.seek(0)
        publication = _publication(index_url, env, scratch, there)
        try:
            while piece := file.read(MIB):
                publication.write(piece)
            publication.publish()
        finally:
            publication.discard()
    return summary


def indexed(archive_url: str, index_url: str, source: Source) -> bool:
    """Whether an archive has an index of the version that is there now. Costs two or three requests.

    Raises:
        ObjectMissing: There is no such archive.
        AccessRefused, StoreFailed: As ever.
    """
    archive = source.head(archive_url).identity
    try:
        return run(open_index(index_url), source).archive(archive_url) == archive
    except (IndexMissing, IndexDamaged, IndexUnsupported):
        return False


def _replaceable(url: str, source: Source) -> Identity | None:
    """What a new index takes the place of; None when nothing is there."""
    try:
        return run(open_index(url), source).identity
    except IndexMissing:
        return None
    except IndexUnsupported:
        return source.head(url).identity
    except IndexDamaged:
        if not url.endswith(INDEX_SUFFIX):
            raise exists(url) from None
        return source.head(url).identity


def _publication(url: str, env: Mapping[str, str], scratch: Path, replaces: Identity | None) -> Publication:
    if split(url).scheme == FILE:
        return FilePublication(url, replaces=replaces)
    buckets = Buckets(StoreSettings.read(env), requests=4)
    return ObjectPublication(url, buckets, scratch=scratch, most_bytes=UPLOAD_BYTES, replaces=replaces)

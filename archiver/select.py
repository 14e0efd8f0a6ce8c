"""Which sources are packed: found lazily, in the order of their names, and spooled to disk with what stands for them all."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from archiver.buckets import Buckets
from archiver.folders import FolderReader, walk
from archiver.listing import Listing
from archiver.names import LeftOut, fault
from archiver.paths import Paths
from archiver.progress import Phase, Progress, Tally
from archiver.scratch import Rows
from archiver.settings import Names, PackSettings
from archiver.sources import Chosen, Reader
from archiver.writing import KEEPS
from indexer.errors import BinderyError, LocationInvalid, SourceEmpty, StoreFailed
from indexer.source.local import identity
from indexer.source.settings import StoreSettings
from indexer.urls import FILE, local_path, name, parse_prefix, split

Fault = Callable[[Chosen], str | None]
"""Tells why a source cannot be packed, in words; None when it can."""


class Selection:
    """The sources of one archive.

    Args:
        reader: Reads them.
        stem: What they are called together.
        scratch: Folder for the spool.

    Attributes:
        rows: Each source, in the byte order of names.
        bytes: Their lengths in all.
        newest_s: The latest of their times.
        left_out: What was found and not selected.
        by_name: Whether the rows are packed in the order of their names, or in another that is better to read them in.
    """

    def __init__(self, reader: Reader, stem: str, *, scratch: Path) -> None:
        self.reader = reader
        self.stem = stem
        self.rows: Rows[Chosen] = Rows(scratch, Chosen._make)
        self.bytes = 0
        self.newest_s = 0
        self.left_out = LeftOut()
        self.by_name = True
        self._last = b""
        self._hash = hashlib.sha256()

    def add(self, chosen: Chosen) -> None:
        """Select one more.

        Raises:
            StoreFailed: It comes before the one before it.
        """
        if self.rows.count and chosen.name <= self._last:
            raise StoreFailed(
                "the store lists its keys out of order",
                hint="Write the keys to a file and pack that: a listing is sorted first",
                source=chosen.url,
            )
        self._last = chosen.name
        # Lengths first: no two lists of sources are one text.
        version = chosen.version.encode()
        self._hash.update(b"%d %d %d %b%b" % (len(chosen.name), len(version), chosen.size, chosen.name, version))
        self.bytes += chosen.size
        self.newest_s = max(self.newest_s, chosen.mtime_s)
        self.rows.add(chosen)

    def arrange(self, rows: Rows[Chosen]) -> None:
        """Take the same rows in another order."""
        self.rows.close()
        self.rows = rows
        self.by_name = False

    @property
    def sources(self) -> str:
        """SHA-256 over name, version and size of all sources, in hexadecimal."""
        return self._hash.hexdigest()

    def close(self) -> None:
        """Give the spool's room back."""
        self.rows.close()


def select(settings: PackSettings, progress: Progress) -> Selection:
    """Find the sources that the settings name.

    Args:
        settings: Where, what to call them, and what to do with keys that cannot be packed.
        progress: Is told how many there are.

    Returns:
        The selection; the caller closes it.

    Raises:
        SourceEmpty: There is nothing.
        SourceUnpackable: Some keys cannot become members, and were not to be left out.
        LocationInvalid, ObjectMissing, AccessRefused, StoreFailed: The source cannot be read.

    Cost:
        A bucket: one request for every thousand objects. A listing: one for each line.
    """
    selection, found = _open(settings)
    fill(selection, found, settings, progress)
    if not selection.rows.count:
        selection.close()
        raise _empty(settings.source, selection)
    return selection


def fill(selection: Selection, found: Iterable[Chosen], settings: PackSettings, progress: Progress, *faults: Fault) -> None:
    """Select what was found, as far as it can be packed.

    Args:
        selection: What to fill; it is closed when this fails.
        found: Sources in the order of their names.
        settings: What to do with those that cannot be packed.
        progress: Is told how many there are.
        faults: What may be wrong with a source beside its name.

    Raises:
        SourceUnpackable: Some cannot become members, and were not to be left out.
    """
    refused = selection.left_out if settings.leave_out_unpackable else LeftOut()
    known: list[Fault] = [lambda chosen: fault(chosen.name, chosen.size), *faults]
    if not KEEPS[settings.format].any_name:
        paths = Paths()
        known.append(lambda chosen: paths.fault(chosen.name, chosen.mtime_s))
    tally = Tally(progress, Phase.SELECT)
    try:
        for chosen in found:
            why = next(filter(None, (each(chosen) for each in known)), None)
            if why is None:
                selection.add(chosen)
                tally.add(1, chosen.size)
            else:
                refused.add(chosen.url, why)
        tally.tell()
        if refused is not selection.left_out:
            refused.refuse()
    except BaseException:
        selection.close()
        raise


def key_prefix(source: str) -> str:
    """What the keys of a source begin with when it is a prefix in a bucket; empty for folders and listings."""
    scheme, _, key = split(parse_prefix(source))
    return "" if scheme == FILE else f"{key}/" if key and not key.endswith("/") else key


def _open(settings: PackSettings) -> tuple[Selection, Iterator[Chosen]]:
    """The selection to be filled, and what is found for it."""
    scratch = settings.scratch
    prefix = parse_prefix(settings.source)
    scheme, bucket, key = split(prefix)
    if scheme != FILE:
        key = key_prefix(settings.source)
        buckets = Buckets(StoreSettings.read(settings.env), requests=settings.concurrency)
        selection = Selection(buckets, name(prefix) or bucket, scratch=scratch)
        dropped = 0 if settings.names is Names.KEY else len(key.encode())
        return selection, _in_bucket(buckets, bucket, key, dropped, selection.left_out)
    path = Path(key)
    if path.is_dir():
        selection = Selection(FolderReader(), path.resolve().name, scratch=scratch)
        return selection, _in_folder(path, selection.left_out, scratch)
    if path.is_file():
        listing = Listing(path, settings)
        return Selection(listing.reader, path.stem, scratch=scratch), listing.chosen()
    raise LocationInvalid("there is no such folder or listing", hint="Check the path", source=settings.source)


def _in_bucket(buckets: Buckets, bucket: str, prefix: str, dropped: int, left_out: LeftOut) -> Iterator[Chosen]:
    for key, size, etag, mtime_s in buckets.list(bucket, prefix):
        url = f"s3://{bucket}/{key}"
        member = key.encode()[dropped:]
        if not member and not size:
            left_out.add(url, "the marker of the folder itself")
        else:
            yield Chosen(member, url, size, etag, mtime_s)


def _in_folder(folder: Path, left_out: LeftOut, scratch: Path) -> Iterator[Chosen]:
    base = parse_prefix(str(folder.resolve()))
    for relative, status in walk(folder, left_out, scratch=scratch):
        url = base + relative.decode(errors="backslashreplace")
        version = identity(url, status).etag
        yield Chosen(relative, url, status.st_size, version, max(0, int(status.st_mtime)))


def _empty(source: str, selection: Selection) -> BinderyError:
    hint = "Check the path"
    if selection.left_out.count:
        hint = f"Everything there was left out: {'; '.join(selection.left_out.examples)}"
    elif isinstance(selection.reader, Buckets):
        prefix = parse_prefix(source)
        folder = prefix if prefix.endswith("/") else prefix + "/"
        hint = f"No key begins with {folder}; check the bucket and the prefix, which always ends with a whole segment"
    return SourceEmpty("there is nothing to pack", hint=hint, source=source)


def folder_of(source: str) -> str | None:
    """The prefix below which all sources lie, or None for a listing: an archive must not be written there."""
    prefix = parse_prefix(source)
    if split(prefix).scheme == FILE:
        return parse_prefix(str(Path(local_path(prefix)).resolve())) if Path(local_path(prefix)).is_dir() else None
    return prefix if prefix.endswith("/") else prefix + "/"

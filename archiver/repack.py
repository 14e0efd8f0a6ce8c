"""Packs the members of one archive into another, with frames: for archives that can only be read from their start."""

from __future__ import annotations

from contextlib import ExitStack, closing
from functools import partial

from archiver.archives import ArchiveReader, place_of, unreadable
from archiver.draft import Draft
from archiver.ordering import sorted_rows
from archiver.pack import PackReport, pack_chosen
from archiver.progress import Progress, Silent
from archiver.scratch import Rows
from archiver.select import Selection, fill
from archiver.settings import PackSettings
from archiver.sources import Chosen
from indexer.errors import SourceEmpty
from indexer.formats import by_name
from indexer.source.route import open_source
from indexer.urls import name, parse


def repack(settings: PackSettings, progress: Progress | None = None) -> PackReport:
    """Pack the members of an archive anew.

    Args:
        settings: As for `archiver.pack.pack`; `source` is an archive of any kind that can be indexed. Members are called as there.
        progress: Is told how it goes.

    Returns:
        What was packed, or found packed. Members keep names, times, attributes, and the ETags that the archive tells; where it
        tells none, the MD5 of the bytes becomes the ETag.

    Raises:
        As `pack`; and ObjectMissing, ArchiveUnsupported, ArchiveDamaged, MemberDamaged: The archive, or a member, cannot be read.
        SourceUnpackable: It has members that cannot be read, and they were not to be left out.

    Cost:
        The archive is read once to index it, unless its index is there, and once to pack it, both from front to back; the new one
        as `pack` does. Memory: `settings.memory_bytes`.
    """
    with ExitStack() as stack:
        draft = stack.enter_context(closing(Draft(settings.scratch)))
        reader = ArchiveReader(parse(settings.source), open_source(settings.env), draft)
        stack.enter_context(closing(reader))
        return pack_chosen(settings, partial(_select, reader), progress or Silent())


def _select(reader: ArchiveReader, settings: PackSettings, progress: Progress) -> Selection:
    """All members of the archive, to be packed in the order in which they lie there."""
    url = reader.archive.url
    selection = Selection(reader, _stem(url), scratch=settings.scratch)
    fill(selection, reader.members(), settings, progress, unreadable)
    if not selection.rows.count:
        selection.close()
        raise SourceEmpty("the archive has no members that can be packed", hint="`bindery stat` tells what is in it", archive=url)
    arranged: Rows[Chosen] = Rows(settings.scratch, Chosen._make)
    try:
        for *_, chosen in sorted_rows(((*place_of(row), row.name, tuple(row)) for row in selection.rows), settings.scratch):
            arranged.add(Chosen._make(chosen))
    except BaseException:
        arranged.close()
        selection.close()
        raise
    selection.arrange(arranged)
    return selection


def _stem(url: str) -> str:
    """What the archive is called without the end that tells its kind."""
    called, kind = name(url), by_name(url)
    ends = sorted(kind.suffixes, key=len, reverse=True) if kind is not None else ()
    return next((called[: -len(end)] for end in ends if called.lower().endswith(end)), called)

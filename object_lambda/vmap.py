"""The virtual prefix map: which prefix shows which archive, as the variables of the squashfs Object Lambda spell it.

An entry is `virtual/prefix|s3://bucket/key`. Leading slashes of the prefix mean nothing, a closing one neither; `/` or nothing is
the root. The key of the archive is taken as it is: spaces, `%` and `#` are ordinary characters.
"""

from __future__ import annotations

from typing import Final

from indexer import urls
from indexer.errors import LocationInvalid
from object_lambda.mounts import ANY_BUCKET, Mount

EXAMPLE: Final = "Write virtual/prefix|s3://bucket/key"


def parse_entry(text: str) -> Mount:
    """Read one entry.

    Raises:
        ValueError: It is none; the text says what is wrong.
    """
    prefix, bar, archive = text.partition("|")
    if not bar or "|" in archive:
        raise ValueError(f"{text!r} has {'no' if not bar else 'more than one'} |. {EXAMPLE}")
    if "://" not in archive:
        raise ValueError(f"{archive!r} is no URL. {EXAMPLE}")
    try:
        url = urls.parse(archive.strip())
        covered = prefix.strip().strip("/").encode()
    except (LocationInvalid, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error
    return Mount(ANY_BUCKET, covered + b"/" if covered else b"", url, urls.index_url(url))


def entry_on(line: str) -> str | None:
    """The entry on a line of a map's file; None on a blank line, and on one that begins with `#`."""
    entry = line.strip()
    return entry if entry and not entry.startswith("#") else None

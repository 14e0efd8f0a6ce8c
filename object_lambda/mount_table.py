"""Mounts as people write them: `BUCKET[/PREFIX]=ARCHIVE`."""

from __future__ import annotations

import re

from indexer.errors import SettingInvalid
from indexer.urls import index_url, parse
from object_lambda.mounts import Mount

ARCHIVE_BEGINS = re.compile(r"=(?=[A-Za-z][A-Za-z0-9+.-]*://|/|\.{1,2}/)")
EXAMPLE = "Write BUCKET[/PREFIX]=ARCHIVE, such as logs/2024=s3://archives/logs-2024.tar.zst"


def parse_mount(text: str) -> Mount:
    """Read one mount.

    A prefix may hold `=` (`logs/year=2024=s3://archives/2024.zip`): the archive begins behind the first `=` that a scheme, `/`,
    `./` or `../` follows, and behind the first `=` of all when there is none such. A slash at the end of the prefix means nothing.

    Raises:
        SettingInvalid: There is no `=`, no bucket or no archive.
        LocationInvalid: The archive is no location.
    """
    match = ARCHIVE_BEGINS.search(text)
    place, equals, archive = (text[: match.start()], "=", text[match.end() :]) if match else text.partition("=")
    bucket, _, prefix = place.partition("/")
    if not equals or not bucket or not archive:
        raise SettingInvalid("this is no mount", hint=EXAMPLE, setting="mount", value=text)
    url = parse(archive)
    covered = prefix.removesuffix("/")
    return Mount(bucket, f"{covered}/".encode() if covered else b"", url, index_url(url))

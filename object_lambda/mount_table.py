"""Mounts as people write them (`BUCKET[/PREFIX]=ARCHIVE`), and live prefixes (`BUCKET[/PREFIX]=s3://bucket/prefix`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from indexer.errors import LocationInvalid, SettingInvalid
from indexer.urls import index_url, parse, parse_prefix, split
from object_lambda.live import LivePlace
from object_lambda.mounts import Mount
from object_lambda.overlay import Winner

ARCHIVE_BEGINS = re.compile(r"=(?=[A-Za-z][A-Za-z0-9+.-]*://|/|\.{1,2}/)")
EXAMPLE = "Write BUCKET[/PREFIX]=ARCHIVE, such as logs/2024=s3://archives/logs-2024.tar.zst"
WINNER_VARIABLE = "BINDERY_OVERLAY"
LIVE_EXAMPLE = "Write BUCKET[/PREFIX]=s3://bucket/prefix, such as logs=s3://our-logs/"


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
    return Mount(bucket, _closed(prefix), url, index_url(url))


def parse_live(text: str) -> LivePlace:
    """Read a live prefix as people write it: `BUCKET[/PREFIX]=s3://bucket/prefix`.

    As with a mount, the prefix ends at a `/` whether it is written or not, on both sides.

    Raises:
        SettingInvalid: It is none.
    """
    at = text.find("=s3://")
    place, location = (text[:at], text[at + 1 :]) if at > 0 else ("", "")
    bucket, _, prefix = place.partition("/")
    try:
        source = split(parse_prefix(location)) if bucket else None
    except LocationInvalid:
        source = None
    if source is None:
        raise SettingInvalid("this is no live prefix", hint=LIVE_EXAMPLE, setting="live", value=text)
    return LivePlace(bucket, _closed(prefix), source.bucket, _closed(source.key))


def _closed(prefix: str) -> bytes:
    """A prefix with the slash it ends at."""
    covered = prefix.removesuffix("/")
    return f"{covered}/".encode() if covered else b""


def winner_in(env: Mapping[str, str]) -> Winner:
    """Which object is served where a key is bound and lies loose too: `BINDERY_OVERLAY`, `bound` unless it says `live`.

    Raises:
        SettingInvalid: It says something else.
    """
    text = env.get(WINNER_VARIABLE, "").strip() or Winner.BOUND
    try:
        return Winner(text)
    except ValueError:
        hint = f"Write {' or '.join(Winner)}"
        raise SettingInvalid("an overlay is won by one of two sides", hint=hint, setting=WINNER_VARIABLE, value=text) from None

"""Times as S3 writes them: whole seconds since 1970 to the texts of headers and listings, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIRST_S = -62_135_596_800
"""The first second of the year 1."""

LAST_S = 253_402_300_799
"""The last second of the year 9999."""


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """`Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110 5.6.7). A time outside the years 1 to 9999 becomes the nearest inside."""
    at = _moment(seconds)
    return f"{DAYS[at.weekday()]}, {at.day:02} {MONTHS[at.month - 1]} {at.year:04} {at:%H:%M:%S} GMT"


def iso_date(seconds: int) -> str:
    """`2015-10-21T07:28:00.000Z`, as listings tell it. Bounded as `http_date`."""
    minute, second = divmod(seconds, 60)
    return f"{_iso_minute(minute)}{second:02}.000Z"


@lru_cache(maxsize=65_536)
def _iso_minute(minute: int) -> str:
    at = _moment(minute * 60)
    return f"{at.year:04}-{at.month:02}-{at.day:02}T{at.hour:02}:{at.minute:02}:"


def _moment(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=min(max(seconds, FIRST_S), LAST_S))


def parse_http_date(text: str) -> int | None:
    """Read a date in any of the three forms of RFC 9110 5.6.7; None when it is none, and the header is then ignored."""
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return int(((at if at.tzinfo else at.replace(tzinfo=UTC)) - EPOCH).total_seconds())

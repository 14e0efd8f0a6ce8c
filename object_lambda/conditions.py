"""Preconditions: whether a caller who knows an older version gets this one (RFC 9110 13, in S3's order)."""

from __future__ import annotations

import enum

from object_lambda.dates import parse_http_date
from object_lambda.requests import NO_CONDITIONS, Conditions
from object_lambda.s3_errors import PreconditionFailed


class Verdict(enum.Enum):
    """What the preconditions of a request lead to when none fails."""

    PROCEED = enum.auto()
    NOT_MODIFIED = enum.auto()


def judge(conditions: Conditions, etag: str, mtime_s: int) -> Verdict:
    """Weigh the preconditions in the order If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since.

    An ETag goes before a date of the same sense: If-Match that holds makes If-Unmodified-Since void, If-None-Match that is there
    makes If-Modified-Since void. A date that cannot be read is passed over.

    Args:
        conditions: As sent.
        etag: Of the object, without quotes.
        mtime_s: Of the object.

    Raises:
        PreconditionFailed: If-Match or If-Unmodified-Since does not hold.
    """
    if conditions is NO_CONDITIONS:
        return Verdict.PROCEED
    if conditions.if_match is not None:
        if not names_etag(conditions.if_match, etag):
            raise PreconditionFailed("", Condition="If-Match")
    elif conditions.if_unmodified_since is not None:
        since = parse_http_date(conditions.if_unmodified_since)
        if since is not None and mtime_s > since:
            raise PreconditionFailed("", Condition="If-Unmodified-Since")
    if conditions.if_none_match is not None:
        return Verdict.NOT_MODIFIED if names_etag(conditions.if_none_match, etag) else Verdict.PROCEED
    if conditions.if_modified_since is not None:
        since = parse_http_date(conditions.if_modified_since)
        if since is not None and mtime_s <= since:
            return Verdict.NOT_MODIFIED
    return Verdict.PROCEED


def names_etag(sent: str, etag: str) -> bool:
    """Whether a list of ETags names this one: `*`, or one of them with or without quotes and `W/`, as S3 takes them."""
    return any(_bare(one) in {"*", etag} for one in sent.split(","))


def range_is_current(if_range: str | None, etag: str, mtime_s: int) -> bool:
    """Whether If-Range lets a range be answered: the very ETag, strong, or the very Last-Modified (RFC 9110 13.1.5)."""
    if if_range is None:
        return True
    text = if_range.strip()
    if text.startswith("W/"):
        return False
    return _bare(text) == etag or parse_http_date(text) == mtime_s


def _bare(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')

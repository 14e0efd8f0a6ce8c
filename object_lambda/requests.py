"""What callers ask of the service, as plain values; the doors make them from what came over the wire.

Keys, prefixes, markers and delimiters are UTF-8 bytes: S3 orders keys by their bytes. Header and query texts are kept as they
were sent where the answer depends on the object (`range`, preconditions), and are checked here where it does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from object_lambda.s3_errors import InvalidArgument, InvalidRequest, NoSuchVersion

LIST_KEYS: Final = 1000
"""Most keys and common prefixes in one page; a larger `max-keys` is cut to it, as S3 does."""

PART_NUMBERS: Final = 10_000
"""Most parts S3 lets an object have."""

INT_MOST: Final = 2**31 - 1
"""Largest `max-keys` S3 takes for a number."""

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The precondition headers as sent; None when absent."""

    if_match: str | None = None
    if_unmodified_since: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """The `response-*` parameters: header values the caller wants in place of the object's own."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    expires: str | None = None


NO_CONDITIONS: Final = Conditions()
NO_OVERRIDES: Final = Overrides()


@dataclass(frozen=True, slots=True)
class ObjectRequest:
    """GetObject or HeadObject.

    Args:
        bucket: Its name.
        key: UTF-8, decoded once from the raw path (`keys.split_path`).
        range: The Range header (or, through Object Lambda, query parameter) as sent.
        part_number: 1 to 10,000; None for the whole object.
        if_range: The If-Range header as sent.
        checksum: Whether the caller asked for checksums (`x-amz-checksum-mode: ENABLED`).
    """

    bucket: str
    key: bytes
    range: str | None = None
    part_number: int | None = None
    if_range: str | None = None
    conditions: Conditions = NO_CONDITIONS
    overrides: Overrides = NO_OVERRIDES
    checksum: bool = False


@dataclass(frozen=True, slots=True)
class ListRequest:
    """ListObjects (`version` 1) or ListObjectsV2 (2).

    Args:
        bucket: Its name.
        version: Which of the two protocols.
        prefix: Only keys that begin with it.
        delimiter: Keys are rolled up to their first delimiter behind the prefix; empty for none.
        max_keys: 0 to 1,000: keys and common prefixes together.
        after: `marker` (1) or `start-after` (2); None when it was not sent. Only what is greater is listed.
        token: `continuation-token` as sent, None when absent; goes before `after`.
        url_encoded: Whether keys in the document are percent-encoded (`encoding-type=url`).
        fetch_owner: Whether version 2 tells owners; version 1 always does.
    """

    bucket: str
    version: int = 2
    prefix: bytes = b""
    delimiter: bytes = b""
    max_keys: int = LIST_KEYS
    after: bytes | None = None
    token: str | None = None
    url_encoded: bool = field(default=False, kw_only=True)
    fetch_owner: bool = field(default=False, kw_only=True)


OVERRIDE_NAMES: Final = {
    "response-content-type": "content_type",
    "response-content-encoding": "content_encoding",
    "response-content-language": "content_language",
    "response-content-disposition": "content_disposition",
    "response-cache-control": "cache_control",
    "response-expires": "expires",
}


def object_request(bucket: str, key: bytes, headers: Mapping[str, str], query: Mapping[str, str]) -> ObjectRequest:
    """Make the request for one object out of its headers (names in lower case) and query parameters.

    Raises:
        InvalidArgument: A part number or a `response-*` value that S3 refuses.
        NoSuchVersion: Another version than the only one there is (`null`).
        InvalidRequest: A key for server-side encryption is sent along (SSE-C); no member is encrypted so.
    """
    if "x-amz-server-side-encryption-customer-algorithm" in headers:
        raise InvalidRequest("The encryption parameters are not applicable to this object.")
    if query:
        _check_version(query.get("versionId"), key)
    return ObjectRequest(
        bucket=bucket,
        key=key,
        range=headers.get("range") or query.get("Range"),
        part_number=_part_number(query.get("partNumber")) if query else None,
        if_range=headers.get("if-range"),
        conditions=_conditions(headers),
        overrides=_overrides(query) if query else NO_OVERRIDES,
        checksum=headers.get("x-amz-checksum-mode", "").upper() == "ENABLED",
    )


def list_request(bucket: str, query: Mapping[str, str]) -> ListRequest:
    """Make a list request out of its query parameters (blank ones kept).

    Raises:
        InvalidArgument: `list-type`, `max-keys` or `encoding-type` has a value that S3 refuses.
    """
    version = query.get("list-type")
    if version not in {None, "2"}:
        raise InvalidArgument("Invalid List Type specified in Request", ArgumentName="list-type", ArgumentValue=version or "")
    encoding = query.get("encoding-type")
    if encoding not in {None, "", "url"}:
        raise InvalidArgument(
            "Invalid Encoding Method specified in Request", ArgumentName="encoding-type", ArgumentValue=encoding or ""
        )
    after = query.get("start-after" if version else "marker")
    return ListRequest(
        bucket=bucket,
        version=2 if version else 1,
        prefix=query.get("prefix", "").encode(),
        delimiter=query.get("delimiter", "").encode(),
        max_keys=_max_keys(query.get("max-keys")),
        after=None if after is None else after.encode(),
        token=query.get("continuation-token") if version else None,
        url_encoded=encoding == "url",
        fetch_owner=query.get("fetch-owner", "").lower() == "true",
    )


def _max_keys(text: str | None) -> int:
    if not text:
        return LIST_KEYS
    number = _integer(text)
    if number is None or number > INT_MOST:
        message = "Provided max-keys not an integer or within integer range"
        raise InvalidArgument(message, ArgumentName="max-keys", ArgumentValue=text)
    return min(number, LIST_KEYS)


def _part_number(text: str | None) -> int | None:
    if text is None:
        return None
    number = _integer(text)
    if number is None or not 1 <= number <= PART_NUMBERS:
        message = f"Part number must be an integer between 1 and {PART_NUMBERS}, inclusive"
        raise InvalidArgument(message, ArgumentName="partNumber", ArgumentValue=text)
    return number


def _integer(text: str) -> int | None:
    """Read digits, and nothing that only Python takes for a number (signs, underscores, other scripts' digits)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _check_version(version: str | None, key: bytes) -> None:
    """Let through the only version there is; S3 calls it `null` in a bucket that was never versioned."""
    if version == "":
        raise InvalidArgument("Version id cannot be the empty string", ArgumentName="versionId", ArgumentValue="")
    if version not in {None, "null"}:
        raise NoSuchVersion("", Key=key.decode(), VersionId=version or "")


def _conditions(headers: Mapping[str, str]) -> Conditions:
    if not any(name.startswith("if-") for name in headers):
        return NO_CONDITIONS
    return Conditions(
        if_match=headers.get("if-match"),
        if_unmodified_since=headers.get("if-unmodified-since"),
        if_none_match=headers.get("if-none-match"),
        if_modified_since=headers.get("if-modified-since"),
    )


def _overrides(query: Mapping[str, str]) -> Overrides:
    given = {attribute: query[name] for name, attribute in OVERRIDE_NAMES.items() if name in query}
    for name in OVERRIDE_NAMES:
        # A line break would let a link's author write headers of his own into our answer.
        if CONTROL.search(query.get(name, "")):
            raise InvalidArgument("Header value cannot be represented", ArgumentName=name, ArgumentValue="")
    return Overrides(**given) if given else NO_OVERRIDES

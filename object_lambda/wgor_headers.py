"""What WriteGetObjectResponse carries beside a body: statuses and headers, as its API reference lists them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from indexer.errors import StoreFailed
from object_lambda.headers import headers_of

if TYPE_CHECKING:
    from object_lambda.answers import ObjectAnswer
    from object_lambda.live import LiveAnswer
    from object_lambda.s3_errors import S3Error

STATUSES: Final = frozenset({200, 206, 304, 400, 401, 403, 404, 405, 409, 411, 412, 416, 500, 503})
"""All that `x-amz-fwd-status` may say."""

FORWARDED: Final = "x-amz-fwd-header-"

PLAIN: Final = frozenset({"content-length"})
"""Headers of the answer that are headers of the request as they are; user metadata is too."""

UNKNOWN: Final = frozenset({"x-amz-checksum-type"})
"""Headers of S3's answers that cannot be forwarded."""

FORWARDABLE: Final = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "x-amz-delete-marker",
        "x-amz-expiration",
        "x-amz-missing-meta",
        "x-amz-mp-parts-count",
        "x-amz-object-lock-legal-hold",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-replication-status",
        "x-amz-request-charged",
        "x-amz-restore",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-storage-class",
        "x-amz-tagging-count",
        "x-amz-version-id",
    }
)
"""Headers of a loose object that WriteGetObjectResponse knows, in lower case."""

CHECKSUMS: Final = frozenset(f"x-amz-checksum-{kind}" for kind in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256"))

NUMBERS: Final = frozenset({"content-length", "x-amz-missing-meta", "x-amz-mp-parts-count", "x-amz-tagging-count"})
BOOLEANS: Final = frozenset({"x-amz-delete-marker", "x-amz-server-side-encryption-bucket-key-enabled"})

MESSAGE_CHARACTERS: Final = 1000
"""Longest error message sent: it is a header, and those of one request have 8 KB in all."""

UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e]")


def answer_headers(answer: ObjectAnswer) -> list[tuple[str, str]]:
    """The headers that tell S3 Object Lambda of an answer; its body is to follow."""
    headers = [("x-amz-fwd-status", str(answer.status))]
    for name, value in headers_of(answer):
        lower = name.lower()
        if lower in PLAIN or lower.startswith("x-amz-meta-"):
            headers.append((name, value))
        elif lower not in UNKNOWN:
            headers.append((FORWARDED + name, value))
    if answer.status == 304:
        headers.append(("Content-Length", "0"))
    return headers


def live_headers(answer: LiveAnswer) -> list[tuple[str, str]]:
    """As `answer_headers`, of a loose object.

    Raises:
        StoreFailed: The store does not tell how long the body is.
    """
    headers = [("x-amz-fwd-status", str(answer.status))]
    for name, value in answer.headers:
        if name.startswith("x-amz-meta-"):
            headers.append((name, told(value)))
        elif name in FORWARDABLE:
            headers.append((FORWARDED + name, told(value)))
    # More than one checksum fails. Which of several is told does not matter: each is over the same bytes.
    checksums = [(name, value) for name, value in answer.headers if name in CHECKSUMS]
    headers += [(FORWARDED + name, told(value)) for name, value in checksums[:1]]
    length = 0 if answer.status == 304 else answer.content_length
    if length is None:
        raise StoreFailed("the live side does not tell the length of the object", hint="Ask again")
    return [*headers, ("Content-Length", str(length))]


def head_value(name: str, value: str) -> str | int | bool:
    """A header of the result of a HeadObject, of the type that the user guide wants."""
    lower = name.lower()
    if lower in NUMBERS and value.isascii() and value.isdigit():
        return int(value)
    return value == "true" if lower in BOOLEANS else value


def error_headers(error: S3Error) -> list[tuple[str, str]]:
    """The headers that tell S3 Object Lambda of an error; it writes the document itself, and there must be no body."""
    return [
        ("x-amz-fwd-status", str(told_status(error.http_status))),
        ("x-amz-fwd-error-code", error.code),
        ("x-amz-fwd-error-message", told_message(error)),
        ("Content-Length", "0"),
    ]


def told_status(status: int) -> int:
    """The nearest status that can be told: 501 becomes 400, because a client would only repeat what answers 500."""
    if status in STATUSES:
        return status
    return 400 if status < 500 or status == 501 else 500


def told_message(error: S3Error) -> str:
    """The error's message as a header can carry it."""
    return told(error.message)[:MESSAGE_CHARACTERS]


def told(value: str) -> str:
    """A value as a header that is signed can carry it."""
    return UNPRINTABLE.sub("?", value)

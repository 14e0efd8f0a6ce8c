"""What WriteGetObjectResponse carries beside a body: statuses and headers, as its API reference lists them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from object_lambda.headers import headers_of

if TYPE_CHECKING:
    from object_lambda.answers import ObjectAnswer
    from object_lambda.s3_errors import S3Error

STATUSES: Final = frozenset({200, 206, 304, 400, 401, 403, 404, 405, 409, 411, 412, 416, 500, 503})
"""All that `x-amz-fwd-status` may say."""

FORWARDED: Final = "x-amz-fwd-header-"

PLAIN: Final = frozenset({"content-length"})
"""Headers of the answer that are headers of the request as they are; user metadata is too."""

UNKNOWN: Final = frozenset({"x-amz-checksum-type"})
"""Headers of S3's answers that cannot be forwarded."""

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
    return UNPRINTABLE.sub("?", error.message)[:MESSAGE_CHARACTERS]

"""Which bytes of an object a request means: the Range header and part numbers, as S3 reads them."""

from __future__ import annotations

import re
from typing import Final

from indexer.limits import OBJECT_BYTES
from indexer.model import Span
from object_lambda.requests import ObjectRequest
from object_lambda.s3_errors import InvalidPartNumber, InvalidRange, InvalidRequest

RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*", re.IGNORECASE | re.ASCII)
DIGITS: Final = 19
"""Decimal digits of `OBJECT_BYTES`; a longer number is as good as endless."""


def wanted(request: ObjectRequest, size: int) -> Span | None:
    """The bytes that a request means, None for the whole object without further ado (status 200).

    Args:
        request: Its `range` is passed over when it cannot be read, names another unit or several ranges, or ends before it
            begins, as S3 does.
        size: Of the object.

    Raises:
        InvalidRequest: Both a range and a part number.
        InvalidRange: No byte of the range is in the object; so every range of an empty one.
        InvalidPartNumber: Any part but the first: a member is one part.
    """
    if request.part_number is not None:
        if request.range is not None:
            raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
        if request.part_number > 1:
            raise InvalidPartNumber("", ActualPartCount="1", PartNumberRequested=str(request.part_number))
        return Span(0, size) if size else None
    if request.range is None:
        return None
    match = RANGE.fullmatch(request.range)
    if match is None:
        return None
    first, last = match.groups()
    if first:
        start = _number(first)
        stop = _number(last) + 1 if last else size
        if last and start >= stop:
            return None
        span = Span(start, min(stop, size))
    elif last:
        span = Span(max(size - _number(last), 0), size)
    else:
        return None
    if span.start >= size:
        raise InvalidRange(request.range.strip(), size)
    return span


def content_range(span: Span, size: int) -> str:
    """As the Content-Range header tells it, with both ends inside."""
    return f"bytes {span.start}-{span.stop - 1}/{size}"


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    return OBJECT_BYTES if len(digits) > DIGITS else int(digits or "0")

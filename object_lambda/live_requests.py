"""What the live side is sent: the headers and parameters that a store is to weigh. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from object_lambda.live import LiveAnswer, LiveList
from object_lambda.members import in_header
from object_lambda.requests import NO_OVERRIDES, OVERRIDE_NAMES, ObjectRequest, Overrides
from object_lambda.s3_errors import InvalidRequest

PRINTABLE: Final = re.compile(r"[\x20-\x7e]*")

CONDITIONS: Final = {
    "If-Match": "if_match",
    "If-Modified-Since": "if_modified_since",
    "If-None-Match": "if_none_match",
    "If-Unmodified-Since": "if_unmodified_since",
}


def list_parameters(ask: LiveList) -> list[tuple[str, str]]:
    """The parameters of a ListObjectsV2, in the order in which they are signed; values percent-encoded."""
    given = {
        "delimiter": ask.delimiter,
        "encoding-type": b"url",
        "list-type": b"2",
        "max-keys": b"%d" % ask.max_keys,
        "prefix": ask.prefix,
        "start-after": ask.start_after,
    }
    return [(name, quote(value, safe="-_.~")) for name, value in given.items() if value]


def object_headers(request: ObjectRequest) -> list[tuple[str, str]]:
    """The headers of a request that the store is to weigh. Raises InvalidRequest, as `range_and_conditions`."""
    headers = range_and_conditions(request)
    return [*headers, ("x-amz-checksum-mode", "ENABLED")] if request.checksum else headers


def range_and_conditions(request: ObjectRequest) -> list[tuple[str, str]]:
    """The range of a request, and its preconditions.

    Raises:
        InvalidRequest: One holds what no header should (RFC 9110 5.5), and would be signed as something else.
    """
    given = {"Range": request.range, "If-Range": request.if_range}
    given |= {name: getattr(request.conditions, attribute) for name, attribute in CONDITIONS.items()}
    headers = [(name, value.strip()) for name, value in given.items() if value is not None]
    if not all(PRINTABLE.fullmatch(value) for _, value in headers):
        raise InvalidRequest("A header holds characters that cannot be passed on")
    return headers


def object_parameters(request: ObjectRequest) -> list[tuple[str, str]]:
    """The parameters of a request that the store is to weigh, sorted by names, values percent-encoded."""
    given = {name: getattr(request.overrides, attribute) for name, attribute in OVERRIDE_NAMES.items()}
    if request.part_number is not None:
        given["partNumber"] = str(request.part_number)
    return [(name, quote(value, safe="-_.~")) for name, value in sorted(given.items()) if value is not None]


def overridden(answer: LiveAnswer, overrides: Overrides) -> LiveAnswer:
    """The answer with the headers a caller wants in place of the object's own, where the store could not be told of them."""
    if overrides == NO_OVERRIDES or answer.status == 304:
        return answer
    wanted = {
        name.removeprefix("response-"): in_header(getattr(overrides, attribute)) for name, attribute in OVERRIDE_NAMES.items()
    }
    wanted = {name: value for name, value in wanted.items() if value is not None}
    kept = [(name, value) for name, value in answer.headers if name not in wanted]
    return replace(answer, headers=(*kept, *((name, value) for name, value in wanted.items() if value)))

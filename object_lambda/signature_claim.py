"""What a request says of its own signature: read out of the Authorization header or a presigned URL, and not yet believed.

Codes and messages are S3's, because people search for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from object_lambda.access import RequestFacts
from object_lambda.dates import LAST_S, parse_http_date
from object_lambda.keys import parse_query
from object_lambda.s3_errors import (
    AccessDenied,
    AuthorizationHeaderMalformed,
    AuthorizationQueryParametersError,
    InvalidArgument,
    InvalidRequest,
    InvalidToken,
    S3Error,
)
from object_lambda.sigv4 import ALGORITHM, SERVICE, TERMINAL

EXPIRES_S_MOST: Final = 604_800
"""Longest life of a presigned URL: seven days, as in S3."""

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
TIMESTAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z")
PAYLOAD = re.compile(r"[0-9a-f]{64}|UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]{1,64}")
COMPONENTS: Final = {"Credential", "SignedHeaders", "Signature"}
PARAMETERS: Final = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires")
FIRST_REGION: Final = "us-east-1"
LOCATION = re.compile(rb"(?:^|&)location(?:[=&]|$)")
"""GetBucketLocation: whoever asks where a bucket is cannot know what to sign for. minio's clients ask so, for S3's first region."""

MARKS: Final = (b"X-Amz-", b"AWSAccessKeyId")
"""One of these is in the query of every presigned URL."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A signature, and what it claims to be made with.

    Args:
        access_key_id: Whose.
        region: For which region.
        signed_headers: Names in lower case, in the order they were signed in.
        signature: As sent.
        timestamp: When, as `20261120T083000Z`.
        time_s: The same in seconds since 1970.
        payload: The hash of the body, or what stands for it.
        expires_s: How long it holds; None in a header, which holds for the time that clocks may be apart.
    """

    access_key_id: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str
    timestamp: str
    time_s: int
    payload: str
    expires_s: int | None = None


def claim_of(facts: RequestFacts, *, region: str) -> Claim:
    """Read the claim of a request.

    Args:
        facts: The request.
        region: The region to be signed for.

    Raises:
        AccessDenied: It has none, or no date.
        AuthorizationHeaderMalformed, AuthorizationQueryParametersError: It cannot be read, or is for another region or service.
        InvalidArgument, InvalidRequest: It is of a kind that S3 does not take, or of two kinds.
        InvalidToken: It is made with temporary credentials.
        InvalidURI: The query is not percent-encoded UTF-8.
    """
    authorization = facts.headers.get("authorization")
    query = parse_query(facts.raw_query) if any(mark in facts.raw_query for mark in MARKS) else {}
    presigned = any(name in query for name in ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"))
    older = "AWSAccessKeyId" in query
    if authorization is not None and (presigned or older):
        message = (
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
            "Authorization header should be specified"
        )
        raise InvalidArgument(message, ArgumentName="Authorization")
    if authorization is None and not presigned and not older:
        raise AccessDenied
    if older or (authorization or "").startswith(("AWS ", "AWS4-ECDSA-")):
        raise InvalidRequest(f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}.")
    if "x-amz-security-token" in facts.headers or "X-Amz-Security-Token" in query:
        raise InvalidToken(f"{InvalidToken.default_message} Session tokens are not taken here: use a key that needs none.")
    if authorization is None:
        return _presigned(facts, query, region)
    return _in_header(facts, authorization, region)


def _in_header(facts: RequestFacts, authorization: str, region: str) -> Claim:
    algorithm, _, rest = authorization.partition(" ")
    if algorithm != ALGORITHM:
        raise InvalidArgument("Unsupported Authorization Type", ArgumentName="Authorization")
    components: dict[str, str] = {}
    for text in rest.split(","):
        name, _, value = text.strip().partition("=")
        if name not in COMPONENTS or name in components or not value:
            _malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
        components[name] = value
    if len(components) < len(COMPONENTS):
        _malformed("the authorization header requires three components: Credential, SignedHeaders, and Signature.")
    timestamp, time_s = _header_time(facts.headers)
    access_key_id, signed_for = _scoped(components["Credential"], timestamp, _regions(facts, region), _malformed)
    payload = facts.headers.get("x-amz-content-sha256")
    if payload is None:
        raise InvalidRequest("Missing required header for this request: x-amz-content-sha256")
    return Claim(
        access_key_id=access_key_id,
        region=signed_for,
        signed_headers=_names(components["SignedHeaders"]),
        signature=components["Signature"],
        timestamp=timestamp,
        time_s=time_s,
        payload=_payload(payload),
    )


def _presigned(facts: RequestFacts, query: Mapping[str, str], region: str) -> Claim:
    if any(not query.get(name) for name in PARAMETERS):
        message = (
            "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
            "X-Amz-SignedHeaders, and X-Amz-Expires parameters."
        )
        raise AuthorizationQueryParametersError(message)
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise AuthorizationQueryParametersError(f'X-Amz-Algorithm only supports "{ALGORITHM}"')
    time_s = _time_s(query["X-Amz-Date"])
    if time_s is None:
        raise AuthorizationQueryParametersError("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"")
    regions = _regions(facts, region)
    access_key_id, signed_for = _scoped(query["X-Amz-Credential"], query["X-Amz-Date"], regions, _bad_credential_parameter)
    return Claim(
        access_key_id=access_key_id,
        region=signed_for,
        signed_headers=_names(query["X-Amz-SignedHeaders"]),
        signature=query["X-Amz-Signature"],
        timestamp=query["X-Amz-Date"],
        time_s=time_s,
        payload=_payload(facts.headers.get("x-amz-content-sha256") or query.get("X-Amz-Content-Sha256") or UNSIGNED_PAYLOAD),
        expires_s=_expires_s(query["X-Amz-Expires"]),
    )


class _Refuse:
    """Says in one of two ways what is wrong with a credential."""

    def __init__(self, kind: type[S3Error], beginning: str) -> None:
        self._kind = kind
        self._beginning = beginning

    def __call__(self, what: str, *, region: str | None = None) -> NoReturn:
        """Raise the error. A wrong region is answered with the right one, which clients follow (boto3 by the header, of a HEAD)."""
        if region is None:
            raise self._kind(f"{self._beginning}; {what}")
        error = self._kind(f"{self._beginning}; {what}", Region=region)
        error.headers = (("x-amz-bucket-region", region),)
        raise error


_malformed = _Refuse(AuthorizationHeaderMalformed, "The authorization header is malformed")
_bad_credential_parameter = _Refuse(AuthorizationQueryParametersError, "Error parsing the X-Amz-Credential parameter")


def _regions(facts: RequestFacts, region: str) -> tuple[str, ...]:
    """The regions a request may be signed for, our own first."""
    return (region, FIRST_REGION) if LOCATION.search(facts.raw_query) else (region,)


def _scoped(credential: str, timestamp: str, regions: tuple[str, ...], refuse: _Refuse) -> tuple[str, str]:
    """The id of the key and the region, of a credential whose scope is ours."""
    parts = credential.split("/")
    if len(parts) != 5 or not parts[0]:
        refuse('the Credential is mal-formed; expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request".')
    access_key_id, date, region, service, terminal = parts
    if terminal != TERMINAL:
        refuse(f'incorrect terminal "{terminal}". This endpoint uses "{TERMINAL}".')
    if service != SERVICE:
        refuse(f'incorrect service "{service}". This endpoint belongs to "{SERVICE}".')
    if region not in regions:
        refuse(f"the region '{region}' is wrong; expecting '{regions[0]}'", region=regions[0])
    if date != timestamp[:8]:
        refuse(f'Invalid credential date "{date}". This date is not the same as X-Amz-Date: "{timestamp[:8]}".')
    return access_key_id, region


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.lower().split(";"))


def _payload(text: str) -> str:
    if not PAYLOAD.fullmatch(text):
        message = f"x-amz-content-sha256 must be {UNSIGNED_PAYLOAD}, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, or a valid sha256 value."
        raise InvalidArgument(message, ArgumentName="x-amz-content-sha256", ArgumentValue=text)
    return text


def _expires_s(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise AuthorizationQueryParametersError("X-Amz-Expires should be a number")
    if len(text) > 9 or int(text) > EXPIRES_S_MOST:
        message = (
            "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
        )
        raise AuthorizationQueryParametersError(message)
    if int(text) < 1:
        raise AuthorizationQueryParametersError("X-Amz-Expires must be at least 1 second")
    return int(text)


def _header_time(headers: Mapping[str, str]) -> tuple[str, int]:
    """The timestamp of a signature by header: `x-amz-date`, or `Date` where a client cannot send that."""
    text = headers.get("x-amz-date")
    if text is None:
        text = headers.get("date", "")
        time_s = parse_http_date(text)
        if time_s is not None and 0 <= time_s <= LAST_S:
            return datetime.fromtimestamp(time_s, UTC).strftime("%Y%m%dT%H%M%SZ"), time_s
    time_s = _time_s(text)
    if time_s is None:
        raise AccessDenied("AWS authentication requires a valid Date or x-amz-date header")
    return text, time_s


def _time_s(timestamp: str) -> int | None:
    if not TIMESTAMP.fullmatch(timestamp):
        return None
    year, month, day = int(timestamp[:4]), int(timestamp[4:6]), int(timestamp[6:8])
    try:
        at = datetime(year, month, day, int(timestamp[9:11]), int(timestamp[11:13]), int(timestamp[13:15]), tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp())

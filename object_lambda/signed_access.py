"""Lets in whoever signs with a key of ours: header and presigned signatures, their time, and what they have to cover."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Final

from cachetools import LRUCache

from object_lambda.access import Caller, RequestFacts
from object_lambda.dates import iso_date
from object_lambda.keyring import AccessKey, Keyring
from object_lambda.s3_errors import (
    AccessDenied,
    InvalidAccessKeyId,
    RequestTimeTooSkewed,
    SignatureDoesNotMatch,
    XAmzContentSHA256Mismatch,
)
from object_lambda.signature_claim import Claim, claim_of
from object_lambda.sigv4 import Signed, matches, signed, signing_key, spellings

SKEW_S: Final = 900
"""How far a caller's clock may be from ours: S3's fifteen minutes."""

DAYS_KEPT: Final = 10
"""Signing keys kept for each access key: a presigned URL may be seven days old, and clocks may be on either side of midnight."""

EMPTY_SHA256: Final = hashlib.sha256(b"").hexdigest()
HASH = re.compile(r"[0-9a-f]{64}")
READS: Final = frozenset({"GET", "HEAD"})

ADDED_ON_THE_WAY: Final = frozenset({"x-amz-cf-id"})
"""Headers that look as if the caller had to sign them, and that CloudFront adds to every request."""


class SignedAccess:
    """Verifies signatures with the keys of a keyring.

    Args:
        keyring: Whose signatures count.
        region: The one to be signed for.
        now: The time, in seconds since 1970.
    """

    def __init__(self, keyring: Keyring, *, region: str, now: Callable[[], float]) -> None:
        self._keyring = keyring
        self._region = region
        self._now = now
        self._signing_keys: LRUCache[tuple[str, str, str], bytes] = LRUCache(DAYS_KEPT * len(keyring))

    def authorize(self, facts: RequestFacts) -> Caller:
        """As `Access.authorize`.

        Raises:
            S3Error: As `claim_of`; `RequestTimeTooSkewed`, or `AccessDenied` for a presigned URL that has expired; `AccessDenied`
                for a header that had to be signed and is not; `InvalidAccessKeyId`, `SignatureDoesNotMatch`,
                `XAmzContentSHA256Mismatch`. None of them tells anything of a secret.
        """
        claim = claim_of(facts, region=self._region)
        self._check_time(claim)
        _check_coverage(facts, claim)
        key = self._keyring.find(claim.access_key_id)
        if key is None:
            raise InvalidAccessKeyId("", AWSAccessKeyId=claim.access_key_id)
        self._check_signature(facts, claim, self._signing_key(key, claim.timestamp[:8], claim.region))
        if facts.method in READS and HASH.fullmatch(claim.payload) and claim.payload != EMPTY_SHA256:
            raise XAmzContentSHA256Mismatch("", ClientComputedContentSHA256=claim.payload, S3ComputedContentSHA256=EMPTY_SHA256)
        return key.caller

    def _check_time(self, claim: Claim) -> None:
        now_s = int(self._now())
        if claim.expires_s is None:
            if abs(now_s - claim.time_s) > SKEW_S:
                raise RequestTimeTooSkewed(
                    "", RequestTime=claim.timestamp, ServerTime=_iso(now_s), MaxAllowedSkewMilliseconds=str(SKEW_S * 1000)
                )
        elif now_s > claim.time_s + claim.expires_s:
            expires = _iso(claim.time_s + claim.expires_s)
            fields = {"X-Amz-Expires": str(claim.expires_s), "Expires": expires, "ServerTime": _iso(now_s)}
            raise AccessDenied("Request has expired", **fields)
        elif claim.time_s > now_s + SKEW_S:
            raise AccessDenied("Request is not yet valid", **{"X-Amz-Date": claim.timestamp, "ServerTime": _iso(now_s)})

    def _signing_key(self, key: AccessKey, date: str, region: str) -> bytes:
        place = key.access_key_id, date, region
        found = self._signing_keys.get(place)
        if found is None:
            found = self._signing_keys[place] = signing_key(key.secret, date=date, region=region)
        return found

    def _check_signature(self, facts: RequestFacts, claim: Claim, key: bytes) -> None:
        first: Signed | None = None
        for spelling in spellings(facts):
            over = signed(
                facts,
                spelling,
                headers=claim.signed_headers,
                payload=claim.payload,
                timestamp=claim.timestamp,
                region=claim.region,
            )
            if matches(key, over.string_to_sign, claim.signature):
                return
            first = first or over
        assert first is not None  # noqa: S101 - every request has a spelling
        raise SignatureDoesNotMatch(
            "",
            AWSAccessKeyId=claim.access_key_id,
            StringToSign=first.string_to_sign,
            SignatureProvided=claim.signature,
            StringToSignBytes=first.string_to_sign.encode().hex(" "),
            CanonicalRequest=first.canonical_request.decode(errors="replace"),
            CanonicalRequestBytes=first.canonical_request.hex(" "),
        )


def _check_coverage(facts: RequestFacts, claim: Claim) -> None:
    """Refuse a request whose meaning a stranger could have changed: Host and every `x-amz-` header have to be signed."""
    covered = {*claim.signed_headers, *ADDED_ON_THE_WAY}
    loose = [name for name in facts.headers if (name.startswith("x-amz-") or name == "host") and name not in covered]
    if "host" not in covered and "host" not in facts.headers:
        loose.append("host")
    if loose:
        raise AccessDenied("There were headers present in the request which were not signed", HeadersNotSigned=", ".join(loose))


def _iso(seconds: int) -> str:
    return iso_date(seconds)[:-5] + "Z"

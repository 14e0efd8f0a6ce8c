"""AWS Signature Version 4 as S3 reads it: what of a request is signed, and the signature that has to come out. Pure.

Sources: "Authenticating Requests (AWS Signature Version 4)" in the Amazon S3 API reference, and botocore's `S3SigV4Auth`, against
which every part is tested. Why the checking side is our own code: docs/decisions/0011-signatures.md.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from object_lambda.access import RequestFacts

ALGORITHM: Final = "AWS4-HMAC-SHA256"
SERVICE: Final = "s3"
TERMINAL: Final = "aws4_request"

SIGNATURE_PARAMETER: Final = b"X-Amz-Signature"
"""The one query parameter that is never signed."""

UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]*")
UNRESERVED_PATH = re.compile(rb"[A-Za-z0-9._~/-]*")


class Signed(NamedTuple):
    """What a signature is computed over: kept for the error that shows it to a client whose signature is another."""

    canonical_request: bytes
    string_to_sign: str


def spellings(facts: RequestFacts) -> Iterator[tuple[bytes, bytes]]:
    """The canonical path and query of a request: first as S3 writes them, then as they were sent where that differs.

    S3 decodes both and encodes them anew, every byte that is not unreserved (RFC 3986 2.3) as `%XX`; nothing is normalised: `//`
    and `/./` stay. Most clients sign this. Some (curl) sign what they send, which is accepted too: it covers no less.
    """
    pairs = [pair.partition(b"=") for pair in facts.raw_query.split(b"&")] if facts.raw_query else []
    pairs = [pair for pair in pairs if pair[0] != SIGNATURE_PARAMETER]
    sent = facts.raw_path, _query((name, value) for name, _, value in pairs)
    # A plus sign in a query is a space, in a path it is itself.
    ours = _path(facts.raw_path), _query((_spelled(name), _spelled(value)) for name, equals, value in pairs if name or equals)
    yield ours
    if sent != ours:
        yield sent


def _path(raw: bytes) -> bytes:
    return raw if UNRESERVED_PATH.fullmatch(raw) else quote(unquote_to_bytes(raw), safe="/").encode()


def _spelled(raw: bytes) -> bytes:
    return raw if UNRESERVED.fullmatch(raw) else quote(unquote_to_bytes(raw.replace(b"+", b" ")), safe="").encode()


def _query(pairs: Iterator[tuple[bytes, bytes]]) -> bytes:
    """Sorted by name, then by value, as bytes; a parameter without a value is a blank one."""
    return b"&".join([b"%s=%s" % pair for pair in sorted(pairs)])


def signed(
    facts: RequestFacts, spelling: tuple[bytes, bytes], *, headers: Sequence[str], payload: str, timestamp: str, region: str
) -> Signed:
    """Write down what is signed.

    Args:
        facts: The request.
        spelling: One of its `spellings`.
        headers: Names of the signed headers in lower case, in the order of the claim. One that did not come counts as blank.
        payload: Hash of the body or what stands for it.
        timestamp: Of the signature, as `20261120T083000Z`.
        region: Of the scope.
    """
    lines = [facts.method.encode(), *spelling]
    # Spaces at the ends are dropped, and runs of them made one. As bytes: in text a no-break space would be one too.
    lines += [b"%s:%s" % (name.encode(), b" ".join(_header(facts, name).split())) for name in headers]
    lines += [b"", ";".join(headers).encode(), payload.encode()]
    canonical = b"\n".join(lines)
    digest = hashlib.sha256(canonical).hexdigest()
    return Signed(canonical, f"{ALGORITHM}\n{timestamp}\n{timestamp[:8]}/{region}/{SERVICE}/{TERMINAL}\n{digest}")


def _header(facts: RequestFacts, name: str) -> bytes:
    return facts.headers.get(name, "").encode("latin-1")


def signing_key(secret: str, *, date: str, region: str) -> bytes:
    """The key that signs for one day and region: four rounds of HMAC, worth keeping for the day. As secret as the secret itself."""
    key = f"AWS4{secret}".encode()
    for part in (date, region, SERVICE, TERMINAL):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def matches(key: bytes, string_to_sign: str, signature: str) -> bool:
    """Tell whether `signature` is right, in a time that does not depend on how much of it is (`hmac.compare_digest`)."""
    return hmac.compare_digest(hmac.digest(key, string_to_sign.encode(), "sha256").hex().encode(), signature.encode())

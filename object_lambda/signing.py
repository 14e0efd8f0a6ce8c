"""Signs one request with AWS Signature Version 4, by its header form; a body is not signed.

Why not botocore's signer: importing it takes 45 ms of CPU more than what is loaded anyway, a third of what a cold start may take.
The tests compare each signature with botocore's (docs/decisions/0007-own-signer-for-the-handler.md).
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"

NO_PAYLOAD: Final = hashlib.sha256().hexdigest()
"""What stands for the body of a request that has none."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Of an AWS identity. The secret parts are never shown."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


def signed(
    headers: Sequence[tuple[str, str]],
    credentials: Credentials,
    *,
    method: str,
    path: str,
    service: str,
    region: str,
    timestamp: str,
    query: str = "",
    payload: str = UNSIGNED_PAYLOAD,
) -> list[tuple[str, str]]:
    """Add the headers that sign a request, all of which is signed but its body.

    Args:
        headers: What is sent, `Host` included; no name twice, values printable ASCII.
        credentials: Who sends it.
        method: In capitals.
        path: Already percent-encoded.
        service: The name in the credential scope, such as `s3-object-lambda`.
        region: Of the service.
        timestamp: Now in UTC, as `20261120T083000Z`.
        query: Already percent-encoded, each parameter with its `=`, sorted by names.
        payload: `NO_PAYLOAD` for a request without a body.
    """
    headers = [*headers, ("x-amz-content-sha256", payload), ("x-amz-date", timestamp)]
    if credentials.session_token is not None:
        headers.append(("x-amz-security-token", credentials.session_token))
    # Lower case, sorted by name, runs of spaces made one: "Create a canonical request" in the IAM user guide.
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in headers)
    names = ";".join(name for name, _ in canonical)
    lines = "".join(f"{name}:{value}\n" for name, value in canonical)
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
    scope = f"{timestamp[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    signature = _hmac(key, to_sign).hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return [*headers, ("Authorization", authorization)]


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")

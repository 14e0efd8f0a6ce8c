"""Continuation tokens that tell that their holder was let in. Pure.

Through Object Lambda, the presigned URL of a listing bears the caller's own parameters, `continuation-token` among them, and S3
takes no token but its own. So a version 2 listing can be asked with the caller's rights on its first page only; the pages after
that are asked with the function's role, for those who hold a token from a page that S3 answered to themselves
(docs/decisions/0014-overlay.md).
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Final, NamedTuple

from object_lambda.s3_errors import InvalidArgument

VERSION: Final = b"\x02"
TIME_BYTES: Final = 6
SEAL_BYTES: Final = 16

LIFETIME_S: Final = 12 * 3600
"""How long a listing may go on after S3 let its caller in: as long as the longest session of a role."""


class Opened(NamedTuple):
    """What a token says: where to go on, and when S3 last let its holder list (seconds since 1970)."""

    position: bytes
    proven_s: int


class Seal:
    """Writes and reads tokens.

    Args:
        secret: Known to this function's instances alone.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def close(self, position: bytes, holder: bytes, proven_s: int) -> str:
        """A token for `holder` (whoever lists, and what)."""
        told = VERSION + proven_s.to_bytes(TIME_BYTES) + position
        return urlsafe_b64encode(self._mark(told, holder) + told).decode().rstrip("=")

    def open(self, token: str, holder: bytes, *, now_s: float) -> Opened:
        """Read a token.

        Raises:
            InvalidArgument: It was not written for this holder and this listing, or too long ago.
        """
        try:
            held = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        except (NotBase64, ValueError):
            held = b""
        mark, told = held[:SEAL_BYTES], held[SEAL_BYTES:]
        if told[:1] == VERSION and hmac.compare_digest(mark, self._mark(told, holder)):
            opened = Opened(told[1 + TIME_BYTES :], int.from_bytes(told[1 : 1 + TIME_BYTES]))
            if now_s < opened.proven_s + LIFETIME_S:
                return opened
        raise InvalidArgument("The continuation token provided is incorrect", ArgumentName="continuation-token")

    def _mark(self, told: bytes, holder: bytes) -> bytes:
        return hmac.digest(self._secret, b"%d\0%s%s" % (len(holder), holder, told), "sha256")[:SEAL_BYTES]

"""Keys and parameters out of the raw request target. Percent-decoded once, here and nowhere else.

A path that was decoded by a server in front cannot be trusted: `a%2Fb`, `a%252Fb`, `a//b`, `a/./b` and `a+b` are five keys.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from indexer.limits import NAME_BYTES
from object_lambda.s3_errors import InvalidURI, KeyTooLongError

BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def split_path(raw: bytes) -> tuple[str, bytes]:
    """Split a path-style target into bucket and key.

    Args:
        raw: The path as it came over the wire, with its leading `/`, without the query.

    Returns:
        The bucket's name (empty for `/`), and the key in UTF-8 (empty when there is none). Whatever follows the bucket's slash
        is the key: further slashes, dots and plus signs stand for themselves.

    Raises:
        InvalidURI: Bytes that are no UTF-8, or a `%` without two hex digits.
        KeyTooLongError: The key has more than 1,024 bytes.
    """
    bucket, _, key = raw.removeprefix(b"/").partition(b"/")
    return decode(bucket).decode(), key_of(key)


def key_of(raw: bytes) -> bytes:
    """Decode a key as a path spells it. Raises as `split_path`."""
    key = decode(raw)
    if len(key) > NAME_BYTES:
        raise KeyTooLongError("", Size=str(len(key)), MaxSizeAllowed=str(NAME_BYTES))
    return key


def decode(raw: bytes) -> bytes:
    """Undo percent-encoding once; the result is UTF-8. Raises InvalidURI."""
    if b"%" in raw:
        if BROKEN_ESCAPE.search(raw):
            raise InvalidURI
        raw = unquote_to_bytes(raw)
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise InvalidURI from None
    return raw


def parse_query(raw: bytes) -> dict[str, str]:
    """Decode a query string. A parameter without a value is kept as blank; of one given twice the first counts.

    In a query `+` is a space (HTML's form encoding, which S3 follows); in a path it is itself.

    Raises:
        InvalidURI: As `split_path`.
    """
    found: dict[str, str] = {}
    for pair in raw.split(b"&") if raw else ():
        if pair:
            name, _, value = pair.replace(b"+", b" ").partition(b"=")
            found.setdefault(decode(name).decode(), decode(value).decode())
    return found


def successor(prefix: bytes) -> bytes | None:
    """The least byte string that is greater than every key beginning with `prefix`; None when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None

"""The one spelling of a member's attributes as bytes: canonical JSON, in archives and in index files alike."""

from __future__ import annotations

import json

from indexer.limits import ATTRIBUTES_BYTES, ETAG_BYTES
from indexer.model import DEFAULT_ATTRIBUTES, Attributes

TEXTS = ("cache_control", "content_disposition", "content_encoding", "content_language", "content_type")
HEADER_NAME = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""What the name of a header is made of (RFC 9110 5.6.2)."""

DEFAULT_CONTENT_TYPE = "binary/octet-stream"
"""What S3 answers for an object that was stored without a type; such an attribute is kept as None."""


def encode(attributes: Attributes) -> bytes:
    """Write attributes as JSON with sorted names, no spaces and no absent values; the default is `b""`."""
    if attributes == DEFAULT_ATTRIBUTES:
        return b""
    told: dict[str, object] = {name: getattr(attributes, name) for name in TEXTS if getattr(attributes, name) is not None}
    if attributes.metadata:
        told["metadata"] = dict(attributes.metadata)
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def decode(data: bytes) -> Attributes:
    """Read what `encode` wrote. Names it does not know are passed over, so that later versions may add some.

    Raises:
        ValueError: It is not such JSON, longer than an S3 object's headers can be, or holds what no header can: the archive may be
            a stranger's, and a line break in a value would begin a header of its author's choice (RFC 9110 5.5).
    """
    if not data:
        return DEFAULT_ATTRIBUTES
    if len(data) > ATTRIBUTES_BYTES:
        raise ValueError(f"attributes of {len(data)} bytes, the limit is {ATTRIBUTES_BYTES}")
    try:
        told = json.loads(data)
    except RecursionError:
        raise ValueError("attributes are nested too deeply") from None
    if not isinstance(told, dict):
        raise ValueError("attributes are not a JSON object")
    texts = {name: told[name] for name in TEXTS if name in told}
    metadata = told.get("metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in (*texts.values(), *metadata.values())):
        raise ValueError("an attribute is not a text")
    values = "".join((*texts.values(), *metadata.values()))
    values.encode()  # JSON can tell what is no text: half of a surrogate pair
    if any(char < " " or char == "\x7f" for char in values):
        raise ValueError("an attribute holds a control character")
    if any(not name or not set(name) <= HEADER_NAME for name in metadata):
        raise ValueError("the name of a user metadata entry cannot be part of a header's name")
    return Attributes(**texts, metadata=tuple(sorted(metadata.items())))


def decode_etag(data: bytes) -> str:
    """Read an ETag as an archive tells it, without quotes.

    Raises:
        ValueError: It is empty, longer than any, or holds what no ETag can (RFC 9110 8.8.3).
    """
    if not 0 < len(data) <= ETAG_BYTES or not all(0x21 <= byte <= 0x7E and byte != 0x22 for byte in data):
        raise ValueError("an ETag is empty, too long, or holds what none can")
    return data.decode()

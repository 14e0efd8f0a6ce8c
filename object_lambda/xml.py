"""S3's XML documents, byte for byte. Written by joining texts: a page of a thousand keys is made in about a millisecond."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from object_lambda.answers import Entry, ListAnswer
from object_lambda.dates import iso_date
from object_lambda.listing import token_of
from object_lambda.s3_errors import S3Error

DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE: Final = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
OWNER: Final = "<Owner><ID>bindery</ID><DisplayName>bindery</DisplayName></Owner>"

MARKUP: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
ESCAPED = re.compile('[&<>"\x00-\x1f\ufffe\uffff]')
ESCAPED_BUT_LINES = re.compile('[&<>"\x00-\x09\x0b-\x1f\ufffe\uffff]')
NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
URL_ESCAPED = re.compile(rb"[^A-Za-z0-9/*._\n-]")
URL_CODES: Final = {bytes([byte]): b"%%%02X" % byte for byte in range(256)}


def escape(text: str) -> str:
    """Write text for XML. Characters that XML 1.0 has no place for become references (`&#x1;`), as S3 writes them.

    So every legal key is told, though strict parsers want `encoding-type=url` for such keys.
    """
    return ESCAPED.sub(_reference, text)


def _reference(match: re.Match[str]) -> str:
    char = match[0]
    return MARKUP.get(char) or f"&#x{ord(char):X};"


def url_encoded(key: bytes) -> str:
    """Write a key as `encoding-type=url` wants it: a space is `%20`, which all clients read; `/`, `*`, `-`, `.`, `_` stay."""
    return _url_encoded(key).replace("\n", "%0A")


def _url_encoded(key: bytes) -> str:
    return URL_ESCAPED.sub(lambda match: URL_CODES[match[0]], key).decode()


def list_document(answer: ListAnswer) -> bytes:
    """The document of a listing, its elements in the order of the API reference's samples."""
    request = answer.request
    spell = url_encoded if request.url_encoded else _plain
    owner = OWNER if request.version == 1 or request.fetch_owner else ""
    parts = [
        f"{DECLARATION}<ListBucketResult {NAMESPACE}><Name>{escape(request.bucket)}</Name><Prefix>{spell(request.prefix)}</Prefix>",
        *(_place_v1(answer, spell) if request.version == 1 else _place_v2(answer, spell)),
        f"<MaxKeys>{request.max_keys}</MaxKeys>",
        f"<Delimiter>{spell(request.delimiter)}</Delimiter>" if request.delimiter else "",
        "<EncodingType>url</EncodingType>" if request.url_encoded else "",
        f"<IsTruncated>{'true' if answer.truncated else 'false'}</IsTruncated>",
        *_contents(answer.entries, owner, url=request.url_encoded),
        *(f"<CommonPrefixes><Prefix>{spell(prefix)}</Prefix></CommonPrefixes>" for prefix in answer.prefixes),
        "</ListBucketResult>",
    ]
    return "".join(parts).encode()


def _place_v1(answer: ListAnswer, spell: Callable[[bytes], str]) -> Sequence[str]:
    """Where the page stands. The next marker is told only with a delimiter; else clients use the last key."""
    request = answer.request
    parts = [f"<Marker>{spell(request.after or b'')}</Marker>"]
    if answer.last is not None and request.delimiter:
        parts.append(f"<NextMarker>{spell(answer.last)}</NextMarker>")
    return parts


def _place_v2(answer: ListAnswer, spell: Callable[[bytes], str]) -> Sequence[str]:
    """Where the page stands. Tokens are never encoded: they are opaque."""
    request = answer.request
    parts = []
    if request.after is not None:
        parts.append(f"<StartAfter>{spell(request.after)}</StartAfter>")
    if request.token is not None:
        parts.append(f"<ContinuationToken>{escape(request.token)}</ContinuationToken>")
    if answer.last is not None:
        parts.append(f"<NextContinuationToken>{answer.token or token_of(answer.last)}</NextContinuationToken>")
    parts.append(f"<KeyCount>{len(answer.entries) + len(answer.prefixes)}</KeyCount>")
    return parts


def _contents(entries: Sequence[Entry], owner: str, *, url: bool) -> Sequence[str]:
    tail = f"</Size>{owner}<StorageClass>"
    keys = _spelled([entry.key for entry in entries], url=url)
    return [
        f"<Contents><Key>{key}</Key><LastModified>{iso_date(mtime_s)}</LastModified><ETag>&quot;{escape(etag)}&quot;</ETag>"
        f"<Size>{size}{tail}{storage_class}</StorageClass></Contents>"
        for key, (_, size, etag, mtime_s, storage_class) in zip(keys, entries, strict=True)
    ]


def _spelled(keys: Sequence[bytes], *, url: bool) -> Sequence[str]:
    """Spell many keys at once: most pages hold none that wants escaping, and one search over all tells."""
    together = b"\n".join(keys)
    if together.count(b"\n") >= len(keys):
        return [url_encoded(key) if url else _plain(key) for key in keys]
    if url:
        return _url_encoded(together).split("\n")
    return ESCAPED_BUT_LINES.sub(_reference, together.decode()).split("\n")


def _plain(key: bytes) -> str:
    return escape(key.decode())


def error_document(error: S3Error, *, request_id: str, host_id: str) -> bytes:
    """The document of an error. What XML 1.0 has no place for is replaced here, so that every client can read the code."""
    fields = "".join(f"<{name}>{escape(NO_XML.sub(chr(0xFFFD), value))}</{name}>" for name, value in error.fields.items())
    text = (
        f"{DECLARATION}<Error><Code>{error.code}</Code><Message>{escape(NO_XML.sub(chr(0xFFFD), error.message))}</Message>{fields}"
        f"<RequestId>{escape(request_id)}</RequestId><HostId>{escape(host_id)}</HostId></Error>"
    )
    return text.encode()


def buckets_document(names: Sequence[str], created_s: int) -> bytes:
    """The answer to ListBuckets."""
    created = iso_date(created_s)
    listed = "".join(f"<Bucket><Name>{escape(name)}</Name><CreationDate>{created}</CreationDate></Bucket>" for name in names)
    text = f"{DECLARATION}<ListAllMyBucketsResult {NAMESPACE}>{OWNER}<Buckets>{listed}</Buckets></ListAllMyBucketsResult>"
    return text.encode()


def location_document(region: str) -> bytes:
    """The answer to GetBucketLocation; the first region has no name there."""
    name = "" if region == "us-east-1" else escape(region)
    return f"{DECLARATION}<LocationConstraint {NAMESPACE}>{name}</LocationConstraint>".encode()

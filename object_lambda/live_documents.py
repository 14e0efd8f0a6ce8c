"""The documents of the live side: its listings and its errors, read. Pure.

Not by an XML parser: a listing without `encoding-type` may hold control characters (`&#x1;`), which S3 writes and XML 1.0 forbids,
so a strict parser would refuse the whole page; and none has to be loaded at a cold start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from urllib.parse import unquote_to_bytes

from indexer.errors import StoreFailed
from object_lambda.answers import Entry
from object_lambda.live import LivePage
from object_lambda.s3_errors import LiveRefusal, S3Error

DOCUMENT_BYTES: Final = 16 << 20
"""Longest document read: a page of a thousand of the longest keys, each byte escaped, with owners, is 5 MB."""

TOKEN = re.compile(
    r"<(?:\?[^>]*\?|!--.*?--|(?P<close>/)?(?P<name>[^\s/<>!?]+)[^<>]*?(?P<empty>/)?)>|(?P<text>[^<]+)|(?P<bad><)", re.DOTALL
)
REFERENCE = re.compile(r"&(?:#x([0-9A-Fa-f]{1,6})|#([0-9]{1,7})|([a-z]{2,4}));")
CONTENTS = re.compile(r"<Contents>(.*?)</Contents>", re.DOTALL)
FIELD = re.compile(r"<(Key|LastModified|ETag|Size|StorageClass)>([^<]*)</")
"""Keys are taken out by these, ten times as fast as element by element: they are nearly all there is of a listing."""

STORAGE_CLASS = re.compile(r"[A-Z][A-Z0-9_]*")
NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}

REFUSALS: Final = {
    400: "BadRequest",
    403: "AccessDenied",
    404: "NoSuchKey",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    412: "PreconditionFailed",
    416: "InvalidRange",
    500: "InternalError",
    503: "SlowDown",
}
"""Codes of answers that bring no document, as those to HEAD."""

TOLD_FIELDS: Final = (
    "ActualObjectSize",
    "ActualPartCount",
    "ArgumentName",
    "ArgumentValue",
    "Condition",
    "PartNumberRequested",
    "RangeRequested",
    "StorageClass",
)
"""Elements of the store's error documents that are told. Its key, bucket and request id are not those the caller knows."""


def read_page(document: bytes) -> LivePage:
    """Read a ListBucketResult of either version, url-encoded or not.

    Raises:
        StoreFailed: It is none; or it tells of more and of nothing to go on from.
    """
    prefixes: list[bytes] = []
    truncated = whole = False
    encoded = b"<EncodingType>url</EncodingType>" in document
    try:
        text = document.decode()
        entries = [_entry(dict(FIELD.findall(block)), encoded=encoded) for block in CONTENTS.findall(text)]
        for path, inside in _elements(CONTENTS.sub("", text)):
            if path[0] != "ListBucketResult":
                raise ValueError("another document")
            whole = len(path) == 1
            if path[1:] == ("IsTruncated",):
                truncated = inside == "true"
            elif path[1:] == ("CommonPrefixes", "Prefix"):
                prefixes.append(_key(inside, encoded=encoded))
        if not whole:
            raise ValueError("it is empty")
    except (ValueError, KeyError) as error:
        raise StoreFailed(f"the live prefix gave no listing: {error}", hint="Try again") from error
    if truncated and not entries and not prefixes:
        raise StoreFailed("the live prefix tells of more keys, and of none to go on from", hint="Try again")
    return LivePage(entries, prefixes, truncated)


def read_refusal(status: int, document: bytes) -> S3Error:
    """What an answer of 300 or more says, whether it brings a document or not."""
    told: dict[str, str] = {}
    try:
        for path, text in _elements(document.decode()):
            if path[:1] == ("Error",) and len(path) == 2:
                told[path[1]] = text
    except ValueError:
        told = {}  # a proxy's page: the status is all there is
    code = told.get("Code") or REFUSALS.get(status, "InternalError")
    fields = {name: told[name] for name in TOLD_FIELDS if name in told}
    return LiveRefusal(status, code, told.get("Message", ""), **fields)


def _entry(fields: dict[str, str], *, encoded: bool) -> Entry:
    when = datetime.fromisoformat(fields["LastModified"])
    mtime_s = int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    told = fields.get("StorageClass", "")
    storage_class = told if STORAGE_CLASS.fullmatch(told) else "STANDARD"
    etag = _unescaped(fields.get("ETag", "")).strip('"')
    return Entry(_key(_unescaped(fields["Key"]), encoded=encoded), int(fields["Size"]), etag, mtime_s, storage_class)


def _key(text: str, *, encoded: bool) -> bytes:
    """A key as told. Some stores write a space as `+` in url-encoded keys, and all write a plus as `%2B`."""
    return unquote_to_bytes(text.replace("+", " ")) if encoded and ("%" in text or "+" in text) else text.encode()


def _elements(document: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each element when it closes: the names on the way to it, and the text directly in it. Raises ValueError."""
    path: list[str] = []
    texts: list[str] = []
    for match in TOKEN.finditer(document):
        if match["bad"]:
            raise ValueError("it is no XML")
        if match["text"] is not None:
            if texts:
                texts[-1] += match["text"]
            continue
        name = match["name"]
        if name is None:
            continue
        if not match["close"]:
            path.append(name)
            texts.append("")
        if match["close"] or match["empty"]:
            if not path or path[-1] != name:
                raise ValueError("its elements do not close")
            yield tuple(path), _unescaped(texts.pop())
            path.pop()
    if path:
        raise ValueError("it is cut short")


def _unescaped(text: str) -> str:
    return REFERENCE.sub(_character, text) if "&" in text else text


def _character(match: re.Match[str]) -> str:
    hexadecimal, decimal, name = match.groups()
    if name is not None:
        return NAMED.get(name, match[0])
    return chr(int(hexadecimal, 16) if hexadecimal else int(decimal))

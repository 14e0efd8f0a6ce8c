"""What a function answered, in one form for every way of answering; and the rules that every answer must keep."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

from tests.conformance.receiver import FORWARDED, Response

STATUSES: Final = frozenset({200, 206, 304, 400, 401, 403, 404, 405, 409, 411, 412, 416, 500, 503})
"""All that WriteGetObjectResponse may say."""
FORWARDABLE: Final = frozenset(
    [
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-range",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-sha1",
        "x-amz-checksum-sha256",
        "x-amz-delete-marker",
        "x-amz-expiration",
        "x-amz-missing-meta",
        "x-amz-mp-parts-count",
        "x-amz-object-lock-legal-hold",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-replication-status",
        "x-amz-request-charged",
        "x-amz-restore",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-bucket-key-enabled",
        "x-amz-storage-class",
        "x-amz-tagging-count",
        "x-amz-version-id",
    ]
)
"""What may follow `x-amz-fwd-header-`."""
ERROR_CODE: Final = re.compile("[A-Z][a-zA-Z]+")
ETAG: Final = re.compile('"[^"]+"')
URL_ENCODED: Final = re.compile(r"(?:[A-Za-z0-9/._*+()'~!-]|%[0-9A-F]{2})*")
ENCODED_FIELDS: Final = ("Prefix", "Delimiter", "Marker", "NextMarker", "StartAfter")
BOOLEANS: Final = {True: "true", False: "false"}


@dataclass
class Answer:
    """What the caller is told. Header names are in lower case; `broken` names the rules that were not kept."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    keys: Sequence[str] = ()
    """Of a listing, decoded."""
    prefixes: Sequence[str] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    """Of a listing: its elements outside of Contents, decoded; within `Contents/`, those of its last key."""
    entries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)


def of_response(reply: tuple[str, str], responses: Sequence[Response]) -> Answer:
    """The answer to GetObject."""
    if len(responses) != 1:
        return Answer(0, broken=[f"WriteGetObjectResponse was called {len(responses)} times, and must be once"])
    sent = responses[0].headers
    headers = {name.removeprefix(FORWARDED): value for name, value in sent.items() if name.startswith(FORWARDED)}
    unknown = sorted(headers.keys() - FORWARDABLE)
    headers |= {name: value for name, value in sent.items() if name == "content-length" or name.startswith("x-amz-meta-")}
    status, error = sent.get("x-amz-fwd-status", "200"), sent.get("x-amz-fwd-error-code", "")
    answer = Answer(int(status) if status.isdecimal() else 0, headers, responses[0].body, error)
    checksums = [name for name in headers if name.startswith("x-amz-checksum-")]
    rules = {
        f"the route is {sent.get('x-amz-request-route')!r}, not the event's": sent.get("x-amz-request-route") == reply[0],
        f"{status} is no status that may be forwarded": answer.status in STATUSES,
        f"there are no headers {unknown} to forward": not unknown,
        "a body without Content-Length cannot be told from a broken one": "content-length" in sent,
        "Content-Length is not that of the body": sent.get("content-length", str(len(answer.body))) == str(len(answer.body)),
        f"{error!r} is no error code": not error or ERROR_CODE.fullmatch(error),
        "an error code goes with a status of 400 or more": not error or answer.status >= 400,
        "an error code goes without a body": not error or not answer.body,
        "304 goes without a body": answer.status != 304 or not answer.body,
        f"there is more than one checksum: {checksums}": len(checksums) < 2,
        "the checksum is that of the whole object, the body a part of it": answer.status != 206 or not checksums,
        **_of_headers(answer),
    }
    answer.broken += [rule for rule, kept in rules.items() if not kept]
    return answer


def of_head(result: Any) -> Answer:
    """The answer to HeadObject."""
    if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
        return Answer(0, broken=[f"the result of HeadObject needs a number statusCode: {str(result)[:200]}"])
    headers = {name.lower(): str(value) for name, value in (result.get("headers") or {}).items()}
    answer = Answer(result["statusCode"], headers, error=result.get("errorCode") or "")
    rules = {
        "a HEAD that succeeds tells a Content-Length in digits": answer.status >= 300
        or headers.get("content-length", "").isdecimal(),
        "an error code goes with a status of 400 or more": not answer.error or answer.status >= 400,
        **_of_headers(answer),
    }
    answer.broken += [rule for rule, kept in rules.items() if not kept]
    return answer


def _of_headers(answer: Answer) -> dict[str, bool]:
    etag = answer.headers.get("etag")
    return {
        f"the ETag {etag} is not quoted": etag is None or ETAG.fullmatch(etag) is not None,
        "206 needs a Content-Range": answer.status != 206 or "content-range" in answer.headers or not answer.body,
        "an answer of 200 has no Content-Range": answer.status != 200 or "content-range" not in answer.headers,
    }


def of_listing(result: Any) -> Answer:
    """The answer to ListObjects and ListObjectsV2, by document or by fields."""
    if not isinstance(result, dict) or not isinstance(result.get("statusCode"), int):
        return Answer(0, broken=[f"the result of a listing needs a number statusCode: {str(result)[:200]}"])
    text, fields = result.get("listResultXml"), result.get("listBucketResult")
    answer = Answer(result["statusCode"], error=result.get("errorCode") or "")
    if text is not None and fields is not None:
        answer.broken.append("a listing is given as listResultXml or as listBucketResult, not as both")
    if text is not None:
        _read_document(answer, text)
    elif fields is not None:
        _read(answer, *_of_fields(fields))
    elif answer.status < 300:
        answer.broken.append("a listing that succeeds has listResultXml or listBucketResult")
    return answer


def _read_document(answer: Answer, text: str) -> None:
    try:
        root = ET.fromstring(text.encode())
    except ET.ParseError as error:
        answer.broken.append(f"listResultXml is no XML: {error}")
        return
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    if root.tag == "Error":
        answer.error = root.findtext("Code", "")
        return
    alone = {child.tag: child.text or "" for child in root if child.tag not in {"Contents", "CommonPrefixes"}}
    entries = [{child.tag: child.text or "" for child in entry} for entry in root.iter("Contents")]
    _read(answer, alone, entries, [prefix.findtext("Prefix", "") for prefix in root.iter("CommonPrefixes")])


def _of_fields(fields: Mapping[str, Any]) -> tuple[dict[str, str], list[dict[str, str]], list[str]]:
    """The JSON form under the names of the XML form: `eTag` is ETag, `maxKeys` MaxKeys."""

    def spelled(value: Any) -> str:
        return BOOLEANS[value] if isinstance(value, bool) else str(value)

    def named(given: Mapping[str, Any]) -> dict[str, str]:
        simple = {name: value for name, value in given.items() if value is not None and not isinstance(value, list)}
        return {f"{name[0].upper()}{name[1:]}": spelled(value) for name, value in simple.items()}

    prefixes = [entry["prefix"] for entry in fields.get("commonPrefixes") or []]
    return named(fields), [named(entry) for entry in fields.get("contents") or []], prefixes


def _read(answer: Answer, alone: Mapping[str, str], entries: Sequence[Mapping[str, str]], prefixes: Sequence[str]) -> None:
    encoded = alone.get("EncodingType") == "url"
    decode = unquote_plus if encoded else str
    keys = [entry.get("Key", "") for entry in entries]
    told = {name: decode(value) if name in ENCODED_FIELDS else value for name, value in alone.items()}
    answer.keys, answer.prefixes = [decode(key) for key in keys], [decode(prefix) for prefix in prefixes]
    answer.entries = {decode(entry.get("Key", "")): entry for entry in entries}
    answer.fields = told | {f"Contents/{name}": value for entry in entries for name, value in entry.items()}
    spelled = [*keys, *prefixes, *(alone.get(name, "") for name in ENCODED_FIELDS)]
    bare = [text for text in spelled if encoded and not URL_ENCODED.fullmatch(text)]
    rules = {
        f"not encoded in spite of EncodingType: {bare}": not bare,
        "keys are in the order of their bytes": list(answer.keys) == sorted(answer.keys, key=str.encode),
        "prefixes are in the order of their bytes": list(answer.prefixes) == sorted(answer.prefixes, key=str.encode),
        "a listing tells Name": "Name" in told,
        "a listing tells MaxKeys": told.get("MaxKeys", "").isdecimal(),
        "a listing tells IsTruncated": told.get("IsTruncated") in {"true", "false"},
        "KeyCount counts keys and prefixes": told.get("KeyCount", str(len(keys) + len(prefixes))) == str(len(keys) + len(prefixes)),
        "every key has Size, ETag and LastModified": all({"Size", "ETag", "LastModified"} <= set(entry) for entry in entries),
    }
    answer.broken += [rule for rule, kept in rules.items() if not kept]

"""The headers of S3's answers about objects, spelled as the API reference spells them; HTTP does not mind the case."""

from __future__ import annotations

from object_lambda.answers import ObjectAnswer
from object_lambda.dates import http_date

OPTIONAL = (
    ("Content-Encoding", "content_encoding"),
    ("Content-Language", "content_language"),
    ("Content-Disposition", "content_disposition"),
    ("Cache-Control", "cache_control"),
    ("Expires", "expires"),
)


def headers_of(answer: ObjectAnswer) -> list[tuple[str, str]]:
    """All headers of an answer about an object. Names and values are printable ASCII.

    A 304 tells what RFC 9110 15.4.5 asks for, and neither length nor type.
    """
    head = answer.head
    headers = [
        ("ETag", f'"{head.etag}"'),
        ("Last-Modified", http_date(head.mtime_s)),
        ("Accept-Ranges", "bytes"),
    ]
    if answer.status == 304:
        return headers + [(name, value) for name, value in (("Cache-Control", head.cache_control),) if value is not None]
    headers += [("Content-Type", head.content_type), ("Content-Length", str(answer.content_length))]
    if answer.content_range is not None:
        headers.append(("Content-Range", answer.content_range))
    for name, attribute in OPTIONAL:
        value = getattr(head, attribute)
        if value is not None:
            headers.append((name, value))
    headers += [(f"x-amz-meta-{name}", value) for name, value in head.metadata]
    if head.crc32 is not None:
        headers += [("x-amz-checksum-crc32", head.crc32), ("x-amz-checksum-type", "FULL_OBJECT")]
    return headers

"""What S3 tells of a member. HEAD, GET and LIST all ask here, so that they cannot disagree."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256

from indexer.attributes import DEFAULT_CONTENT_TYPE
from indexer.model import DEFAULT_ATTRIBUTES, Member
from object_lambda.answers import ObjectHead
from object_lambda.requests import Overrides

PRINTABLE = re.compile(r"[\x20-\x7e]*")
ETAG = re.compile(r"[\x21\x23-\x7e]+")


def etag_of(member: Member, archive_etag: str) -> str:
    """The ETag a member is served with, without quotes.

    Its own where the archive tells it; else one made of the archive's version and the member's place in it, spelled `<32 hex>-1`
    like that of a multipart upload, so that no client takes it for an MD5 of the bytes.

    Args:
        member: As the index tells it.
        archive_etag: That of the version of the archive the member is read from.
    """
    if member.etag is not None and ETAG.fullmatch(member.etag):
        return member.etag
    facts = b"%s\0%s\0%d\0%d" % (archive_etag.encode(), member.name, member.size, -1 if member.crc32 is None else member.crc32)
    return f"{sha256(facts).hexdigest()[:32]}-1"


def with_etags(members: Sequence[Member], archive_etag: str) -> Sequence[Member]:
    """Give members of one archive, where they have none of their own, the ETags they are served with (`etag_of`)."""
    if all(member.etag is not None and ETAG.fullmatch(member.etag) for member in members):
        return members
    return [member._replace(etag=etag_of(member, archive_etag)) for member in members]


def head_of(member: Member, archive_etag: str, overrides: Overrides) -> ObjectHead:
    """Tell what a member's headers say, `overrides` in place of its own values; without a checksum."""
    etag = etag_of(member, archive_etag)
    attributes = member.attributes
    if attributes == DEFAULT_ATTRIBUTES and overrides == Overrides():
        return ObjectHead(member.size, etag, member.mtime_s, DEFAULT_CONTENT_TYPE)
    return ObjectHead(
        size=member.size,
        etag=etag,
        mtime_s=member.mtime_s,
        content_type=in_header(overrides.content_type or attributes.content_type) or DEFAULT_CONTENT_TYPE,
        content_encoding=in_header(overrides.content_encoding or attributes.content_encoding),
        content_language=in_header(overrides.content_language or attributes.content_language),
        content_disposition=in_header(overrides.content_disposition or attributes.content_disposition),
        cache_control=in_header(overrides.cache_control or attributes.cache_control),
        expires=in_header(overrides.expires),
        metadata=tuple((name, in_header(value) or "") for name, value in attributes.metadata),
    )


def checksum_of(member: Member) -> str | None:
    """The CRC-32 of a member as `x-amz-checksum-crc32` has it: base64 of four bytes, the highest first."""
    return None if member.crc32 is None else b64encode(member.crc32.to_bytes(4)).decode()


def in_header(text: str | None) -> str | None:
    """Spell a value so that it may stand in a header: S3 answers what is not printable ASCII as an RFC 2047 word."""
    if text is None or PRINTABLE.fullmatch(text):
        return text
    return f"=?UTF-8?B?{b64encode(text.encode()).decode()}?="

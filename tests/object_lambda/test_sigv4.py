"""Signatures that AWS published, and those that botocore makes, are verified; one that covers anything else is not."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from object_lambda.access import RequestFacts
from object_lambda.grants import ALL
from object_lambda.keyring import AccessKey, Keyring
from object_lambda.keys import parse_query
from object_lambda.s3_errors import S3Error, SignatureDoesNotMatch
from object_lambda.signature_claim import claim_of
from object_lambda.signed_access import EMPTY_SHA256, SignedAccess
from object_lambda.sigv4 import spellings
from tests.object_lambda.signed_requests import KEY_ID, REGION, access_at, changed, signed_by_botocore

# "Signature Calculations for the Authorization Header" (single chunk and multiple chunks) and "Using Query Parameters" in the
# Amazon S3 API reference. Our own S3 differs from the generic test suite, which normalises paths and does not hash bodies.
AWS_ID = "AKIAIOSFODNN7EXAMPLE"
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AWS_AT = datetime(2013, 5, 24, tzinfo=UTC).timestamp()
PUT_SHA256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"


def published(
    signature: str, method: str, target: str, host: str = "examplebucket.s3.amazonaws.com", **headers: str
) -> RequestFacts:
    path, _, query = target.partition("?")
    told = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    told |= {"x-amz-content-sha256": told.get("x-amz-content-sha256", EMPTY_SHA256), "x-amz-date": "20130524T000000Z"}
    told["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={AWS_ID}/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={';'.join(sorted(told))},Signature={signature}"
    )
    return RequestFacts(method, path.encode(), query.encode(), told)


PUBLISHED = {
    "GET object": published(
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", "GET", "/test.txt", range="bytes=0-9"
    ),
    "PUT object": published(
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        "PUT",
        "/test$file.text",
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_storage_class="REDUCED_REDUNDANCY",
        x_amz_content_sha256=PUT_SHA256,
    ),
    "GET bucket lifecycle": published("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", "GET", "/?lifecycle"),
    "GET bucket (list objects)": published(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", "GET", "/?max-keys=2&prefix=J"
    ),
    "PUT object in chunks": published(
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        "PUT",
        "/examplebucket/chunkObject.txt",
        "s3.amazonaws.com",
        content_encoding="aws-chunked",
        content_length="66824",
        x_amz_content_sha256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        x_amz_decoded_content_length="66560",
        x_amz_storage_class="REDUCED_REDUNDANCY",
    ),
    "presigned GET": RequestFacts(
        "GET",
        b"/test.txt",
        b"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        b"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        b"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        {"host": "examplebucket.s3.amazonaws.com"},
    ),
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_the_signatures_aws_published_are_verified(case: str) -> None:
    access = SignedAccess(Keyring([AccessKey(AWS_ID, AWS_SECRET, ALL)]), region="us-east-1", now=lambda: AWS_AT)
    assert access.authorize(PUBLISHED[case]).name == AWS_ID


CHARS = st.characters(min_codepoint=0x20, max_codepoint=0x24F, exclude_characters="\x7f")
TEXTS = st.text(st.sampled_from("aé/+ %.~&=;?*'()!\u4e2d😀-_") | CHARS, max_size=12)
SUBDELIMITERS = "!$'()*+,;:@"
"""Characters that a path may hold as they are (RFC 3986 3.3), and that S3 spells as `%XX` all the same."""

HEADER_NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=8).map("x-amz-meta-{}".format)
# Bytes as a client may send them. A no-break space is none of SigV4's spaces, though Python's str.split takes it for one.
HEADER_VALUES = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_categories=["Zs", "Cc"]) | st.just(" "), max_size=12
)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def encoded(text: str, safe: str = "") -> str:
    return "".join(char if char.isascii() and (char.isalnum() or char in "-._~/" + safe) else _escaped(char) for char in text)


ENCODED = TEXTS.map(encoded)
AS_SENT = st.tuples(TEXTS, st.sets(st.sampled_from(SUBDELIMITERS))).map(lambda pair: encoded(pair[0], "".join(pair[1])))


@given(
    path=AS_SENT,
    query=st.lists(st.tuples(AS_SENT, AS_SENT), max_size=4),
    headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=4),
    method=st.sampled_from(["GET", "HEAD"]),
)
@example(path="", query=[], headers=[("x-amz-meta-a", "à")], method="GET")  # its last byte is a space to str.strip
@example(path="a%2Fb//./c", query=[("b", ""), ("a", "2"), ("a-", "1"), ("a", "1")], headers=[], method="GET")
def test_what_botocore_signs_in_a_header_is_verified(
    path: str, query: list[tuple[str, str]], headers: list[tuple[str, str]], method: str
) -> None:
    text = "&".join(f"{name}={value}" for name, value in query)
    facts = signed_by_botocore(f"/bucket/{path}{'?' if text else ''}{text}", method=method, headers=headers)
    assert access_at().authorize(facts).name == KEY_ID


@given(path=TEXTS, prefix=TEXTS, bare=st.sets(st.sampled_from(SUBDELIMITERS)))
@example(path="a+b c", prefix="a+b c", bare=set("+"))
def test_what_is_signed_as_s3_spells_it_may_be_sent_in_another_spelling(path: str, prefix: str, bare: set[str]) -> None:
    facts = signed_by_botocore(f"/bucket/{encoded(path)}?list-type=2&prefix={encoded(prefix).replace('/', '%2F')}")
    safe = "".join(bare)
    spaced = encoded(prefix, safe.replace("+", "")).replace("%20", "+")  # in a query a plus sign is a space
    sent = replace(facts, raw_path=f"/bucket/{encoded(path, safe)}".encode(), raw_query=f"prefix={spaced}&list-type=2".encode())
    assert access_at().authorize(sent).name == KEY_ID


NAMES = ENCODED.filter(lambda name: name and not name.startswith(("X-Amz-", "AWS")))


@given(path=ENCODED, query=st.dictionaries(NAMES, ENCODED, max_size=4), expires_s=st.integers(1, 604_800))
def test_what_botocore_presigns_is_verified(path: str, query: dict[str, str], expires_s: int) -> None:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    facts = signed_by_botocore(f"/bucket/{path}{'?' if text else ''}{text}", expires_s=expires_s)
    assert access_at().authorize(facts).name == KEY_ID


@given(path=st.binary(max_size=12), query=st.binary(max_size=16))
def test_what_is_sent_unencoded_may_be_signed_as_sent_or_as_s3_spells_it(path: bytes, query: bytes) -> None:
    facts = RequestFacts("GET", b"/" + path, query, {})
    found = list(spellings(facts))
    assert 1 <= len(found) <= 2
    spelled_path, spelled_query = found[0]
    again = RequestFacts("GET", spelled_path, spelled_query, {})
    assert list(spellings(again)) == [found[0]], "S3's spelling is its own"


@pytest.mark.parametrize(
    ("path", "query", "spelled"),
    [
        ("/b/a+b", "", ("/b/a%2Bb", "")),
        ("/b/a(1)'!*", "", ("/b/a%281%29%27%21%2A", "")),
        ("/b/%7e%c3%bc", "", ("/b/~%C3%BC", "")),
        ("/b//a/./..", "", ("/b//a/./..", "")),
        ("/b/a%2Fb", "", ("/b/a/b", "")),
        ("/b/a%252Fb", "", ("/b/a%252Fb", "")),
        ("/b", "location", ("/b", "location=")),
        ("/b", "b=2&a=1&&a=0&a-=3", ("/b", "a=0&a=1&a-=3&b=2")),
        ("/b", "prefix=a/b+c%20d&delimiter=/", ("/b", "delimiter=%2F&prefix=a%2Fb%20c%20d")),
        ("/b/k", "X-Amz-Signature=f00&a", ("/b/k", "a=")),
    ],
)
def test_s3_spells_a_path_and_a_query_in_one_way(path: str, query: str, spelled: tuple[str, str]) -> None:
    first = next(spellings(RequestFacts("GET", path.encode(), query.encode(), {})))
    assert tuple(part.decode() for part in first) == spelled


@given(signed_path=ENCODED, sent_path=ENCODED, signed_query=ENCODED, sent_query=ENCODED, method=st.sampled_from(["GET", "HEAD"]))
def test_a_signature_is_good_for_no_other_key_and_no_other_query(
    signed_path: str, sent_path: str, signed_query: str, sent_query: str, method: str
) -> None:
    assume((signed_path, signed_query, method) != (sent_path, sent_query, "GET"))
    facts = signed_by_botocore(f"/bucket/{signed_path}?prefix={signed_query}", method=method)
    sent = replace(facts, method="GET", raw_path=f"/bucket/{sent_path}".encode(), raw_query=f"prefix={sent_query}".encode())
    with pytest.raises(SignatureDoesNotMatch):
        access_at().authorize(sent)


@given(position=st.integers(0, 63), digit=st.sampled_from("0123456789abcdefABCDEF"))
def test_every_digit_of_a_signature_counts(position: int, digit: str) -> None:
    facts = signed_by_botocore("/bucket/key")
    head, _, signature = facts.headers["authorization"].rpartition("=")
    assume(signature[position] != digit)
    forged = f"{head}={signature[:position]}{digit}{signature[position + 1 :]}"
    with pytest.raises(SignatureDoesNotMatch):
        access_at().authorize(changed(facts, authorization=forged))


PIECES = st.sampled_from(
    [
        *["AWS4-HMAC-SHA256", " ", ",", ";", "=", "/", "&", "%", "%2F", "ü", "\x00", "\xff"],
        *[
            "Credential",
            "SignedHeaders",
            "Signature",
            "host",
            "x-amz-date",
            "READER",
            "20261120",
            "eu-central-1",
            "s3",
            "aws4_request",
        ],
        *["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Expires"],
        *[
            "20261120T083000Z",
            "READER/20261120/eu-central-1/s3/aws4_request",
            "AWSAccessKeyId",
            "UNSIGNED-PAYLOAD",
            "STREAMING-",
            "1",
        ],
    ]
)
RUBBISH = st.lists(PIECES | st.text(st.characters(max_codepoint=0xFF), max_size=4), max_size=24).map("".join)


@given(authorization=st.none() | RUBBISH, query=RUBBISH, date=st.none() | RUBBISH, x_amz_date=st.none() | RUBBISH, payload=RUBBISH)
@example(authorization=None, query="", date=None, x_amz_date=None, payload="")
def test_no_rubbish_is_let_in_or_raises_anything_but_an_s3_error(
    authorization: str | None, query: str, date: str | None, x_amz_date: str | None, payload: str
) -> None:
    headers = {"authorization": authorization, "date": date, "x-amz-date": x_amz_date, "x-amz-content-sha256": payload}
    facts = RequestFacts("GET", b"/", query.encode("latin-1"), {name: text for name, text in headers.items() if text is not None})
    with pytest.raises(S3Error):
        access_at().authorize(facts)


@given(
    expires_s=st.none() | st.just(60),
    cut=st.integers(0, 400),
    length=st.integers(0, 40),
    rubbish=RUBBISH.filter(bool),
    where=st.sampled_from(["authorization", "x-amz-date", "x-amz-content-sha256", "query"]),
)
def test_a_damaged_signature_raises_nothing_but_an_s3_error(
    expires_s: int | None, cut: int, length: int, rubbish: str, where: str
) -> None:
    facts = signed_by_botocore("/bucket/key?list-type=2", expires_s=expires_s)
    text = facts.raw_query.decode() if where == "query" else facts.headers.get(where, "")
    damaged = text[:cut] + rubbish + text[cut + length :]
    assume(damaged.strip() != text)
    broken = (
        replace(facts, raw_query=damaged.encode("latin-1"))
        if where == "query"
        else changed(facts, **{where.replace("-", "_"): damaged})
    )
    try:
        access_at().authorize(broken)
    except S3Error:
        return
    # It may mean the same after all: the order of components, the spelling of a parameter, an empty one.
    assert claim_of(broken, region=REGION) == claim_of(facts, region=REGION)
    assert parse_query(broken.raw_query) == parse_query(facts.raw_query)

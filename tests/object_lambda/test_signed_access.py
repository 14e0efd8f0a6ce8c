"""Every way to be refused, each with the code that S3 has for it, and what being let in covers."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from botocore.credentials import Credentials

from object_lambda import xml
from object_lambda.access import RequestFacts
from object_lambda.s3_errors import S3Error, SignatureDoesNotMatch
from object_lambda.signed_access import DAYS_KEPT, SKEW_S
from object_lambda.sigv4 import signing_key
from tests.object_lambda.signed_requests import (
    KEY_ID,
    NOW,
    NOW_S,
    REGION,
    SECRET,
    Clock,
    access_at,
    changed,
    secret_of,
    signed_by_botocore,
)

KEY = "/bucket/logs/key?response-content-type=a"


def in_header(**how: object) -> RequestFacts:
    return signed_by_botocore(KEY, **how)  # type: ignore[arg-type]


def presigned(**how: object) -> RequestFacts:
    return signed_by_botocore(KEY, **{"expires_s": 3600, **how})  # type: ignore[arg-type]


def edited(facts: RequestFacts, old: str, new: str) -> RequestFacts:
    """The same with `old` replaced in the Authorization header, or in the query of a presigned URL."""
    if "authorization" not in facts.headers:
        assert old.encode() in facts.raw_query
        return replace(facts, raw_query=facts.raw_query.replace(old.encode(), new.encode(), 1))
    assert old in facts.headers["authorization"]
    return changed(facts, authorization=facts.headers["authorization"].replace(old, new, 1))


@dataclass(frozen=True)
class Refusal:
    """A request, and what it is told.

    Args:
        request: Makes it.
        status: The HTTP status.
        code: S3's code.
        words: Stand in the message.
        fields: Elements of the error document.
        headers: Of the answer.
    """

    request: Callable[[], RequestFacts]
    status: int
    code: str
    words: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()


TOKEN = "session-token"
TEMPORARY = Credentials(KEY_ID, SECRET, TOKEN)
SCOPE = f"20261120/{REGION}/s3/aws4_request"
THREE = "requires three components: Credential, SignedHeaders, and Signature"
SIX = "requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires"
NOT_SIGNED = "There were headers present in the request which were not signed"
MALFORMED = "AuthorizationHeaderMalformed"
BAD_QUERY = "AuthorizationQueryParametersError"
TO_REGION = (("x-amz-bucket-region", REGION),)

REFUSALS = {
    # Who
    "no signature at all": Refusal(lambda: changed(in_header(), authorization=None), 403, "AccessDenied"),
    "key id nobody has": Refusal(
        lambda: in_header(credentials=Credentials("STRANGER", SECRET)),
        *(403, "InvalidAccessKeyId", "does not exist in our records", {"AWSAccessKeyId": "STRANGER"}),
    ),
    "key id nobody has, presigned": Refusal(
        lambda: presigned(credentials=Credentials("STRANGER", SECRET)), 403, "InvalidAccessKeyId"
    ),
    "another secret": Refusal(lambda: in_header(credentials=Credentials(KEY_ID, "x" * 20)), 403, "SignatureDoesNotMatch"),
    "another secret, presigned": Refusal(
        lambda: presigned(credentials=Credentials(KEY_ID, "x" * 20)), 403, "SignatureDoesNotMatch"
    ),
    "secret of another key": Refusal(
        lambda: in_header(credentials=Credentials("TEAM", SECRET)), 403, "SignatureDoesNotMatch", "", {"AWSAccessKeyId": "TEAM"}
    ),
    # What
    "another path": Refusal(lambda: replace(in_header(), raw_path=b"/bucket/logs/other"), 403, "SignatureDoesNotMatch"),
    "another query": Refusal(lambda: replace(in_header(), raw_query=b"response-content-type=b"), 403, "SignatureDoesNotMatch"),
    "a parameter more, presigned": Refusal(
        lambda: edited(presigned(), "&X-Amz-Date", "&versionId=1&X-Amz-Date"), 403, "SignatureDoesNotMatch"
    ),
    "another method": Refusal(lambda: replace(presigned(), method="HEAD"), 403, "SignatureDoesNotMatch"),
    "another host": Refusal(lambda: changed(in_header(), host="elsewhere"), 403, "SignatureDoesNotMatch"),
    "a signed header with another value": Refusal(
        lambda: changed(in_header(headers=[("Range", "bytes=0-1")]), range="bytes=0-2"), 403, "SignatureDoesNotMatch"
    ),
    "a signed header that did not come": Refusal(
        lambda: changed(in_header(headers=[("Range", "bytes=0-1")]), range=None), 403, "SignatureDoesNotMatch"
    ),
    "a signed header sent twice": Refusal(
        lambda: changed(in_header(headers=[("Range", "bytes=0-1")]), range="bytes=0-1,bytes=0-1"), 403, "SignatureDoesNotMatch"
    ),
    "a longer life, presigned": Refusal(lambda: edited(presigned(), "Expires=3600", "Expires=3601"), 403, "SignatureDoesNotMatch"),
    "an unsigned x-amz header": Refusal(
        lambda: changed(in_header(), x_amz_checksum_mode="ENABLED", x_amz_acl="private"),
        *(403, "AccessDenied", NOT_SIGNED, {"HeadersNotSigned": "x-amz-checksum-mode, x-amz-acl"}),
    ),
    "an unsigned x-amz header, presigned": Refusal(
        lambda: changed(presigned(), x_amz_checksum_mode="ENABLED"),
        *(403, "AccessDenied", NOT_SIGNED, {"HeadersNotSigned": "x-amz-checksum-mode"}),
    ),
    "host not signed": Refusal(
        lambda: edited(in_header(), "SignedHeaders=host;", "SignedHeaders="),
        *(403, "AccessDenied", NOT_SIGNED, {"HeadersNotSigned": "host"}),
    ),
    "no host sent, none signed": Refusal(
        lambda: changed(edited(in_header(), "SignedHeaders=host;", "SignedHeaders="), host=None),
        *(403, "AccessDenied", NOT_SIGNED, {"HeadersNotSigned": "host"}),
    ),
    "host not signed, presigned": Refusal(
        lambda: edited(presigned(), "SignedHeaders=host", "SignedHeaders=range"),
        *(403, "AccessDenied", NOT_SIGNED, {"HeadersNotSigned": "host"}),
    ),
    # When
    "clock too slow": Refusal(
        lambda: in_header(at=NOW - timedelta(seconds=SKEW_S + 1)),
        *(403, "RequestTimeTooSkewed", "difference between the request time and the current time is too large"),
        {"RequestTime": "20261120T081459Z", "ServerTime": "2026-11-20T08:30:00Z", "MaxAllowedSkewMilliseconds": "900000"},
    ),
    "clock too fast": Refusal(lambda: in_header(at=NOW + timedelta(seconds=SKEW_S + 1)), 403, "RequestTimeTooSkewed"),
    "expired": Refusal(
        lambda: presigned(at=NOW - timedelta(seconds=3601)),
        *(403, "AccessDenied", "Request has expired"),
        {"X-Amz-Expires": "3600", "Expires": "2026-11-20T08:29:59Z", "ServerTime": "2026-11-20T08:30:00Z"},
    ),
    "presigned in the future": Refusal(
        lambda: presigned(at=NOW + timedelta(seconds=SKEW_S + 1)), 403, "AccessDenied", "Request is not yet valid"
    ),
    "no date": Refusal(lambda: changed(in_header(), x_amz_date=None), 403, "AccessDenied", "requires a valid Date or x-amz-date"),
    "no date that exists": Refusal(
        lambda: changed(in_header(), x_amz_date="20261320T083000Z"), 403, "AccessDenied", "requires a valid Date or x-amz-date"
    ),
    "no date that exists, presigned": Refusal(
        lambda: edited(presigned(), "20261120T083000Z", "20261120T083060Z"), 400, BAD_QUERY, "ISO8601 Long Format"
    ),
    "a life of no time": Refusal(lambda: presigned(expires_s=0), 400, BAD_QUERY, "at least 1 second"),
    "a life of more than a week": Refusal(lambda: presigned(expires_s=604_801), 400, BAD_QUERY, "less than a week"),
    "a life that is no number": Refusal(
        lambda: edited(presigned(), "Expires=3600", "Expires=1h"), 400, BAD_QUERY, "should be a number"
    ),
    "a negative life": Refusal(lambda: presigned(expires_s=-1), 400, BAD_QUERY, "should be a number"),
    # For what
    "another region": Refusal(
        lambda: in_header(region="us-east-1"),
        *(400, MALFORMED, f"the region 'us-east-1' is wrong; expecting '{REGION}'", {"Region": REGION}, TO_REGION),
    ),
    "another region, presigned": Refusal(
        lambda: presigned(region="us-east-1"), 400, BAD_QUERY, "the region 'us-east-1' is wrong", {"Region": REGION}, TO_REGION
    ),
    "another service": Refusal(
        lambda: in_header(service="execute-api"), 400, MALFORMED, 'incorrect service "execute-api". This endpoint belongs to "s3".'
    ),
    "another terminal": Refusal(
        lambda: edited(in_header(), "aws4_request", "aws5_request"), 400, MALFORMED, 'incorrect terminal "aws5_request"'
    ),
    "a scope of another day": Refusal(
        lambda: edited(in_header(), "/20261120/", "/20261119/"), 400, MALFORMED, 'Invalid credential date "20261119"'
    ),
    "a scope too short": Refusal(lambda: edited(in_header(), f"/{SCOPE}", ""), 400, MALFORMED, "the Credential is mal-formed"),
    "a scope too short, presigned": Refusal(
        lambda: edited(presigned(), "%2Faws4_request", ""), 400, BAD_QUERY, "the Credential is mal-formed"
    ),
    "a scope without a key": Refusal(lambda: edited(in_header(), KEY_ID, ""), 400, MALFORMED, "the Credential is mal-formed"),
    # In which form
    "no signature in the header": Refusal(lambda: edited(in_header(), "Signature=", "Signatur="), 400, MALFORMED, THREE),
    "an empty component": Refusal(lambda: edited(in_header(), "SignedHeaders=host;", "SignedHeaders=,x="), 400, MALFORMED, THREE),
    "a component twice": Refusal(
        lambda: edited(in_header(), "SignedHeaders=", f"Credential={KEY_ID}/{SCOPE}, SignedHeaders="), 400, MALFORMED, THREE
    ),
    "the header twice": Refusal(
        lambda: changed(in_header(), authorization=",".join([in_header().headers["authorization"]] * 2)), 400, MALFORMED, THREE
    ),
    "the algorithm alone": Refusal(lambda: changed(in_header(), authorization="AWS4-HMAC-SHA256"), 400, MALFORMED, THREE),
    "a parameter missing": Refusal(lambda: edited(presigned(), "X-Amz-Signature=", "X-Amz-Signatur="), 400, BAD_QUERY, SIX),
    "another algorithm, presigned": Refusal(
        lambda: edited(presigned(), "AWS4-HMAC-SHA256", "AWS4-HMAC-MD5"), 400, BAD_QUERY, 'only supports "AWS4-HMAC-SHA256"'
    ),
    "no hash of the body": Refusal(
        lambda: changed(in_header(), x_amz_content_sha256=None), 400, "InvalidRequest", "Missing required header for this request"
    ),
    "a hash that is none": Refusal(
        lambda: changed(in_header(), x_amz_content_sha256="abc"),
        *(400, "InvalidArgument", "x-amz-content-sha256 must be", {"ArgumentValue": "abc"}),
    ),
    "the hash of a body that no read has": Refusal(
        lambda: with_payload("a" * 64),
        400,
        "XAmzContentSHA256Mismatch",
        "does not match",
        {"ClientComputedContentSHA256": "a" * 64},
    ),
    "both forms at once": Refusal(
        lambda: replace(presigned(), headers=in_header().headers), 400, "InvalidArgument", "Only one auth mechanism allowed"
    ),
    # Of kinds that are not taken
    "a session token": Refusal(lambda: in_header(credentials=TEMPORARY), 400, "InvalidToken", "use a key that needs none"),
    "a session token, presigned": Refusal(lambda: presigned(credentials=TEMPORARY), 400, "InvalidToken"),
    "version 2": Refusal(
        lambda: changed(in_header(), authorization="AWS READER:c2lnbmF0dXJl"),
        *(400, "InvalidRequest", "Please use AWS4-HMAC-SHA256"),
    ),
    "version 2, presigned": Refusal(
        lambda: RequestFacts("GET", b"/bucket/key", b"AWSAccessKeyId=READER&Signature=abc&Expires=1", {"host": "h"}),
        *(400, "InvalidRequest", "Please use AWS4-HMAC-SHA256"),
    ),
    "version 4A": Refusal(
        lambda: edited(in_header(), "AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
        *(400, "InvalidRequest", "Please use AWS4-HMAC-SHA256"),
    ),
    "a password": Refusal(
        lambda: changed(in_header(), authorization="Basic dXNlcjpwYXNz"), 400, "InvalidArgument", "Unsupported Authorization Type"
    ),
    "a query that cannot be read": Refusal(lambda: edited(presigned(), "X-Amz-Date=", "%FF=&X-Amz-Date="), 400, "InvalidURI"),
}


def with_payload(payload: str) -> RequestFacts:
    """A request signed over this `x-amz-content-sha256`: by a presigned URL, whose signer leaves the header alone."""
    return presigned(headers=[("x-amz-content-sha256", payload)], payload=payload)


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_told_as_s3_tells_it(case: str) -> None:
    refusal = REFUSALS[case]
    with pytest.raises(S3Error) as caught:
        access_at(TEAM=["bucket/logs"]).authorize(refusal.request())
    error = caught.value
    assert (error.http_status, error.code) == (refusal.status, refusal.code)
    assert refusal.words in error.message
    assert refusal.fields.items() <= error.fields.items()
    assert error.headers == refusal.headers


@pytest.mark.parametrize("case", REFUSALS)
def test_no_refusal_tells_a_secret(case: str) -> None:
    with pytest.raises(S3Error) as caught:
        access_at(TEAM=["bucket/logs"]).authorize(REFUSALS[case].request())
    told = repr(caught.value) + xml.error_document(caught.value, request_id="1", host_id="2").decode()
    key = signing_key(SECRET, date="20261120", region=REGION)
    for secret in (SECRET, secret_of("TEAM"), key.hex(), key.hex(" "), TOKEN):
        assert secret not in told


def test_a_wrong_signature_is_shown_what_was_expected_to_be_signed() -> None:
    facts = in_header(credentials=Credentials(KEY_ID, "x" * 20), headers=[("Range", "bytes=0-1")])
    with pytest.raises(SignatureDoesNotMatch) as caught:
        access_at().authorize(facts)
    told = caught.value.fields
    assert told["CanonicalRequest"].splitlines()[:5] == [
        "GET",
        "/bucket/logs/key",
        "response-content-type=a",
        "host:s3.example.com",
        "range:bytes=0-1",
    ]
    assert told["StringToSign"].splitlines()[:3] == ["AWS4-HMAC-SHA256", "20261120T083000Z", SCOPE]
    assert bytes.fromhex(told["CanonicalRequestBytes"]).decode() == told["CanonicalRequest"]
    assert bytes.fromhex(told["StringToSignBytes"]).decode() == told["StringToSign"]
    assert told["SignatureProvided"] == facts.headers["authorization"].rpartition("=")[2]


@pytest.mark.parametrize(
    "payload", ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"]
)
def test_what_stands_for_a_body_may_stand_for_none(payload: str) -> None:
    assert access_at().authorize(with_payload(payload)).name == KEY_ID


@pytest.mark.parametrize("by_s", [-SKEW_S, SKEW_S])
def test_clocks_may_be_a_quarter_of_an_hour_apart(by_s: int) -> None:
    assert access_at().authorize(in_header(at=NOW + timedelta(seconds=by_s))).name == KEY_ID


def test_a_presigned_url_holds_to_its_last_second_and_no_longer() -> None:
    clock = Clock()
    access = access_at(clock)
    facts = presigned(expires_s=604_800)
    clock.now_s = NOW_S + 604_800
    assert access.authorize(facts).name == KEY_ID
    clock.now_s += 1
    with pytest.raises(S3Error, match="has expired"):
        access.authorize(facts)


def test_a_date_header_serves_where_x_amz_date_cannot_be_sent() -> None:
    assert access_at().authorize(in_header(headers=[("Date", "any: botocore writes its own")])).name == KEY_ID


@pytest.mark.parametrize("query", ["location", "location=", "a=1&location="])
def test_where_a_bucket_is_may_be_asked_for_the_first_region(query: str) -> None:
    access = access_at()
    assert access.authorize(signed_by_botocore(f"/bucket?{query}", region="us-east-1")).name == KEY_ID
    assert access.authorize(signed_by_botocore(f"/bucket?{query}")).name == KEY_ID
    with pytest.raises(S3Error, match="expecting 'eu-central-1'"):
        access.authorize(signed_by_botocore(f"/bucket?{query}", region="us-west-2"))
    with pytest.raises(S3Error, match="expecting 'eu-central-1'"):
        access.authorize(signed_by_botocore(f"/bucket?{query.replace('location', 'locations')}", region="us-east-1"))


def test_the_components_may_come_in_any_order_and_spacing() -> None:
    facts = in_header()
    algorithm, _, rest = facts.headers["authorization"].partition(" ")
    turned = f"{algorithm}  {','.join(reversed(rest.split(', ')))}"
    assert access_at().authorize(changed(facts, authorization=turned)).name == KEY_ID


def test_what_a_content_network_adds_need_not_be_signed() -> None:
    assert access_at().authorize(changed(in_header(), x_amz_cf_id="abc", x_amzn_trace_id="Root=1")).name == KEY_ID


def test_signing_keys_are_kept_for_few_days_only() -> None:
    clock = Clock()
    access = access_at(clock)
    for day in range(3 * DAYS_KEPT):
        clock.now_s = NOW_S + day * 86_400
        access.authorize(in_header(at=NOW + timedelta(days=day)))
    assert len(access._signing_keys) == DAYS_KEPT

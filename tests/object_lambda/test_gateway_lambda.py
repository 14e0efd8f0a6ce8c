"""The gateway behind a function URL or API Gateway, by events as Lambda hands them over."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from indexer.errors import SettingInvalid
from indexer.source.memory import AsyncMemorySource
from object_lambda.gateway_lambda import BODY_BYTES, make_handler
from tests.object_lambda.made_archives import ARCHIVE, put_archive
from tests.object_lambda.signed_requests import HOST, KEY_ID, REGION, SECRET, signed_by_botocore

CONTENTS = {
    "a b+c%d?e/ü.txt": b"odd",
    "fits": bytes(range(256)) * (BODY_BYTES // 256),
    "large": bytes(range(256)) * (BODY_BYTES // 256 + 1),
}
ODD = "/bucket/a%20b+c%25d%3Fe/%C3%BC.txt"

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@pytest.fixture(scope="module")
def handler() -> Iterator[Handler]:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    env = {"BINDERY_MOUNTS": f"\n  bucket={ARCHIVE}\n", "AWS_REGION": "eu-north-1", "BINDERY_ANONYMOUS": "true"}
    yield make_handler(env, AsyncMemorySource(objects))
    asyncio.get_event_loop().close()
    asyncio.set_event_loop(None)


def function_url(path: str, query: str = "", *, method: str = "GET", headers: dict[str, str] | None = None) -> dict[str, Any]:
    """What a function URL hands over (payload format 2.0)."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers or {},
        "requestContext": {
            "domainName": "id.lambda-url.eu-north-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
        },
        "isBase64Encoded": False,
    }


def http_api(path: str) -> dict[str, Any]:
    """What API Gateway's HTTP API hands over: the path decoded."""
    event = function_url(unquote(path))
    event["requestContext"]["domainName"] = "id.execute-api.eu-north-1.amazonaws.com"
    return event


def rest_api(path: str) -> dict[str, Any]:
    """What API Gateway's REST API hands over (payload format 1.0)."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": "GET",
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}},
        "isBase64Encoded": False,
    }


def body(answer: dict[str, Any]) -> bytes:
    assert answer["isBase64Encoded"] or not answer["body"]
    return b64decode(answer["body"])


def test_a_member_is_read_by_its_raw_path(handler: Handler) -> None:
    for event in (function_url(ODD), rest_api(ODD), http_api(ODD)):
        answer = handler(event, None)
        assert (answer["statusCode"], body(answer)) == (200, b"odd")
        assert answer["headers"]["content-length"] == "3"


def test_a_head_keeps_its_length_and_a_range_its_headers(handler: Handler) -> None:
    head = handler(function_url("/bucket/large", method="HEAD"), None)
    assert (head["headers"]["content-length"], head["body"]) == (str(len(CONTENTS["large"])), "")
    part = handler(function_url("/bucket/large", headers={"Range": "bytes=1-3"}), None)
    assert (part["statusCode"], body(part)) == (206, b"\x01\x02\x03")


def test_a_listing_and_a_region_are_told(handler: Handler) -> None:
    answer = handler(function_url("/bucket", "list-type=2&prefix=f&encoding-type=url"), None)
    assert b"<Key>fits</Key>" in body(answer)
    assert answer["headers"]["x-amz-bucket-region"] == "eu-north-1"


def test_what_lambda_cannot_carry_is_refused_with_a_way_out(handler: Handler) -> None:
    fits = handler(function_url("/bucket/fits"), None)
    assert body(fits) == CONTENTS["fits"]
    assert len(json.dumps(fits)) < 6 * 1000 * 1000 + 10_000
    large = handler(function_url("/bucket/large"), None)
    assert (large["statusCode"], b"header Range" in body(large)) == (400, True)


@pytest.mark.usefixtures("handler")  # which sets a loop for this thread
def test_a_function_with_keys_verifies_what_its_callers_signed() -> None:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    keys = {KEY_ID: {"secret": SECRET, "read": ["bucket/a b+c%d?e"]}}
    env = {"BINDERY_MOUNTS": f"bucket={ARCHIVE}", "AWS_REGION": REGION, "BINDERY_ACCESS_KEYS": json.dumps(keys)}
    env["BINDERY_ENDPOINT"] = f"https://{HOST}/stage"
    former = asyncio.get_event_loop()
    handler = make_handler(env, AsyncMemorySource(objects))
    try:
        told = {}
        for target in (ODD, "/bucket/fits"):
            facts = signed_by_botocore(f"/stage{target}", at=datetime.now(UTC))
            headers = {name: value for name, value in facts.headers.items() if name != "host"} | {"Host": "behind.the.proxy"}
            told[target] = handler(function_url(target, headers=headers), None)
        assert body(told[ODD]) == b"odd"
        assert (told["/bucket/fits"]["statusCode"], b"AccessDenied" in body(told["/bucket/fits"])) == (403, True)
        assert handler(function_url(ODD), None)["statusCode"] == 403
    finally:
        asyncio.get_event_loop().close()
        asyncio.set_event_loop(former)


def test_a_function_of_which_nobody_said_who_may_read_does_not_start() -> None:
    with pytest.raises(SettingInvalid, match=r"nothing says who may read.*BINDERY_ANONYMOUS=true"):
        make_handler({"BINDERY_MOUNTS": f"bucket={ARCHIVE}"}, AsyncMemorySource({}))


def test_a_function_without_mounts_says_so() -> None:
    with pytest.raises(SettingInvalid, match="BINDERY_MOUNTS"):
        make_handler({}, AsyncMemorySource({}))

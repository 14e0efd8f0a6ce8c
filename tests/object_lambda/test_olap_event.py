"""Events of S3 Object Lambda, as AWS documents them and as others send them: each is read to the same request."""

import json
from pathlib import Path
from typing import Any

import pytest

from object_lambda.olap_event import Event, Operation, Reply
from object_lambda.requests import Conditions, ListRequest, ObjectRequest, Overrides
from object_lambda.s3_errors import InvalidURI, KeyTooLongError, NoSuchVersion

EVENTS = Path(__file__).parents[1] / "conformance" / "events"
PLAIN = ObjectRequest("*", b"logs/2026/a.log")
ODD = ObjectRequest("*", b"logs/a b+c%d?e=1&f#g.log", part_number=1, overrides=Overrides(content_type="image/svg+xml"))

READS = {
    "get": PLAIN,
    "get_relative_url": PLAIN,
    "get_by_alias_in_the_path": PLAIN,
    "get_china": PLAIN,
    "get_fips": PLAIN,
    "get_future_version_and_fields": PLAIN,
    "get_version": PLAIN,
    "get_odd_key_decoded_url": ODD,
    "get_odd_key_encoded_url": ODD,
    "get_percent_in_key": ObjectRequest("*", b"logs/100%2F.log"),
    "get_slashes_and_dots": ObjectRequest("*", b"/logs//./a..log/"),
    "get_utf8_key": ObjectRequest("*", "logs/日志.log".encode()),
    "get_headers_in_any_case": ObjectRequest(
        "*",
        b"logs/2026/a.log",
        range="bytes=0-3",
        if_range='"e3"',
        conditions=Conditions('"e1"', "Wed, 21 Oct 2026 07:28:00 GMT", '"e2"', "Wed, 21 Oct 2015 07:28:00 GMT"),
        checksum=True,
    ),
    "get_headers_as_lists": ObjectRequest(
        "*", b"logs/2026/a.log", range="bytes=0-3", conditions=Conditions(if_none_match='"e1", "e2"')
    ),
    "get_range_parameter": ObjectRequest("*", b"logs/2026/a.log", range="bytes=4-7", part_number=2),
    "get_overrides": ObjectRequest(
        "*",
        b"logs/2026/a.log",
        overrides=Overrides("text/plain; charset=utf-8", "gzip", "de", 'attachment; filename="100%.txt"', "no-cache", "123"),
    ),
    "head": PLAIN,
    "head_range": ObjectRequest("*", b"logs/2026/a.log", range="bytes=-5"),
}

LISTS = {
    "list_v1": ListRequest("*", 1, b"logs/", b"/", 7, b"logs/a b", url_encoded=True),
    "list_v1_bare": ListRequest("*", 1),
    "list_v2": ListRequest("*", 2, b"logs/", b"/", 7, b"logs/a+b", "AWFi", url_encoded=True, fetch_owner=True),
    "list_v2_blanks": ListRequest("*", 2, after=b"", token=""),
    "list_v2_by_alias_in_the_path": ListRequest("*", 2, b"logs/"),
}

UNKNOWN = {"unknown_read": Reply("io-use1-001", "OutputToken"), "unknown_other": None}


def load(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def test_every_event_is_told_of_here() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == {*READS, *LISTS, *UNKNOWN}


@pytest.mark.parametrize("name", READS)
def test_a_read_is_understood(name: str) -> None:
    event = Event.read(load(name))
    assert event.operation is (Operation.GET if name.startswith("get") else Operation.HEAD)
    assert event.reply == (Reply("io-use1-001", "OutputToken") if name.startswith("get") else None)
    assert event.object_request() == READS[name]


@pytest.mark.parametrize("name", LISTS)
def test_a_listing_is_understood(name: str) -> None:
    event = Event.read(load(name))
    assert event.operation is (Operation.LIST_V1 if name.startswith("list_v1") else Operation.LIST_V2)
    assert event.list_request() == LISTS[name]
    assert event.access_point == "example-object-lambda-ap"


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_operation_from_the_future_is_known_as_such(name: str) -> None:
    event = Event.read(load(name))
    assert (event.operation, event.reply) == (None, UNKNOWN[name])


def test_tokens_signatures_and_headers_are_never_shown() -> None:
    event = load("get")
    event["userRequest"]["headers"]["X-Amz-Meta-Password"] = "hidden-value"
    shown = repr(Event.read(event))
    assert "io-use1-001" in shown
    for secret in ("OutputToken", "secret-token", "X-Amz-Signature", "hidden-value"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("path", "error"),
    [("%ff.log", InvalidURI), ("100%.log", InvalidURI), ("a" * 1025, KeyTooLongError), ("a?versionId=3HL4", NoSuchVersion)],
)
def test_a_key_that_cannot_be_is_refused(path: str, error: type[Exception]) -> None:
    event = load("get")
    event["getObjectContext"]["inputS3Url"] = f"https://ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com/{path}"
    with pytest.raises(error):
        Event.read(event).object_request()


@pytest.mark.parametrize("without", ["configuration", "userRequest", "userIdentity", "protocolVersion", "xAmzRequestId"])
def test_what_an_event_leaves_out_is_not_missed(without: str) -> None:
    event = load("get")
    del event[without]
    assert Event.read(event).object_request() == PLAIN


def test_a_parameter_of_another_key_is_not_taken_for_one_of_ours() -> None:
    event = load("get")
    event["getObjectContext"]["inputS3Url"] = "https://ap-1.s3-accesspoint.us-east-1.amazonaws.com/a%3FpartNumber%3D7?X-Amz-Date=1"
    event["userRequest"]["url"] = "/a?partNumber=7"
    assert Event.read(event).object_request() == ObjectRequest("*", b"a?partNumber=7")

"""The gateway behind something that changes Host or path."""

import pytest

from indexer.errors import SettingInvalid
from object_lambda.endpoint import UNCHANGED, Endpoint
from tests.object_lambda.signed_requests import HOST, KEY_ID, access_at, changed, signed_by_botocore


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("https://s3.example.com", Endpoint("s3.example.com")),
        ("https://s3.example.com:443/", Endpoint("s3.example.com")),
        ("http://s3.example.com:80", Endpoint("s3.example.com")),
        ("http://s3.example.com:443", Endpoint("s3.example.com:443")),
        ("https://[::1]:8014/stage/a", Endpoint("[::1]:8014", b"/stage/a")),
        ("https://s3.example.com/stage/", Endpoint("s3.example.com", b"/stage")),
    ],
)
def test_an_endpoint_is_a_host_as_clients_send_it_and_a_path(url: str, endpoint: Endpoint) -> None:
    assert Endpoint.parse(url) == endpoint


@pytest.mark.parametrize(
    "url", ["", "s3.example.com", "ftp://h", "https://", "https://h//a", "https://h/a b", "https://h/?a", "https://u@h"]
)
def test_what_is_no_endpoint_is_told(url: str) -> None:
    with pytest.raises(SettingInvalid, match="no endpoint"):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("raw", "own"),
    [
        (b"/stage/a/bucket/key", b"/bucket/key"),
        (b"/stage/a/stage/a/key", b"/stage/a/key"),
        (b"/stage/a/", b"/"),
        (b"/stage/a", b"/"),
        (b"/stage/ab/key", b"/stage/ab/key"),
        (b"/bucket//key", b"/bucket//key"),
    ],
)
def test_the_prefix_is_taken_off_once_and_only_as_whole_segments(raw: bytes, own: bytes) -> None:
    assert Endpoint(None, b"/stage/a").own_path(raw) == own
    assert UNCHANGED.own_path(raw) == raw


@pytest.mark.parametrize("sent", ["/stage/bucket/a%2Fb", "/bucket/a%2Fb"])
def test_a_signature_over_the_endpoint_holds_whatever_the_proxy_did(sent: str) -> None:
    facts = changed(signed_by_botocore("/stage/bucket/a%2Fb"), host="internal:8014")
    facts = type(facts)(facts.method, sent.encode(), facts.raw_query, facts.headers)
    called = Endpoint(HOST, b"/stage").as_called(facts)
    assert access_at().authorize(called).name == KEY_ID
    assert UNCHANGED.as_called(facts) is facts


def test_a_bucket_named_as_the_prefix_is_refused() -> None:
    endpoint = Endpoint(None, b"/stage/a")
    endpoint.check_bucket("a")
    UNCHANGED.check_bucket("stage")
    with pytest.raises(SettingInvalid, match="begins with the name of this bucket"):
        endpoint.check_bucket("stage")

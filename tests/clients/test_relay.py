"""The relay: what goes through it is unchanged, and every request is counted once."""

import http.client
from collections.abc import Iterator

import pytest

from tests.clients.relay import Heads, Relay, Request, told
from tests.object_lambda.recorder import Recorder

STREAM = (
    b"GET /b/k?x-id=GetObject HTTP/1.1\r\nHost: h\r\nRANGE: bytes=0-1\r\n\r\n"
    b"PUT /b/k HTTP/1.1\r\nContent-Length: 28\r\n\r\nGET /b/k HTTP/1.1\r\n\r\nas body"
    b"HEAD /b HTTP/1.1\r\n\r\n"
)


@pytest.mark.parametrize("piece", [1, 2, 7, len(STREAM)])
def test_requests_are_found_however_their_bytes_are_cut(piece: int) -> None:
    heads = Heads()
    pieces = [STREAM[start : start + piece] for start in range(0, len(STREAM), piece)]
    found = [request for data in pieces for request in heads.feed(data)]
    assert [(request.method, request.target) for request in found] == [
        ("GET", "/b/k?x-id=GetObject"),
        ("PUT", "/b/k"),
        ("HEAD", "/b"),
    ]
    assert told(found) == "1 HeadBucket, 1 PUT of an object, 1 ranged GetObject"


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/b", "ListObjects"),
        ("GET", "/b/?prefix=a", "ListObjects"),
        ("GET", "/b/?list-type=2&prefix=location", "ListObjectsV2"),
        ("GET", "/b?location=", "GetBucketLocation"),
        ("GET", "/b?versioning", "GetBucketVersioning"),
        ("HEAD", "/b/", "HeadBucket"),
        ("GET", "/b//k", "GetObject"),
        ("HEAD", "/b/k/", "HeadObject"),
    ],
)
def test_an_operation_is_known_by_its_target(method: str, target: str, operation: str) -> None:
    assert Request(method, target, {}).operation == operation


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"])
    yield made
    made.close()


def test_bytes_pass_as_they_are_and_requests_are_taken_once(recorder: Recorder) -> None:
    with Relay(recorder.port) as relay:
        connection = http.client.HTTPConnection("127.0.0.1", relay.port, timeout=10)
        for key in ("a", "b%2Fc"):
            connection.request("GET", f"/bucket/{key}", headers={"Content-Length": "0"})
            assert connection.getresponse().read() == b"ok"
        connection.close()
        assert told(relay.take()) == "2 GetObject"
        assert relay.take() == []
    (received,) = recorder.connections
    assert b"GET /bucket/b%2Fc HTTP/1.1\r\n" in received.received
    assert f"Host: 127.0.0.1:{relay.port}\r\n".encode() in received.received

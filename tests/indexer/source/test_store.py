"""Objects in S3 keep the contract, at the stated number of requests, and what a store does wrong never becomes bytes."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from indexer.errors import (
    AccessRefused,
    BinderyError,
    LocationInvalid,
    ObjectMissing,
    ObjectReplaced,
    StoreFailed,
)
from indexer.limits import COALESCE_GAP_BYTES, MIB, REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.source import Source
from indexer.source.connect import Stores
from indexer.source.requests import PARALLEL_REQUESTS
from indexer.source.settings import StoreSettings
from indexer.source.store import StoreSource
from indexer.source.store_async import AsyncStoreSource
from indexer.source.trace import Trace, TracedSource
from tests.indexer.source.contract import DATA, LARGE, InLoop, SourceContract, SyncSourceContract
from tests.servers.http import HttpServer, Reply, recording, scripted
from tests.servers.ministack import Bucket, Ministack

Open = Callable[[Stores], Source]

KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI"}
URL = "s3://bucket/key"
OF = Identity(URL, "abc", 10)
GOOD = {"ETag": '"abc"', "Last-Modified": "Fri, 20 Nov 2026 08:28:50 GMT", "Content-Range": "bytes 2-4/10"}
SPAN = (Span(2, 5),)


class S3Shelf:
    """A bucket of the emulator."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def put(self, name: str, data: bytes) -> str:
        self.bucket.put(name, data)
        return self.url(name)

    def remove(self, name: str) -> None:
        self.bucket.client.delete_object(Bucket=self.bucket.name, Key=name)

    def url(self, name: str) -> str:
        return f"{self.bucket.url}/{name}"


@pytest.fixture
def shelf(s3_bucket: Bucket) -> S3Shelf:
    return S3Shelf(s3_bucket)


@pytest.fixture(scope="module")
def stores(ministack: Ministack) -> Stores:
    return Stores(StoreSettings.read(ministack.env))


class TestStoreSource(SyncSourceContract):
    @pytest.fixture
    def source(self, stores: Stores) -> Source:
        return StoreSource(stores)


class TestAsyncStoreSource(SourceContract):
    @pytest.fixture
    def source(self, stores: Stores) -> Iterator[Source]:
        with asyncio.Runner() as runner:
            yield InLoop(AsyncStoreSource(stores), runner)


@pytest.fixture(params=["sync", "async"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Makes either face of the source."""
    if request.param == "sync":
        yield StoreSource
    else:
        with asyncio.Runner() as runner:
            yield lambda stores: InLoop(AsyncStoreSource(stores), runner)


def quick(endpoint: str, *, retries: int = 0) -> Stores:
    """Clients of a server of ours, that do not wait long between tries."""
    settings = StoreSettings.read({**KEYS, "AWS_ENDPOINT_URL": endpoint})
    short = timedelta(milliseconds=1)
    return Stores(settings, retries={"max_retries": retries, "backoff": {"init_backoff": short, "max_backoff": short, "base": 2}})


@contextmanager
def recorded(ministack: Ministack, opened: Open) -> Iterator[tuple[HttpServer, Trace, Source]]:
    """A source whose requests are written down on their way, and what a trace says of them."""
    with recording(ministack.port) as recorder:
        trace = Trace()
        yield recorder, trace, TracedSource(opened(quick(recorder.endpoint)), trace)


def http_range(span: Span | None) -> str:
    assert span is not None
    return f"bytes={span.start}-{span.stop - 1}"


def test_a_trace_tells_the_requests_that_were_sent(ministack: Ministack, shelf: S3Shelf, opened: Open) -> None:
    url = shelf.put("a", DATA)
    with recorded(ministack, opened) as (recorder, trace, source):
        of = source.tail(url, 1000).identity
        source.read(of, (Span(9, 10), Span(0, 4), Span(5 + COALESCE_GAP_BYTES * 2, 90_000), Span(0, 0), Span(280_000, 280_001)))
        assert source.head(url).identity == of
        sent = [(seen.method, seen.headers.get("range")) for seen in recorder.seen]
        read = trace.made[1:-1]
        assert sent[0] == ("GET", "bytes=-1000")
        assert sorted(sent[1:-1]) == sorted(("GET", http_range(request.span)) for request in read)
        assert sent[-1] == ("HEAD", None)
        assert (len(read), trace.requests, trace.depth) == (3, len(recorder.seen), 3)
        assert trace.bytes == 1000 + sum(request.span.length for request in read if request.span)


def test_every_ranged_read_names_its_version(ministack: Ministack, shelf: S3Shelf, opened: Open) -> None:
    url = shelf.put("large", LARGE)
    with recorded(ministack, opened) as (recorder, _, source):
        of = source.head(url).identity
        source.read(of, (Span(0, REQUEST_BYTES + MIB), Span(11 * MIB, 11 * MIB + 1)))
        assert {seen.headers.get("if-match") for seen in recorder.seen[1:]} == {f'"{of.etag}"'}
        assert sorted(seen.headers["range"] for seen in recorder.seen[1:]) == sorted(
            http_range(span)
            for span in (Span(0, REQUEST_BYTES), Span(REQUEST_BYTES, REQUEST_BYTES + MIB), Span(11 * MIB, 11 * MIB + 1))
        )


def test_an_empty_tail_takes_two_requests_and_empty_spans_take_none(ministack: Ministack, shelf: S3Shelf, opened: Open) -> None:
    url = shelf.put("empty", b"")
    with recorded(ministack, opened) as (recorder, _, source):
        of = source.tail(url, 100).identity
        assert [seen.method for seen in recorder.seen] == ["GET", "HEAD"]
        assert source.read(of, (Span(0, 0), Span(0, 0))) == [b"", b""]
        assert len(recorder.seen) == 2


def test_a_failed_ask_does_not_send_what_it_had_not_begun(ministack: Ministack, shelf: S3Shelf, opened: Open) -> None:
    url = shelf.put("large", LARGE)
    with recorded(ministack, opened) as (recorder, _, source):
        of = source.head(url).identity
        shelf.put("large", LARGE[::-1])
        with pytest.raises(ObjectReplaced):
            source.read(of, tuple(Span(at, at + 1) for at in range(0, len(LARGE), 20_000)))
        # Of 600: those under way when the first failed, and on a loop those begun in the same turn.
        assert len(recorder.seen) <= 1 + 2 * PARALLEL_REQUESTS


def test_a_key_that_the_client_would_change_is_refused_before_anything_is_sent(opened: Open) -> None:
    with scripted(Reply(500)) as server:
        source = opened(quick(server.endpoint))
        for key in ("/lead", "trail/", "a//b", "a/./b", "a/../b", ".", "..", "tab\there", "line\nbreak", "del\x7f"):
            for ask in (
                source.head,
                lambda url: source.tail(url, 1),
                lambda url: source.read(Identity(url, "e", 9), (Span(0, 1),)),
            ):
                with pytest.raises(LocationInvalid, match="plain key"):
                    ask(f"s3://bucket/{key}")
        assert server.seen == []


ANSWERS: dict[str, tuple[Reply, type[BinderyError], str]] = {
    "bad request": (Reply(400, body=b"<Error><Code>Odd</Code></Error>"), StoreFailed, "Odd"),
    "unauthenticated": (Reply(401), AccessRefused, "401 Unauthorized"),
    "forbidden": (Reply(403, body=b"<Error><Code>SignatureDoesNotMatch</Code></Error>"), AccessRefused, "SignatureDoesNotMatch"),
    "glacier": (Reply(403, body=b"<Error><Code>InvalidObjectState</Code></Error>"), AccessRefused, "Restore it"),
    "no key": (Reply(404, body=b"<Error><Code>NoSuchKey</Code></Error>"), ObjectMissing, "no such object"),
    "no bucket": (Reply(404, body=b"<Error><Code>NoSuchBucket</Code></Error>"), ObjectMissing, "no such bucket"),
    "other region": (Reply(301, {"x-amz-bucket-region": "eu-west-1"}), StoreFailed, "AWS_REGION"),
    "throttled": (
        Reply(503, body=b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message><Resource>/r</Resource></Error>"),
        StoreFailed,
        "the store failed: 503 Service Unavailable, SlowDown, Reduce your rate \\(",
    ),
    "failed": (Reply(500), StoreFailed, "Try again"),
    "whole object": (Reply(200, GOOD, b"0123456789"), StoreFailed, "ranges"),
    "no etag": (Reply(206, {name: value for name, value in GOOD.items() if name != "ETag"}, b"234"), StoreFailed, "no strong ETag"),
    "weak etag": (Reply(206, GOOD | {"ETag": 'W/"abc"'}, b"234"), StoreFailed, "no strong ETag"),
    "odd etag": (Reply(206, GOOD | {"ETag": '"a b"'}, b"234"), StoreFailed, "no strong ETag"),
    "range unknown": (Reply(206, GOOD | {"Content-Range": "bytes 2-4/*"}, b"234"), StoreFailed, "failed"),
    "other range": (Reply(206, GOOD | {"Content-Range": "bytes 0-2/10"}, b"012"), StoreFailed, "failed"),
    "fewer bytes": (Reply(206, GOOD, b"23"), StoreFailed, "other bytes"),
    "more bytes": (Reply(206, GOOD, b"2345"), StoreFailed, "other bytes"),
    "cut off": (Reply(206, GOOD, b"23", length=3), StoreFailed, "failed"),
}

READ_ANSWERS: dict[str, tuple[Reply, type[BinderyError], str]] = {
    **ANSWERS,
    "precondition": (Reply(412), ObjectReplaced, "Open it again"),
    "range refused": (Reply(416), ObjectReplaced, "Open it again"),
    "precondition passed over": (Reply(206, GOOD | {"ETag": '"other"'}, b"234"), ObjectReplaced, "Open it again"),
    "other length": (Reply(206, GOOD | {"Content-Range": "bytes 2-4/11"}, b"234"), ObjectReplaced, "Open it again"),
}


@pytest.mark.parametrize("case", READ_ANSWERS)
def test_a_wrong_answer_to_a_read_is_an_error_and_never_bytes(case: str, opened: Open) -> None:
    reply, kind, word = READ_ANSWERS[case]
    with scripted(reply) as server:
        with pytest.raises(kind, match=word) as raised:
            opened(quick(server.endpoint)).read(OF, SPAN)
        assert raised.value.facts["object"] == URL
        assert raised.value.hint
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(raised.value)


@pytest.mark.parametrize("case", ANSWERS)
def test_a_wrong_answer_to_a_tail_is_an_error_and_never_bytes(case: str, opened: Open) -> None:
    reply, kind, word = ANSWERS[case]
    as_tail = {**reply.headers}
    if as_tail.get("Content-Range") == "bytes 2-4/10":
        as_tail["Content-Range"] = "bytes 7-9/10"
    with (
        scripted(Reply(reply.status, as_tail, reply.body, reply.length)) as server,
        pytest.raises(kind, match=word),
    ):
        opened(quick(server.endpoint)).tail(URL, 3)


def test_a_range_refused_for_an_object_that_has_it_is_an_error(opened: Open) -> None:
    head = Reply(200, {name: value for name, value in GOOD.items() if name != "Content-Range"}, length=10)
    with scripted(Reply(416), head) as server:
        with pytest.raises(StoreFailed, match="refuses a range"):
            opened(quick(server.endpoint)).tail(URL, 3)
        assert [seen.method for seen in server.seen] == ["GET", "HEAD"]


@pytest.mark.parametrize("etag", ['a"b', "a\r\nX: y", "a\0", "é", "a b", '", "', "\udcff"])
def test_an_etag_that_no_store_gives_is_the_version_of_no_object(etag: str, opened: Open) -> None:
    with scripted(Reply(206, GOOD, b"234")) as server:
        with pytest.raises(ObjectReplaced):
            opened(quick(server.endpoint)).read(Identity(URL, etag, 10), SPAN)
        assert server.seen == []


def test_a_store_that_recovers_is_asked_again_and_no_more(opened: Open) -> None:
    with scripted(Reply(503), Reply(500), Reply(206, GOOD, b"234")) as server:
        assert opened(quick(server.endpoint, retries=4)).read(OF, SPAN) == [b"234"]
        assert len(server.seen) == 3


def test_retries_end(opened: Open) -> None:
    with scripted(Reply(503)) as server:
        with pytest.raises(StoreFailed):
            opened(quick(server.endpoint, retries=4)).read(OF, SPAN)
        assert len(server.seen) == 5


@pytest.mark.parametrize("status", [400, 401, 403, 404, 412, 416])
def test_a_refusal_is_not_asked_again(status: int, opened: Open) -> None:
    with scripted(Reply(status)) as server:
        with pytest.raises(BinderyError):
            opened(quick(server.endpoint, retries=4)).read(OF, SPAN)
        assert len(server.seen) == 1


def test_an_answer_that_is_cut_off_is_taken_up_again(opened: Open) -> None:
    rest = Reply(206, GOOD | {"Content-Range": "bytes 4-4/10"}, b"4")
    with scripted(Reply(206, GOOD, b"23", length=3), rest) as server:
        assert opened(quick(server.endpoint, retries=4)).read(OF, SPAN) == [b"234"]
        assert [seen.headers["range"] for seen in server.seen] == ["bytes=2-4", "bytes=4-4"]
        assert server.seen[1].headers["if-match"] == '"abc"'


def test_nobody_listening_is_a_failure_of_the_store(opened: Open) -> None:
    with scripted(Reply(500)) as server:
        endpoint = server.endpoint
    with pytest.raises(StoreFailed, match="Try again"):
        opened(quick(endpoint)).head(URL)

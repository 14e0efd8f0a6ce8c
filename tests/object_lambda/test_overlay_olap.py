"""Object Lambda over both sides: what is sent to the presigned URL, byte for byte, and what becomes of its answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from indexer.source.memory import MemorySource
from object_lambda.kept_connection import IDLE_S
from object_lambda.keys import parse_query
from object_lambda.list_seal import LIFETIME_S, Seal
from object_lambda.olap_door import DONE, Door, Result
from object_lambda.olap_live import LiveDoor
from object_lambda.overlay import Winner
from object_lambda.signing import Credentials
from tests.object_lambda.live_side import etag
from tests.object_lambda.made_archives import Made, mount, put_archive, service_over
from tests.object_lambda.recorder import Recorder
from tests.object_lambda.test_olap_door import Writer
from tests.servers.http import HttpServer, Reply, Seen

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"
SCOPE = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F20261120%2Feu-west-1%2Fs3%2Faws4_request&X-Amz-Signature=0"
CALLER = {
    "Host": "olap.example",
    "Accept-Encoding": "identity",
    "User-Agent": "aws-sdk",
    "X-Amz-Checksum-Mode": "ENABLED",
    "X-Amz-Request-Payer": "requester",
    "X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD",
}
BOUND = {f"b/{number}": b"bound" for number in range(1, 8, 2)}
LOOSE = {f"b/{number}": b"loose" for number in range(0, 10, 2)} | {"c/1": b"1", "z": b"z"}


class Scene:
    """A door over an archive of `BOUND` at the bucket's root, and a live side at `endpoint`."""

    def __init__(self, endpoint: str, winner: Winner = Winner.BOUND) -> None:
        objects: dict[str, bytes] = {}
        put_archive(objects, {name: Made(data, etag=etag(data)) for name, data in BOUND.items()})
        source, service = MemorySource(objects), service_over(mount("*"))
        self.endpoint = endpoint
        self.now_s = 1_700_000_000.0
        self.writer = Writer()
        self.reports: list[str] = []
        live = LiveDoor(
            service,
            source,
            winner=winner,
            seal=Seal("a secret of at least 32 characters"),
            credentials=Credentials("ROLE", "role-secret", "role-token"),
            ca_bundle=None,
            clock=lambda: self.now_s,
        )

        def none_ahead() -> Any:
            raise AssertionError("no body is long")

        self.door = Door(service, source, self.writer, ahead=none_ahead, report=self.reports.append, live=live)

    def event(
        self,
        context: str,
        path: str,
        *,
        query: str = "",
        signed: str = "host",
        headers: dict[str, str] | None = None,
        url: str = "",
        who: str = "reader",
    ) -> Any:
        return {
            context: {
                "inputS3Url": f"{self.endpoint}/ap/{path}?{query}{SCOPE}&X-Amz-SignedHeaders={quote(signed, safe='')}",
                **({"outputRoute": "route", "outputToken": "token"} if context == "getObjectContext" else {}),
            },
            "configuration": {"accessPointArn": "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/olap"},
            "userRequest": {"url": f"https://olap/{path}{url}", "headers": {**CALLER, **(headers or {})}},
            "userIdentity": {"arn": f"arn:aws:sts::111122223333:assumed-role/{who}"},
        }

    def get(self, key: str, *, signed: str = "host", url: str = "", **headers: str) -> tuple[dict[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        assert self.door.handle(self.event("getObjectContext", quote(key), signed=signed, headers=named, url=url)) == DONE
        _, _, told, body = self.writer.responses.pop()
        return told, body

    def head(self, key: str, *, signed: str = "host", **headers: str) -> Result:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.door.handle(self.event("headObjectContext", quote(key), signed=signed, headers=named))

    def list(self, version: int = 2, who: str = "reader", **query: str) -> Result:
        context = "listObjectsV2Context" if version == 2 else "listObjectsContext"
        given = {"list-type": "2"} if version == 2 else {}
        given |= {name.replace("_", "-"): value for name, value in query.items()}
        spelled = "".join(f"{name}={quote(value, safe='')}&" for name, value in given.items())
        return self.door.handle(self.event(context, "", query=spelled, who=who))


ANSWER = (
    b'HTTP/1.1 200 OK\r\nx-amz-id-2: theirs\r\nx-amz-request-id: theirs\r\nDate: x\r\nServer: AmazonS3\r\nETag: "e"\r\n'
    b"Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT\r\nAccept-Ranges: bytes\r\nContent-Type: text/plain\r\n"
    b"x-amz-meta-colour: blue\r\nx-amz-storage-class: GLACIER_IR\r\nx-amz-checksum-crc32: AAAAAA==\r\nx-amz-checksum-sha1: x\r\n"
    b"x-amz-checksum-type: FULL_OBJECT\r\nContent-Length: 5\r\n\r\n"
)


@contextmanager
def recorded(*answers: bytes | None, closes: bool = False) -> Iterator[tuple[Recorder, Scene]]:
    recorder = Recorder(list(answers), closes=closes)
    try:
        yield recorder, Scene(f"http://{recorder.host}")
    finally:
        recorder.close()


def test_a_get_sends_what_was_signed_and_range_and_conditions_and_nothing_else() -> None:
    signed = "host;x-amz-checksum-mode;x-amz-request-payer;x-amz-expected-bucket-owner"
    with recorded(ANSWER + b"loose") as (recorder, scene):
        told, body = scene.get("a b/ü%+", signed=signed, Range="bytes=0-4", If_Match='"e"', If_None_Match='"x"')
        query = f"{SCOPE}&X-Amz-SignedHeaders={quote(signed, safe='')}"
        assert recorder.requests == [
            f"GET /ap/a%20b/%C3%BC%25%2B?{query} HTTP/1.1\r\nHost: {recorder.host}\r\nx-amz-checksum-mode: ENABLED\r\n"
            'x-amz-request-payer: requester\r\nRange: bytes=0-4\r\nIf-Match: "e"\r\nIf-None-Match: "x"\r\n\r\n'.encode()
        ]
    assert (told, body) == (
        {
            "x-amz-fwd-status": "200",
            "x-amz-fwd-header-etag": '"e"',
            "x-amz-fwd-header-last-modified": "Wed, 21 Oct 2015 07:28:00 GMT",
            "x-amz-fwd-header-accept-ranges": "bytes",
            "x-amz-fwd-header-content-type": "text/plain",
            "x-amz-meta-colour": "blue",
            "x-amz-fwd-header-x-amz-storage-class": "GLACIER_IR",
            "x-amz-fwd-header-x-amz-checksum-crc32": "AAAAAA==",
            "Content-Length": "5",
        },
        b"loose",
    )


def test_a_bound_object_costs_no_request_there() -> None:
    with recorded(ANSWER) as (recorder, scene):
        assert scene.get("b/1")[1] == b"bound"
        assert scene.head("b/1")["statusCode"] == 200
        assert recorder.connections == []


def test_a_head_is_told_in_the_types_that_are_wanted() -> None:
    answer = ANSWER.replace(b"x-amz-storage-class: GLACIER_IR", b"x-amz-missing-meta: 2\r\nx-amz-delete-marker: false")
    with recorded(answer) as (recorder, scene):
        result = scene.head("loose", Range="bytes=0-4")
        assert recorder.requests[0].startswith(b"HEAD /ap/loose?")
        assert b"Range: bytes=0-4" in recorder.requests[0]
    assert result["statusCode"] == 200
    told = result["headers"]
    assert (told["content-length"], told["x-amz-missing-meta"], told["x-amz-delete-marker"]) == (5, 2, False)
    assert (told["etag"], told["x-amz-meta-colour"]) == ('"e"', "blue")
    assert "x-amz-request-id" not in told


def test_a_connection_is_kept_for_the_next_event_and_replaced_when_it_was_closed() -> None:
    with recorded(ANSWER + b"loose") as (recorder, scene):
        for _ in range(3):
            assert scene.get("loose")[1] == b"loose"
        assert len(recorder.connections) == 1
        scene.now_s += IDLE_S
        assert scene.get("loose")[1] == b"loose"
        assert len(recorder.connections) == 2
    with recorded(ANSWER + b"loose", closes=True) as (recorder, scene):
        for _ in range(5):
            assert scene.get("loose")[1] == b"loose"
        assert scene.reports == []


def test_parts_and_overrides_which_the_url_cannot_ask_for_are_answered_here() -> None:
    with recorded(ANSWER + b"loose") as (_, scene):
        told, body = scene.get("loose", url="?partNumber=1&response-content-type=image/svg%2Bxml&response-expires=")
        assert (told["x-amz-fwd-status"], told["x-amz-fwd-header-content-range"], body) == ("206", "bytes 0-4/5", b"loose")
        assert told["x-amz-fwd-header-content-type"] == "image/svg+xml"
        told, body = scene.get("loose", url="?partNumber=2")
        assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"], body) == ("416", "InvalidPartNumber", b"")
        told, body = scene.get("loose", url="?partNumber=1", Range="bytes=0-1")
        assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"], body) == ("400", "InvalidRequest", b"")
    with recorded(ANSWER.replace(b'"e"', b'"e-2"') + b"loose") as (_, scene):
        told, body = scene.get("loose", url="?partNumber=1")
        assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"], body) == ("400", "NotImplemented", b"")


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", ("403", "AccessDenied")),
        (404, "NoSuchKey", ("404", "NoSuchKey")),
        (412, "PreconditionFailed", ("412", "PreconditionFailed")),
        (416, "InvalidRange", ("416", "InvalidRange")),
        (503, "SlowDown", ("503", "SlowDown")),
        (400, "ExpiredToken", ("400", "ExpiredToken")),
        (301, "PermanentRedirect", ("503", "ServiceUnavailable")),
    ],
)
def test_refusals_come_through_as_they_are(status: int, code: str, told: tuple[str, str]) -> None:
    document = f"<Error><Code>{code}</Code><Message>so</Message></Error>".encode()
    with recorded(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(document), document)) as (_, scene):
        headers, body = scene.get("loose")
        assert ((headers["x-amz-fwd-status"], headers["x-amz-fwd-error-code"]), body) == (told, b"")
        if status != 404:
            result = scene.list()
            assert (str(result["statusCode"]), result["errorCode"]) == told
    with recorded(b"HTTP/1.1 %d X\r\nContent-Length: 9\r\n\r\n" % status) as (_, scene):
        assert str(scene.head("loose")["statusCode"]) == told[0]


def test_a_304_is_told_without_a_body() -> None:
    with recorded(b'HTTP/1.1 304 Not Modified\r\nETag: "e"\r\n\r\n') as (_, scene):
        told, body = scene.get("loose", If_None_Match='"e"')
        assert (told, body) == ({"x-amz-fwd-status": "304", "x-amz-fwd-header-etag": '"e"', "Content-Length": "0"}, b"")


def test_a_body_that_breaks_off_is_reported() -> None:
    with recorded(ANSWER + b"lo", closes=True) as (_, scene):
        scene.door.handle(scene.event("getObjectContext", "loose"))
        assert scene.writer.responses == []
        assert "broke off" in scene.reports[0]


class Store:
    """Lists as S3 does: takes no token but its own, and tells who asked."""

    def __init__(self) -> None:
        self.server = HttpServer(self._answer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.server.close()

    @property
    def asked(self) -> list[Seen]:
        return self.server.seen

    def _answer(self, seen: Seen, _: bytes) -> Reply:
        query = parse_query(seen.path.partition("?")[2].encode())
        if "continuation-token" in query:
            return Reply(400, {}, b"<Error><Code>InvalidArgument</Code></Error>")
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after, most = query.get("start-after", query.get("marker", "")), min(int(query.get("max-keys", 1000)), 1000)
        rows: dict[str, bool] = {}
        for key in sorted(LOOSE):
            if key.startswith(prefix) and key > after:
                at = key.find(delimiter, len(prefix)) if delimiter else -1
                rows[key if at < 0 else key[: at + 1]] = at >= 0
        told = list(rows.items())[:most]
        body = "".join(
            f"<CommonPrefixes><Prefix>{key}</Prefix></CommonPrefixes>"
            if rolled
            else f"<Contents><Key>{key}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>&quot;e&quot;</ETag>"
            f"<Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, rolled in told
        )
        more = "true" if len(rows) > most else "false"
        return Reply(200, {}, f"<ListBucketResult><IsTruncated>{more}</IsTruncated>{body}</ListBucketResult>".encode())


def told(result: Result) -> tuple[list[str], str | None]:
    """Keys and common prefixes of a page, and how to go on."""
    assert result["statusCode"] == 200, result
    page = ET.fromstring(result["listResultXml"])
    rows = [key.text or "" for tag in ("Contents/{0}Key", "CommonPrefixes/{0}Prefix") for key in page.iterfind(NS + tag.format(NS))]
    token = page.findtext(f"{NS}NextContinuationToken") or page.findtext(f"{NS}NextMarker")
    more = page.findtext(f"{NS}IsTruncated") == "true"
    assert len(rows) <= int(page.findtext(f"{NS}MaxKeys") or 0)
    return sorted(rows), (token or max(rows)) if more else None


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_listings_of_both_versions_walk_both_sides(version: int, delimiter: str) -> None:
    with Store() as store:
        scene = Scene(store.server.endpoint)
        pages: list[list[str]] = []
        place: dict[str, str] = {}
        while True:
            keys, following = told(scene.list(version, max_keys="3" if not delimiter else "1", delimiter=delimiter, **place))
            pages.append(keys)
            if following is None:
                break
            place = {"marker" if version == 1 else "continuation_token": following}
        expected = sorted({*BOUND, *LOOSE}) if not delimiter else ["b/", "c/", "z"]
        size = 1 if delimiter else 3
        assert pages == [expected[at : at + size] for at in range(0, len(expected), size)]
        by_role = [seen for seen in store.asked if "authorization" in seen.headers]
        # Version 1 goes on from a key, which is the caller's own parameter; the pages of version 2 after the first are the role's.
        # A marker that is a common prefix makes this store tell it once more, and then the role goes on behind it.
        assert len(by_role) == (len(pages) - 1 if version == 2 or delimiter else 0)
        for seen in by_role:
            assert "Credential=ROLE/20231114/eu-west-1/s3/aws4_request" in seen.headers["authorization"]
            assert seen.headers["x-amz-security-token"] == "role-token"
        assert len(store.asked) == len(pages) + (len(by_role) if version == 1 else 0)


def test_a_token_is_good_for_its_caller_and_its_listing_for_some_hours() -> None:
    with Store() as store:
        scene = Scene(store.server.endpoint)
        _, token = told(scene.list(max_keys="2", prefix="b/"))
        assert token is not None
        asked = len(store.asked)
        for refused in (
            scene.list(max_keys="2", prefix="b/", continuation_token=token, who="other"),
            scene.list(max_keys="2", prefix="", continuation_token=token),
            scene.list(max_keys="2", prefix="b/", delimiter="/", continuation_token=token),
            scene.list(max_keys="2", prefix="b/", continuation_token=token[:-2] + "AA"),
            scene.list(max_keys="2", prefix="b/", continuation_token="AWIv"),
            scene.list(max_keys="2", prefix="b/", continuation_token="ü"),
        ):
            assert (refused["statusCode"], refused["errorCode"]) == (400, "InvalidArgument")
        assert len(store.asked) == asked
        scene.now_s += LIFETIME_S - 1
        _, second = told(scene.list(max_keys="2", prefix="b/", continuation_token=token))
        assert second is not None
        scene.now_s += 1
        for old in (token, second):  # going on does not make it younger
            assert scene.list(max_keys="2", prefix="b/", continuation_token=old)["errorCode"] == "InvalidArgument"


def test_who_may_not_list_there_gets_no_token() -> None:
    document = b"<Error><Code>AccessDenied</Code></Error>"
    with recorded(b"HTTP/1.1 403 X\r\nContent-Length: %d\r\n\r\n%b" % (len(document), document)) as (recorder, scene):
        assert scene.list(max_keys="2") == {"statusCode": 403, "errorCode": "AccessDenied", "errorMessage": ""}
        assert len(recorder.requests) == 1


def test_a_document_too_long_for_lambda_asks_the_live_side_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("object_lambda.olap_door.RESULT_BYTES", 1_200)
    with Store() as store:
        scene = Scene(store.server.endpoint)
        keys, following = told(scene.list())
        assert (keys, following is not None, len(store.asked)) == (["b/0", "b/1", "b/2"], True, 1)

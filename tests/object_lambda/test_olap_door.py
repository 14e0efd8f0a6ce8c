"""The Object Lambda door over the real service: every answer in the shape that S3 Object Lambda wants, every fault told."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import pytest

from indexer.errors import ANSWERS, BinderyError, StoreFailed
from indexer.limits import MIB
from indexer.model import Attributes, Identity, Span
from indexer.source.memory import MemorySource
from object_lambda.olap_door import DONE, RESULT_BYTES, Door, Result
from object_lambda.service import HELD_BYTES
from tests.object_lambda.made_archives import ARCHIVE, Made, mount, put_archive, service_over

OLAP = "https://olap-111122223333.s3-object-lambda.us-east-1.amazonaws.com"
INPUT = "https://ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com"
NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class Writer:
    """Takes responses in place of S3 Object Lambda."""

    def __init__(self) -> None:
        self.responses: list[tuple[str, str, dict[str, str], bytes]] = []
        self.pieces: list[int] = []
        self.fails: Exception | None = None

    def write(self, route: str, token: str, headers: Sequence[tuple[str, str]], body: Iterable[bytes]) -> None:
        if self.fails is not None:
            raise self.fails
        whole = b""
        for piece in body:
            self.pieces.append(len(piece))
            whole += piece
        self.responses.append((route, token, dict(headers), whole))


class Scene:
    """A door over one archive of `contents` mounted at `v`."""

    def __init__(self, contents: dict[str, Made | bytes], threads: Executor, place: str = "*/v") -> None:
        self.objects: dict[str, bytes] = {}
        put_archive(self.objects, contents)
        self.source = MemorySource(self.objects)
        self.writer = Writer()
        self.reports: list[str] = []
        self.service = service_over(mount(place))
        self.door = Door(self.service, self.source, self.writer, ahead=lambda: threads, report=self.reports.append)

    def event(self, context: str, key: str = "", query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Any:
        listing = context.startswith("list")
        parameters = urlencode(query or {}, quote_via=quote)
        more = {"outputRoute": "route", "outputToken": "token"} if context == "getObjectContext" else {}
        return {
            context: {"inputS3Url": f"{INPUT}/{quote(key)}?{parameters if listing else ''}&X-Amz-Signature=0", **more},
            "configuration": {"accessPointArn": "arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/olap"},
            "userRequest": {"url": f"{OLAP}/{key}?{parameters}", "headers": headers or {}},
        }

    def get(self, key: str, query: dict[str, str] | None = None, **headers: str) -> tuple[dict[str, str], bytes]:
        assert self.door.handle(self.event("getObjectContext", key, query, spelled(headers))) == DONE
        route, token, told, body = self.writer.responses.pop()
        assert (route, token, self.writer.responses) == ("route", "token", [])
        return told, body

    def head(self, key: str, query: dict[str, str] | None = None, **headers: str) -> Result:
        return self.door.handle(self.event("headObjectContext", key, query, spelled(headers)))

    def list(self, version: int = 2, **query: str) -> Result:
        context = "listObjectsV2Context" if version == 2 else "listObjectsContext"
        return self.door.handle(self.event(context, query={name.replace("_", "-"): value for name, value in query.items()}))


def spelled(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


CONTENTS: dict[str, Made | bytes] = {
    "a.log": Made(b"0123456789", 1_445_412_480, "e1"),
    "b/c d.log": Made(b"", 1_445_412_480, "e2", Attributes("text/plain", "gzip", metadata=(("colour", "blue"),))),
    "b/sealed": Made(b"secret", unreadable="it is encrypted"),
    "ä": b"utf-8",
}


@pytest.fixture
def scene(threads: Executor) -> Scene:
    return Scene(CONTENTS, threads)


A_LOG = {
    "x-amz-fwd-header-ETag": '"e1"',
    "x-amz-fwd-header-Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT",
    "x-amz-fwd-header-Accept-Ranges": "bytes",
}
TYPE = {"x-amz-fwd-header-Content-Type": "binary/octet-stream"}


def test_get_answers_with_the_whole_member(scene: Scene) -> None:
    assert scene.get("v/a.log") == ({"x-amz-fwd-status": "200", **A_LOG, **TYPE, "Content-Length": "10"}, b"0123456789")
    assert scene.get("v/ä")[1] == b"utf-8"
    assert scene.reports == []


@pytest.mark.parametrize(("query", "header"), [({"range": "bytes=2-4"}, ""), ({}, "bytes=2-4")], ids=["parameter", "header"])
def test_get_answers_with_a_range(scene: Scene, query: dict[str, str], header: str) -> None:
    headers = {"Range": header} if header else {}
    told, body = scene.get("v/a.log", query, **headers)
    assert body == b"234"
    assert told == {
        "x-amz-fwd-status": "206",
        **A_LOG,
        **TYPE,
        "Content-Length": "3",
        "x-amz-fwd-header-Content-Range": "bytes 2-4/10",
    }


def test_get_answers_conditions(scene: Scene) -> None:
    told, body = scene.get("v/a.log", If_None_Match='"e1"')
    assert (told, body) == ({"x-amz-fwd-status": "304", **A_LOG, "Content-Length": "0"}, b"")
    told, body = scene.get("v/a.log", If_Match='"other"')
    assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"], body) == ("412", "PreconditionFailed", b"")


def test_get_lets_the_caller_set_headers(scene: Scene) -> None:
    told, _ = scene.get("v/a.log", {"response-content-type": "image/svg+xml", "response-cache-control": "no-cache"})
    assert told["x-amz-fwd-header-Content-Type"] == "image/svg+xml"
    assert told["x-amz-fwd-header-Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    ("key", "query", "headers", "told"),
    [
        ("v/absent", {}, {}, ("404", "NoSuchKey")),
        ("elsewhere", {}, {}, ("404", "NoSuchKey")),
        ("v", {}, {}, ("404", "NoSuchKey")),
        ("v/a.log", {}, {"Range": "bytes=10-"}, ("416", "InvalidRange")),
        ("v/a.log", {"partNumber": "0"}, {}, ("400", "InvalidArgument")),
        ("v/a.log", {"partNumber": "2"}, {}, ("416", "InvalidPartNumber")),
        ("v/a.log", {}, {"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256"}, ("400", "InvalidRequest")),
        ("v/b/sealed", {}, {}, ("403", "InvalidObjectState")),
        ("v/\ud800", {}, {}, ("400", "InvalidRequest")),
    ],
)
def test_errors_are_told_without_a_body(
    scene: Scene, key: str, query: dict[str, str], headers: dict[str, str], told: tuple[str, str]
) -> None:
    event = scene.event("getObjectContext", quote(key, errors="replace"), query, headers)
    event["getObjectContext"]["inputS3Url"] = f"{INPUT}/{key if not key.isprintable() else quote(key)}?X-Amz-Signature=0"
    assert scene.door.handle(event) == DONE
    ((_, _, sent, body),) = scene.writer.responses
    assert ((sent["x-amz-fwd-status"], sent["x-amz-fwd-error-code"]), body) == (told, b"")
    assert sent["Content-Length"] == "0"
    assert "x-amz-fwd-header-ETag" not in sent


def test_head_tells_what_get_tells(scene: Scene) -> None:
    assert scene.head("v/b/c d.log") == {
        "statusCode": 200,
        "headers": {
            "ETag": '"e2"',
            "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT",
            "Accept-Ranges": "bytes",
            "Content-Type": "text/plain",
            "Content-Length": 0,
            "Content-Encoding": "gzip",
            "x-amz-meta-colour": "blue",
        },
    }
    ranged = scene.head("v/a.log", Range="bytes=-3")
    assert (ranged["statusCode"], ranged["headers"]["Content-Length"]) == (206, 3)
    assert ranged["headers"]["Content-Range"] == "bytes 7-9/10"
    assert scene.head("v/a.log", If_None_Match="*")["statusCode"] == 304
    assert scene.head("v/absent") == {
        "statusCode": 404,
        "errorCode": "NoSuchKey",
        "errorMessage": "The specified key does not exist.",
    }
    assert scene.writer.responses == []


def test_listings_name_the_access_point(scene: Scene) -> None:
    result = scene.list(prefix="v/", delimiter="/", encoding_type="url")
    assert set(result) == {"statusCode", "listResultXml"}
    assert result["statusCode"] == 200
    document = ElementTree.fromstring(result["listResultXml"].encode())
    assert document.findtext(f"{NS}Name") == "olap"
    assert [key.text for key in document.iter(f"{NS}Key")] == ["v/a.log", "v/%C3%A4"]
    assert [prefix.findtext(f"{NS}Prefix") for prefix in document.iter(f"{NS}CommonPrefixes")] == ["v/b/"]


@pytest.mark.parametrize("version", [1, 2])
def test_pages_lead_to_each_other(scene: Scene, version: int) -> None:
    found: list[str] = []
    after: dict[str, str] = {}
    document = ElementTree.Element("none")
    for _ in range(4):
        document = ElementTree.fromstring(scene.list(version, max_keys="1", **after)["listResultXml"].encode())
        found += [key.text or "" for key in document.iter(f"{NS}Key")]
        token = document.findtext(f"{NS}NextContinuationToken")
        after = {"continuation_token": token or ""} if version == 2 else {"marker": found[-1]}
    assert found == ["v/a.log", "v/b/c d.log", "v/b/sealed", "v/ä"]
    assert document.findtext(f"{NS}IsTruncated") == "false"


def test_a_listing_that_is_refused_is_told(scene: Scene) -> None:
    assert scene.list(encoding_type="base64") == {
        "statusCode": 400,
        "errorCode": "InvalidArgument",
        "errorMessage": "Invalid Encoding Method specified in Request",
    }


def test_a_page_that_a_lambda_could_not_return_is_cut_shorter(threads: Executor) -> None:
    # 1,000 keys of 1,000 bytes that cost six characters each in JSON
    scene = Scene({f"{'ä' * 490}{number:04}": b"" for number in range(1000)}, threads)
    result = scene.list()
    assert len(json.dumps(result)) <= RESULT_BYTES + 100
    document = ElementTree.fromstring(result["listResultXml"].encode())
    keys = [key.text or "" for key in document.iter(f"{NS}Key")]
    assert (len(keys), document.findtext(f"{NS}MaxKeys"), document.findtext(f"{NS}IsTruncated")) == (1000, "1000", "false")
    quoted = Scene({f"{chr(34) * 980}{number:04}": b"" for number in range(1000)}, threads)
    result = quoted.list()
    assert len(json.dumps(result)) <= RESULT_BYTES + 100
    document = ElementTree.fromstring(result["listResultXml"].encode())
    keys = [key.text or "" for key in document.iter(f"{NS}Key")]
    assert (len(keys), document.findtext(f"{NS}MaxKeys"), document.findtext(f"{NS}IsTruncated")) == (500, "1000", "true")
    rest = quoted.list(continuation_token=document.findtext(f"{NS}NextContinuationToken") or "")
    keys += [key.text or "" for key in ElementTree.fromstring(rest["listResultXml"].encode()).iter(f"{NS}Key")]
    assert keys == [f"v/{chr(34) * 980}{number:04}" for number in range(1000)]


# --- what goes wrong ------------------------------------------------------------------------------------------------


class FailingSource(MemorySource):
    """Fails from the nth read on."""

    def __init__(self, objects: dict[str, bytes], fails_at: int, error: Exception) -> None:
        super().__init__(objects)
        self.reads = 0
        self.fails_at = fails_at
        self.error = error

    def read(self, of: Identity, spans: tuple[Span, ...]) -> list[bytes]:
        self.reads += 1
        if self.reads > self.fails_at:
            raise self.error
        return super().read(of, spans)


def failing(scene: Scene, fails_at: int, error: Exception, threads: Executor) -> Door:
    source = FailingSource(scene.objects, fails_at, error)
    return Door(scene.service, source, scene.writer, ahead=lambda: threads, report=scene.reports.append)


def test_a_store_that_fails_is_told_as_503_and_logged_with_its_facts(scene: Scene, threads: Executor) -> None:
    scene.door = failing(scene, 0, StoreFailed("the line is dead", archive=ARCHIVE), threads)
    told, _ = scene.get("v/a.log")
    assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"]) == ("503", "ServiceUnavailable")
    assert ARCHIVE not in told["x-amz-fwd-error-message"]
    assert len(scene.reports) == 1
    assert ARCHIVE in scene.reports[0]


def test_an_archive_that_is_gone_is_a_fault_of_ours_and_no_404(scene: Scene) -> None:
    scene.objects.clear()
    assert scene.head("v/a.log")["statusCode"] == 503
    assert scene.list()["statusCode"] == 503


def test_a_fault_in_our_code_is_told_as_500_and_logged_with_its_traceback(scene: Scene, threads: Executor) -> None:
    scene.door = failing(scene, 0, ZeroDivisionError("a bug"), threads)
    told, _ = scene.get("v/a.log")
    assert (told["x-amz-fwd-status"], told["x-amz-fwd-error-code"]) == ("500", "InternalError")
    assert "a bug" not in told["x-amz-fwd-error-message"]
    assert "Traceback" in scene.reports[0]


def test_a_long_body_is_sent_in_pieces_and_one_that_breaks_breaks_the_response(threads: Executor) -> None:
    data = bytes(range(256)) * (40 * MIB // 256)
    scene = Scene({"big": data}, threads)
    told, body = scene.get("v/big")
    assert (told["Content-Length"], body) == (str(len(data)), data)
    assert len(scene.writer.pieces) > 3
    scene.writer.pieces.clear()
    scene.door = failing(scene, 2, StoreFailed("the line is dead"), threads)
    assert scene.door.handle(scene.event("getObjectContext", "v/big")) == DONE
    assert scene.writer.responses == []  # the writer got the error out of the body, and broke the connection
    assert HELD_BYTES < sum(scene.writer.pieces) < len(data)
    assert scene.reports == ["store_failed: the line is dead"]


def test_a_response_that_cannot_be_sent_is_logged_and_nothing_more(scene: Scene) -> None:
    scene.writer.fails = StoreFailed("the response was refused with 400")
    assert scene.door.handle(scene.event("getObjectContext", "v/a.log")) == DONE
    assert scene.reports == ["store_failed: the response was refused with 400"]


def test_a_get_that_tells_no_token_is_logged(scene: Scene) -> None:
    event = scene.event("getObjectContext", "v/a.log")
    del event["getObjectContext"]["outputToken"]
    assert scene.door.handle(event) == DONE
    assert (scene.writer.responses, len(scene.reports)) == ([], 1)


@pytest.mark.parametrize("answered", [True, False])
def test_an_operation_from_the_future_is_answered_in_both_ways(scene: Scene, answered: bool) -> None:
    context = {"inputS3Url": f"{INPUT}/a"} | ({"outputRoute": "route", "outputToken": "token"} if answered else {})
    assert scene.door.handle({"getObjectTorrentContext": context}) == {
        "statusCode": 501,
        "errorCode": "NotImplemented",
        "errorMessage": "This operation is not implemented",
    }
    told = [(headers["x-amz-fwd-status"], headers["x-amz-fwd-error-code"]) for _, _, headers, _ in scene.writer.responses]
    assert told == ([("500", "NotImplemented")] if answered else [])
    assert len(scene.reports) == 1


def test_every_result_is_json(scene: Scene) -> None:
    for context in ("headObjectContext", "listObjectsContext", "listObjectsV2Context", "getObjectContext", "newContext"):
        json.dumps(scene.door.handle(scene.event(context, "v/a.log")))


def test_every_error_of_ours_has_an_answer(scene: Scene, threads: Executor) -> None:
    for kind in BinderyError.__subclasses__():
        scene.door = failing(scene, 0, kind("it is broken"), threads)
        told, _ = scene.get("v/a.log")
        assert told["x-amz-fwd-error-code"] == ANSWERS[kind.reason].s3_code

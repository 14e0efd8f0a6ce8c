"""What docs/semantics.md claims about the Object Lambda door: it says what the gateway says."""

import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest

from indexer.model import Attributes
from indexer.source.memory import AsyncMemorySource, MemorySource
from object_lambda.olap_door import DONE, Door
from tests.object_lambda.made_archives import Made, mount, put_archive, service_over
from tests.servers.gateway import Answer, GatewayServer, running_gateway

ACCESS_POINT = "olap"
ETAG = "900150983cd24fb0d6963f7d28e17f72"
CONTENTS: dict[str, Made | bytes] = {
    "logs/a.log": Made(b"hello world", etag=ETAG, attributes=Attributes(content_encoding="gzip", metadata=(("colour", "blue"),))),
    "logs/b c+d.log": b"odd",
    "logs/deep/er/e.log": b"deep",
    "logs/empty": b"",
    "logs/large": bytes(range(256)) * 4096 * 9,
    "logs/locked": Made(b"", unreadable="it is encrypted"),
    "other": b"other",
}

OF_THE_WIRE = {"x-amz-request-id", "x-amz-id-2", "server", "date", "x-amz-bucket-region", "content-length", "connection"}
"""Headers that are the gateway's own, or that S3 Object Lambda writes itself."""

FORWARDED = "x-amz-fwd-header-"


class Writer:
    """Takes what goes to WriteGetObjectResponse."""

    def __init__(self) -> None:
        self.answers: list[tuple[dict[str, str], bytes]] = []

    def write(self, route: str, token: str, headers: Sequence[tuple[str, str]], body: Iterable[bytes]) -> None:
        self.answers.append(({name.lower(): value for name, value in headers}, b"".join(body)))


class Function:
    """The handler behind an access point over the same objects as the gateway."""

    def __init__(self, objects: dict[str, bytes], threads: Executor) -> None:
        self._writer = Writer()
        service = service_over(mount("*"))
        self._door = Door(service, MemorySource(objects), self._writer, ahead=lambda: threads, report=lambda _: None)

    def invoke(self, context: str, key: str, query: str = "", headers: dict[str, str] | None = None) -> Any:
        asked = {"inputS3Url": f"https://ap.s3-accesspoint.us-east-1.amazonaws.com/{quote(key)}?{query}"}
        if context == "getObjectContext":
            asked |= {"outputRoute": "route", "outputToken": "token"}
        event = {
            context: asked,
            "configuration": {"accessPointArn": f"arn:aws:s3-object-lambda:us-east-1:111122223333:accesspoint/{ACCESS_POINT}"},
            "userRequest": {"url": f"https://olap.s3-object-lambda.us-east-1.amazonaws.com/{key}", "headers": headers or {}},
        }
        result = self._door.handle(event)
        json.dumps(result)  # Lambda would refuse anything else
        return result

    def get(self, key: str, headers: dict[str, str]) -> Answer:
        """The answer as S3 Object Lambda hands it on; of an error it writes the document itself."""
        assert self.invoke("getObjectContext", key, headers=headers) == DONE
        ((sent, body),) = self._writer.answers
        self._writer.answers.clear()
        told = {name.removeprefix(FORWARDED): value for name, value in sent.items() if not name.startswith("x-amz-fwd-status")}
        return Answer(int(sent["x-amz-fwd-status"]), told, body)

    def head(self, key: str, headers: dict[str, str]) -> Answer:
        result = self.invoke("headObjectContext", key, headers=headers)
        told = {name.lower(): str(value) for name, value in result.get("headers", {}).items()}
        return Answer(result["statusCode"], told, result.get("errorCode", "").encode())


@pytest.fixture(scope="module")
def doors() -> Iterator[tuple[GatewayServer, Function]]:
    objects: dict[str, bytes] = {}
    put_archive(objects, CONTENTS)
    with ThreadPoolExecutor(1) as threads, running_gateway(service_over(mount("bucket")), AsyncMemorySource(objects)) as server:
        yield server, Function(objects, threads)


def told(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in OF_THE_WIRE}


@pytest.mark.parametrize("key", [key for key in CONTENTS if key != "logs/locked"])
@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=1-2"}, {"If-None-Match": f'"{ETAG}"'}, {"Range": "bytes=-3"}])
def test_both_doors_tell_the_same_of_an_object(doors: tuple[GatewayServer, Function], key: str, headers: dict[str, str]) -> None:
    server, function = doors
    gateway = server.ask(f"/bucket/{quote(key)}", headers=headers)
    answer = function.get(key, headers)
    assert answer.status == gateway.status
    if answer.status < 400:
        assert (told(answer), answer.body) == (told(gateway), gateway.body)
    by_gateway, by_function = server.ask(f"/bucket/{quote(key)}", "HEAD", headers), function.head(key, headers)
    assert by_function.status == by_gateway.status
    if by_gateway.status < 400:
        assert told(by_function) == told(by_gateway)
        assert by_function.headers.get("content-length") == by_gateway.headers.get("content-length")


@pytest.mark.parametrize(
    "query",
    ["", "delimiter=/&prefix=logs/", "max-keys=2", "start-after=logs/b&encoding-type=url", "fetch-owner=true", "prefix=none"],
)
@pytest.mark.parametrize("version", [1, 2])
def test_both_doors_tell_the_same_listing(doors: tuple[GatewayServer, Function], query: str, version: int) -> None:
    server, function = doors
    if version == 1:
        query = query.replace("start-after", "marker")
    context = "listObjectsContext" if version == 1 else "listObjectsV2Context"
    result = function.invoke(context, "", query)
    gateway = server.ask(f"/bucket?{'list-type=2&' if version == 2 else ''}{query}")
    assert result["statusCode"] == gateway.status == 200
    assert result["listResultXml"] == gateway.body.decode().replace("<Name>bucket</Name>", f"<Name>{ACCESS_POINT}</Name>")


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        ("absent", {}),
        ("logs", {}),
        ("logs/locked", {}),
        ("logs/a.log", {"Range": "bytes=99-"}),
        ("logs/a.log", {"If-Match": '"other"'}),
        ("logs/empty", {"Range": "bytes=0-"}),
        ("k" * 1025, {}),
    ],
)
def test_both_doors_refuse_alike(doors: tuple[GatewayServer, Function], key: str, headers: dict[str, str]) -> None:
    server, function = doors
    gateway, answer = server.ask(f"/bucket/{quote(key)}", headers=headers), function.get(key, headers)
    code = ET.fromstring(gateway.body).findtext("Code")
    assert (answer.status, answer.headers["x-amz-fwd-error-code"], answer.body) == (gateway.status, code, b"")
    by_function = function.head(key, headers)
    assert by_function.status == server.ask(f"/bucket/{quote(key)}", "HEAD", headers).status
    assert by_function.status < 400 or by_function.body.decode() == code

"""The live side of Object Lambda: the presigned URL of the event, with the caller's own rights.

The URL reaches the one object, or the one listing, that its caller named. Every header that was signed is sent again with the
caller's value; Range and the preconditions may be added unsigned, other `x-amz-` headers and parameters may not. So part numbers
and `response-*` overrides, which are parameters, are answered here.
"""

from __future__ import annotations

import functools
import re
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

from indexer.errors import StoreFailed
from object_lambda.keys import parse_query
from object_lambda.live import LiveAnswer, passed_on
from object_lambda.live_documents import DOCUMENT_BYTES, read_page, read_refusal
from object_lambda.live_requests import list_parameters, overridden, range_and_conditions
from object_lambda.s3_errors import InvalidPartNumber, InvalidRequest, NotImplementedHere
from object_lambda.signing import NO_PAYLOAD, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from http.client import HTTPConnection, HTTPResponse

    from object_lambda.kept_connection import KeptConnection
    from object_lambda.live import LiveList, LiveObject, LivePage
    from object_lambda.olap_event import Event
    from object_lambda.s3_errors import S3Error
    from object_lambda.signing import Credentials

Headers = list[tuple[str, str]]

PIECE_BYTES: Final = 256 << 10
ERROR_BYTES: Final = 64 << 10
URL: Final = re.compile(r"(https?)://([^/?#]+)([^?#]*)(.*)")
SCOPE: Final = re.compile(r"[^/]*/[0-9]{8}/([a-z0-9-]+)/s3/aws4_request")


class EventLive:
    """As `live.Live`, for one event.

    Args:
        asked: The event.
        connections: Where a connection is kept for the next event.
        credentials: The function's own role, for pages of a listing that the caller's URL does not reach.
        clock: Seconds since 1970 (`time.time`), for signatures.
        proven: Whether this caller showed that S3 lets it list this.
    """

    def __init__(
        self, asked: Event, connections: KeptConnection, credentials: Credentials, *, clock: Callable[[], float], proven: bool
    ) -> None:
        match = URL.fullmatch(asked.input_url)
        if match is None:
            raise StoreFailed("the event tells no URL of the object", hint="Check the access point")
        self._secure = match[1] == "https"
        self._host, self._path, query = match[2], match[3], match[4]
        self._target = (self._path or "/") + query
        self._query = parse_query(query.removeprefix("?").encode())
        self._headers = asked.headers
        self._connections = connections
        self._credentials = credentials
        self._clock = clock
        self._by_role = proven
        self._page: tuple[bytes, LivePage] | None = None

    def open(self, ask: LiveObject) -> LiveAnswer:
        """As `Live.open`.

        Raises:
            InvalidRequest: Both a range and a part number.
            NotImplementedHere: A part of an object that was uploaded in parts: only a parameter could ask for it.
            InvalidPartNumber: A part but the first of an object that was not.
        """
        request = ask.request
        if request.part_number is not None and request.range is not None:
            raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
        body = self._send(ask.method, self._target, [*self._signed_headers(), *self._added(range_and_conditions(request))])
        if body.status not in {200, 206, 304}:
            raise body.refusal()
        answer = LiveAnswer(body.status, passed_on(body.headers), body if ask.method == "GET" and body.status != 304 else None)
        if answer.pieces is None:
            body.read(0)
        try:
            return overridden(_part(answer, request.part_number), request.overrides)
        except BaseException:
            body.close()
            raise

    def list(self, ask: LiveList) -> LivePage:
        """As `Live.list`. The first page that is asked for is the caller's own, unless it showed before that it may list."""
        if self._page is not None and self._page[0] == ask.after and leads_on(self._page[1], ask.after):
            return self._page[1]
        if self._by_role:
            return self._answered(*self._own(ask))
        page = self._answered(self._target, self._signed_headers())
        self._page = (ask.after, page)
        self._by_role = True
        return page

    def _answered(self, target: str, headers: Headers) -> LivePage:
        body = self._send("GET", target, headers)
        if body.status != 200:
            raise body.refusal()
        return read_page(body.read(DOCUMENT_BYTES))

    def _own(self, ask: LiveList) -> tuple[str, Headers]:
        """The same listing from another place on, as the function's role asks it; the caller was let in by S3."""
        query = "&".join(f"{name}={value}" for name, value in list_parameters(ask))
        scope = SCOPE.fullmatch(self._query.get("X-Amz-Credential", ""))
        headers = signed(
            [("Host", self._host)],
            self._credentials,
            method="GET",
            path=self._path or "/",
            service="s3",
            region=scope[1] if scope else self._region_of_host(),
            timestamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
            query=query,
            payload=NO_PAYLOAD,
        )
        return f"{self._path or '/'}?{query}", headers[1:]

    def _region_of_host(self) -> str:
        labels = self._host.split(".")
        return labels[2] if len(labels) > 3 else "us-east-1"

    def _signed_headers(self) -> Headers:
        """The headers that the URL was signed with, as the caller sent them. One that is not told is S3's to miss."""
        names = self._query.get("X-Amz-SignedHeaders", "").lower().split(";")
        return [(name, self._headers[name]) for name in names if name != "host" and name in self._headers]

    def _added(self, headers: Headers) -> Headers:
        """Those that were not signed already."""
        names = {name for name, _ in self._signed_headers()}
        return [(name, value) for name, value in headers if name.lower() not in names]

    def _send(self, method: str, target: str, headers: Headers) -> EventBody:
        """Send a request; the head of its answer. A kept connection that was closed meanwhile is replaced once."""
        while True:
            connection = self._connections.take(self._host, secure=self._secure)
            kept = connection.sock is not None
            try:
                connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
                for name, value in [("Host", self._host), *headers]:
                    connection.putheader(name, value)
                connection.endheaders()
                response = connection.getresponse()
            except (OSError, HTTPException, ValueError) as error:
                connection.close()
                if kept and isinstance(error, ConnectionError):
                    continue
                raise StoreFailed(f"the live side cannot be asked: {error!r}", hint="Try again") from error
            except BaseException:
                connection.close()
                raise
            return EventBody(connection, response, functools.partial(self._keep, connection))

    def _keep(self, connection: HTTPConnection) -> None:
        self._connections.keep(connection, self._host, secure=self._secure)


class EventBody:
    """An answer whose head has come, as `live.Pieces`.

    Attributes:
        status: HTTP status.
        headers: As they came.
    """

    def __init__(self, connection: HTTPConnection, response: HTTPResponse, keep: Callable[[], None]) -> None:
        self.status = response.status
        self.headers = response.getheaders()
        self._connection = connection
        self._response = response
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        """Hand out the body. Raises StoreFailed when it breaks off."""
        lasts = not self._response.will_close
        try:
            while piece := self._response.read(PIECE_BYTES):
                yield piece
            if self._response.length:
                raise StoreFailed("the live object broke off", hint="Try again", missing=self._response.length)
        except (OSError, HTTPException) as error:
            raise StoreFailed(f"the live object broke off: {error!r}", hint="Try again") from error
        if lasts:
            self._keep()
        else:
            self._connection.close()

    def close(self) -> None:
        """As `Pieces.close`."""
        if not self._response.isclosed():
            self._response.close()
            self._connection.close()

    def read(self, most_bytes: int) -> bytes:
        """The whole body. Raises StoreFailed, also when it is longer than `most_bytes`."""
        pieces: list[bytes] = []
        length = 0
        try:
            for piece in self:
                length += len(piece)
                if length > most_bytes:
                    raise StoreFailed("the store's answer is longer than any should be", hint="Check the access point")
                pieces.append(piece)
        finally:
            self.close()
        return b"".join(pieces)

    def refusal(self) -> S3Error | StoreFailed:
        """What an answer that is no success means; to be raised."""
        document = self.read(ERROR_BYTES)
        if self.status < 400:
            return StoreFailed("the live side sends us elsewhere", hint="Check the access point's region")
        return read_refusal(self.status, document)


def leads_on(page: LivePage, after: bytes) -> bool:
    """Whether a page tells something new. The caller may begin inside a common prefix, which S3 then may tell once more."""
    return page.last is None or page.last > after


def _part(answer: LiveAnswer, number: int | None) -> LiveAnswer:
    """The answer to a request for a part, made of that for the whole object."""
    if number is None or answer.status == 304:
        return answer
    if "-" in (answer.header("etag") or ""):
        raise NotImplementedHere("A part of an object that was uploaded in parts cannot be read this way. Ask for ranges of it.")
    if number > 1:
        raise InvalidPartNumber("", ActualPartCount="1", PartNumberRequested=str(number))
    size = answer.content_length
    if not size:
        return answer
    return LiveAnswer(206, (*answer.headers, ("content-range", f"bytes 0-{size - 1}/{size}")), answer.pieces)

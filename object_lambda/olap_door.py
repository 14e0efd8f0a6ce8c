"""The Object Lambda door: events to requests, the service's answers to what S3 Object Lambda expects.

A GetObject is answered by WriteGetObjectResponse, everything else by the function's result. Whatever goes wrong, the caller gets an
S3 error with a code, and the reason with its facts goes to the log.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from indexer.drivers import run, stream
from indexer.errors import BinderyError
from object_lambda.answers import ObjectAnswer
from object_lambda.headers import headers_of
from object_lambda.olap_event import Event, Operation
from object_lambda.s3_errors import InternalError, InvalidRequest, NotImplementedHere, S3Error, from_bindery
from object_lambda.wgor_headers import answer_headers, error_headers, head_value, live_headers, told_message, told_status
from object_lambda.xml import list_document

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from concurrent.futures import Executor

    from indexer.asks import Steps
    from indexer.source import Source
    from object_lambda.answers import ListAnswer
    from object_lambda.live import LiveAnswer, Pieces
    from object_lambda.olap_live import LiveDoor
    from object_lambda.requests import ListRequest, ObjectRequest

Result = dict[str, Any]
"""What the function returns: a JSON document."""

DONE: Final[Result] = {"status_code": 200}
"""The result of a GetObject, which S3 Object Lambda passes over."""

RESULT_BYTES: Final = 5_500_000
"""Longest document of a listing as JSON: Lambda refuses results of more than 6 MB. A thousand ordinary keys take 350 KB."""


class Reads(Protocol):
    """What the door needs of a service (`service.Service`)."""

    def get(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """GetObject."""
        ...

    def head(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """HeadObject."""
        ...

    def list(self, request: ListRequest) -> Steps[ListAnswer]:
        """ListObjects, both versions."""
        ...


class Writes(Protocol):
    """What the door needs of a `wgor.ResponseWriter`."""

    def write(self, route: str, token: str, headers: Sequence[tuple[str, str]], body: Iterable[bytes]) -> None:
        """Send the answer to a GetObject."""
        ...


class Door:
    """Handles events, one at a time or several in threads.

    Args:
        service: Answers them.
        source: Where archives and indexes are read.
        writer: Takes the answers to GetObject.
        ahead: Makes what fetches the next bytes of a long body while the present ones are sent; asked for at the first such body.
        report: Takes what went wrong, one line each.
        live: Answers in place of the service where unbound keys are served from the bucket itself.
    """

    def __init__(
        self,
        service: Reads,
        source: Source,
        writer: Writes,
        *,
        ahead: Callable[[], Executor],
        report: Callable[[str], None],
        live: LiveDoor | None = None,
    ) -> None:
        self._service = service
        self._source = source
        self._writer = writer
        self._ahead = ahead
        self._report = report
        self._live = live

    def handle(self, event: Mapping[str, Any]) -> Result:
        """Answer one event; returns the function's result. Raises nothing."""
        asked = Event.read(event)
        match asked.operation:
            case Operation.GET:
                return self._get(asked)
            case Operation.HEAD:
                return self._result(self._head, asked)
            case Operation.LIST_V1 | Operation.LIST_V2:
                return self._result(self._list, asked)
            case None:
                return self._unknown(asked)

    def _get(self, asked: Event) -> Result:
        body: Iterable[bytes] = ()
        try:
            headers, body = self._object(asked)
        except Exception as error:  # noqa: BLE001 - the caller waits for an answer, whatever it is that failed
            headers = error_headers(self._told(error))
        self._write(asked, headers, body)
        return DONE

    def _object(self, asked: Event) -> tuple[Sequence[tuple[str, str]], Iterable[bytes]]:
        request = asked.object_request()
        if self._live is None:
            answer: ObjectAnswer | LiveAnswer = run(self._service.get(request), self._source)
        else:
            answer = self._live.get(request, asked)
        if isinstance(answer, ObjectAnswer):
            return answer_headers(answer), self._body(answer)
        return live_headers(answer), cast("Pieces | None", answer.pieces) or ()

    def _write(self, asked: Event, headers: Sequence[tuple[str, str]], body: Iterable[bytes]) -> None:
        """Send an answer; when that fails, nobody is left to be told but the log: the caller has a broken body, or gets a 500."""
        if asked.reply is None:
            self._report("the event tells no route and token to answer a GetObject with")
            return
        try:
            self._writer.write(asked.reply.route, asked.reply.token, headers, body)
        except Exception as error:  # noqa: BLE001 - as above
            self._told(error)

    def _body(self, answer: ObjectAnswer) -> Generator[bytes, None, None]:
        yield answer.start
        if answer.rest is not None:
            yield from stream(answer.rest, self._source, ahead=self._ahead())

    def _result(self, act: Callable[[Event], Result], asked: Event) -> Result:
        try:
            return act(asked)
        except Exception as error:  # noqa: BLE001 - as above
            return _error_result(self._told(error))

    def _head(self, asked: Event) -> Result:
        request = asked.object_request()
        if self._live is None:
            answer: ObjectAnswer | LiveAnswer = run(self._service.head(request), self._source)
        else:
            answer = self._live.head(request, asked)
        headers = headers_of(answer) if isinstance(answer, ObjectAnswer) else answer.headers
        return {"statusCode": answer.status, "headers": {name: head_value(name, value) for name, value in headers}}

    def _list(self, asked: Event) -> Result:
        request = asked.list_request()
        # The document names the access point and the page size that was asked for, whatever we asked the service.
        shown = replace(request, bucket=asked.access_point or request.bucket)
        listed = self._bound_listing if self._live is None else self._live.listing(asked)
        while True:
            document = list_document(replace(listed(request), request=shown)).decode()
            if request.max_keys <= 1 or _json_bytes(document) <= RESULT_BYTES:
                return {"statusCode": 200, "listResultXml": document}
            request = replace(request, max_keys=request.max_keys // 2)

    def _bound_listing(self, request: ListRequest) -> ListAnswer:
        return run(self._service.list(request), self._source)

    def _unknown(self, asked: Event) -> Result:
        """Tell a caller of an operation from the future that we do not know it, in both ways there are."""
        self._report("an event asks for an operation that is not known here")
        error = NotImplementedHere("This operation is not implemented")
        if asked.reply is not None:
            headers = [("x-amz-fwd-status", "500"), *error_headers(error)[1:]]
            self._write(asked, headers, ())
        return {**_error_result(error), "statusCode": error.http_status}

    def _told(self, error: Exception) -> S3Error:
        """What a caller is told of an error; the log is told all."""
        if isinstance(error, S3Error):
            return error
        if isinstance(error, UnicodeError):
            return InvalidRequest("The request holds characters that no key can have")
        if isinstance(error, BinderyError):
            self._report(f"{error.reason}: {error}")
            return from_bindery(error)
        import traceback  # noqa: PLC0415 - for faults of ours only

        self._report("".join(traceback.format_exception(error)))
        return InternalError()


def _error_result(error: S3Error) -> Result:
    return {"statusCode": told_status(error.http_status), "errorCode": error.code, "errorMessage": told_message(error)}


def _json_bytes(document: str) -> int:
    """How long a document is inside a JSON result; worked out only where it could matter."""
    return 0 if len(document) * 6 <= RESULT_BYTES else len(json.dumps(document))

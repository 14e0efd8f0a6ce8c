"""From a request to the gateway to its reply: reads the request, asks the service, words the answer. Nothing is sent here."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import cast

from starlette.types import Scope

from indexer.asks import Body
from indexer.drivers_async import run_async
from indexer.errors import BinderyError
from indexer.source import AsyncSource
from object_lambda import xml
from object_lambda.access import Access, Caller, RequestFacts
from object_lambda.answers import ListAnswer, ObjectAnswer
from object_lambda.endpoint import UNCHANGED, Endpoint
from object_lambda.headers import headers_of
from object_lambda.keys import parse_query, split_path
from object_lambda.live import AsyncLive, AsyncPieces, LiveAnswer
from object_lambda.live_drivers_async import run_overlaid_async
from object_lambda.operations import Operation, operation_of
from object_lambda.overlay import Overlay
from object_lambda.requests import ListRequest, ObjectRequest, list_request, object_request
from object_lambda.s3_errors import InternalError, InvalidRequest, S3Error, from_bindery
from object_lambda.service import Service

log = logging.getLogger(__name__)

Headers = list[tuple[bytes, bytes]]

UNKNOWN_OPERATION = "Unknown"
"""What a request counts as that was refused before it was understood."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer about to be sent.

    Args:
        operation: What was asked, for the counters.
        status: HTTP status.
        headers: All but those every answer has.
        content: The body, or its first bytes; of a HEAD it is not sent.
        rest: Hands out the bytes behind `content`, of a member or of a loose object.
        body_bytes: Length of the whole body; None where none is told (304).
    """

    operation: str
    status: int
    headers: Headers
    content: bytes = b""
    rest: Body | AsyncPieces | None = None
    body_bytes: int | None = 0


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request taken apart, of someone who may make it."""

    facts: RequestFacts
    caller: Caller
    bucket: str
    key: bytes
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """What the gateway says of itself.

    Args:
        region: Of all its buckets; clients sign for it.
        body_bytes: Longest body in one answer, where the way to the client has a limit; None for none.
        endpoint: How clients call it, where something in front changes that.
    """

    region: str = "us-east-1"
    body_bytes: int | None = None
    endpoint: Endpoint = UNCHANGED


@dataclass(frozen=True, slots=True)
class LiveSide:
    """What is served beside archives.

    Args:
        overlay: Both sides in one view.
        live: Answers what it asks of the live side.
    """

    overlay: Overlay
    live: AsyncLive


class Replies:
    """Answers requests.

    Args:
        service: Answers what is asked.
        source: Answers what the service asks.
        live_side: Answers in place of the service, where unbound keys are served from a live prefix.
        access: Lets requests in.
        settings: What the gateway says of itself.
        created_s: When the buckets came to be, as ListBuckets tells it.
    """

    def __init__(
        self,
        service: Service,
        source: AsyncSource,
        *,
        access: Access,
        settings: GatewaySettings,
        created_s: int,
        live_side: LiveSide | None = None,
    ) -> None:
        self._service = service
        self._source = source
        self._live_side = live_side
        self._access = access
        self._settings = settings
        self._created_s = created_s
        self._region = (b"x-amz-bucket-region", settings.region.encode())
        self._answers: dict[Operation, Callable[[Incoming], Awaitable[Reply]]] = {
            Operation.LIST_BUCKETS: self._list_buckets,
            Operation.HEAD_BUCKET: self._head_bucket,
            Operation.GET_BUCKET_LOCATION: self._get_bucket_location,
            Operation.LIST_OBJECTS: self._list_objects,
            Operation.GET_OBJECT: self._get_object,
            Operation.HEAD_OBJECT: self._head_object,
        }

    async def reply(self, scope: Scope, *, request_id: str, host_id: str) -> Reply:
        """Answer the request of an ASGI scope. Never raises: what goes wrong becomes S3's error document."""
        operation: str = UNKNOWN_OPERATION
        resource = scope["raw_path"]
        try:
            facts = RequestFacts(scope["method"], resource, scope["query_string"], _headers(scope))
            caller = self._access.authorize(self._settings.endpoint.as_called(facts))
            bucket, key = split_path(self._settings.endpoint.own_path(resource))
            query = parse_query(facts.raw_query)
            operation = operation_of(facts.method, bucket, key, query)
            caller.check(operation, bucket, key, query)
            return await self._answers[operation](Incoming(facts, caller, bucket, key, query))
        except S3Error as refused:
            error = refused
        except BinderyError as failed:
            error = from_bindery(failed)
            log.log(logging.WARNING if error.http_status >= 500 else logging.INFO, "%s %s: %s", request_id, operation, failed)
        except Exception:
            error = InternalError()
            log.exception("%s %s %s", request_id, operation, ascii(resource))
        content = xml.error_document(error, request_id=request_id, host_id=host_id)
        headers = [(name.encode(), value.encode()) for name, value in error.headers]
        return _document(operation, error.http_status, content, *headers)

    async def _list_buckets(self, incoming: Incoming) -> Reply:
        buckets = [bucket for bucket in self._service.buckets() if incoming.caller.may_see(bucket)]
        content = xml.buckets_document(buckets, self._created_s)
        return _document(Operation.LIST_BUCKETS, 200, content)

    async def _head_bucket(self, incoming: Incoming) -> Reply:
        self._service.check_bucket(incoming.bucket)
        return _document(Operation.HEAD_BUCKET, 200, b"", self._region)

    async def _get_bucket_location(self, incoming: Incoming) -> Reply:
        self._service.check_bucket(incoming.bucket)
        content = xml.location_document(self._settings.region)
        return _document(Operation.GET_BUCKET_LOCATION, 200, content, self._region)

    async def _list_objects(self, incoming: Incoming) -> Reply:
        request = list_request(incoming.bucket, incoming.query)
        answer = await self._list(request)
        return _document(Operation.LIST_OBJECTS, 200, xml.list_document(answer), self._region)

    async def _head_object(self, incoming: Incoming) -> Reply:
        answer = await self._head(_object_request(incoming))
        return Reply(Operation.HEAD_OBJECT, answer.status, _headers_of(answer))

    async def _get_object(self, incoming: Incoming) -> Reply:
        request = _object_request(incoming)
        most = self._settings.body_bytes
        if most is not None:
            head = await self._head(request)
            length = head.content_length
            if head.status != 304 and (length is None or length > most):
                raise InvalidRequest(
                    f"This answer has {length} bytes, and at most {most} can be sent this way. "
                    "Ask for ranges of the object (header Range)."
                )
        answer = await self._get(request)
        told = None if answer.status == 304 else answer.content_length
        if isinstance(answer, LiveAnswer):
            pieces = cast("AsyncPieces | None", answer.pieces)  # as an AsyncLive gives them
            return Reply(Operation.GET_OBJECT, answer.status, _headers_of(answer), b"", pieces, told)
        return Reply(Operation.GET_OBJECT, answer.status, _headers_of(answer), answer.start, answer.rest, told)

    async def _get(self, request: ObjectRequest) -> ObjectAnswer | LiveAnswer:
        if self._live_side is None:
            return await run_async(self._service.get(request), self._source)
        return await run_overlaid_async(self._live_side.overlay.get(request), self._source, self._live_side.live)

    async def _head(self, request: ObjectRequest) -> ObjectAnswer | LiveAnswer:
        if self._live_side is None:
            return await run_async(self._service.head(request), self._source)
        return await run_overlaid_async(self._live_side.overlay.head(request), self._source, self._live_side.live)

    async def _list(self, request: ListRequest) -> ListAnswer:
        if self._live_side is None:
            return await run_async(self._service.list(request), self._source)
        return await run_overlaid_async(self._live_side.overlay.list(request), self._source, self._live_side.live)


def _object_request(incoming: Incoming) -> ObjectRequest:
    return object_request(incoming.bucket, incoming.key, incoming.facts.headers, incoming.query)


def _headers_of(answer: ObjectAnswer | LiveAnswer) -> Headers:
    return _encoded(answer.headers if isinstance(answer, LiveAnswer) else headers_of(answer))


def _document(operation: str, status: int, content: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    told: Headers = [(b"content-type", b"application/xml"), (b"content-length", b"%d" % len(content)), *headers]
    return Reply(operation, status, told, content, None, len(content))


def _encoded(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]


def _headers(scope: Scope) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]},{value}" if name in found else value
    return found

"""The HTTP door: the S3 REST API for readers, path style, on FastAPI.

FastAPI carries `/health`, `/metrics` and whatever is for people. Everything else is S3's, and goes by one catch-all route to
`Gateway`, because keys come from the raw path: the parameters of a FastAPI path are decoded, and a decoded key is ambiguous.
No answer is ever a redirect: boto3 follows a 301 without a region for ever.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from base64 import b64encode
from collections.abc import Callable, Generator
from contextlib import aclosing
from secrets import token_bytes, token_hex
from typing import Final

import uvicorn
from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from indexer.drivers_async import stream_async
from indexer.errors import BinderyError, SettingInvalid
from indexer.source import AsyncSource
from object_lambda.access import Access
from object_lambda.gateway_replies import GatewaySettings, LiveSide, Replies, Reply
from object_lambda.metrics import Metrics
from object_lambda.service import Service
from object_lambda.shared_source import SharedSource

RESERVED: Final = ("health", "metrics")
"""First path segments that are ours: no bucket can be served under these names."""

KEEP_ALIVE_S: Final = 60
"""How long an idle connection stays open: longer than clients keep theirs for the next request, so that they close first."""

BACKLOG: Final = 2048
"""Connections that may wait to be taken: uvicorn's own default."""

NO_SUCH_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})

log = logging.getLogger(__name__)


class Gateway:
    """The S3 REST API as an ASGI application.

    Args:
        replies: Answers requests.
        source: Answers what the bodies of answers ask.
        metrics: Counts what was answered.
        new_request_id: Makes the id of a request, 16 characters.
        host_id: Stands in every answer (`x-amz-id-2`).
    """

    def __init__(
        self, replies: Replies, source: AsyncSource, metrics: Metrics, *, new_request_id: Callable[[], str], host_id: str
    ) -> None:
        self._replies = replies
        self._source = source
        self._metrics = metrics
        self._new_request_id = new_request_id
        self._host_id = host_id
        self._usual = [(b"x-amz-id-2", host_id.encode()), (b"server", b"AmazonS3")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request.

        Raises:
            BinderyError: The archive could not be read on in the middle of a body. The server then cuts the connection off, and
                the client sees an answer shorter than its Content-Length, never one that was filled up.
        """
        request_id = self._new_request_id()
        reply = await self._replies.reply(scope, request_id=request_id, host_id=self._host_id)
        self._metrics.count(reply.operation, reply.status)
        headers = [(b"x-amz-request-id", request_id.encode()), *self._usual, *reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        if reply.rest is None:
            self._metrics.body_bytes += len(reply.content)
            await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.content})
            return
        try:
            await self._stream(reply, receive, send)
        except BinderyError as error:
            self._metrics.broken_bodies += 1
            log.error("%s %s: cut off: %s", request_id, reply.operation, error)
            raise

    async def _stream(self, reply: Reply, receive: Receive, send: Send) -> None:
        """Send a body as it is read; stop reading when the client has gone, for a member may be of any size."""
        assert reply.rest is not None  # noqa: S101 - only such replies come here
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await send({"type": "http.response.body", "body": reply.content, "more_body": True})
            self._metrics.body_bytes += len(reply.content)
            body = stream_async(reply.rest, self._source) if isinstance(reply.rest, Generator) else reply.rest
            async with aclosing(body) as pieces:
                async for piece in pieces:
                    if gone.done():
                        return
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                    self._metrics.body_bytes += len(piece)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class EveryPath(BaseRoute):
    """Takes every request that no route before it took, without looking at the decoded path."""

    def __init__(self, app: Gateway) -> None:
        self._app = app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Every HTTP request."""
        return (Match.FULL if scope["type"] == "http" else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """No URL is made from this route."""
        raise NoMatchFound(name, path_params)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        await self._app(scope, receive, send)


def create_app(
    service: Service,
    source: AsyncSource,
    *,
    access: Access,
    settings: GatewaySettings,
    created_s: int,
    live_side: LiveSide | None = None,
    new_request_id: Callable[[], str] = lambda: token_hex(8).upper(),
) -> FastAPI:
    """Make the gateway.

    Args:
        service: What is served.
        source: Where it comes from. What many requests ask for at once is asked of it once.
        access: Who may read.
        settings: What the gateway says of itself.
        created_s: When its buckets came to be, as ListBuckets tells it.
        live_side: Where keys that are not bound are looked for; None for nowhere.
        new_request_id: Makes the ids of requests.

    Returns:
        An ASGI application. It needs a server that passes `raw_path` (uvicorn does).

    Raises:
        SettingInvalid: A bucket has a name that is taken, by a page of ours or the endpoint's path.
    """
    for bucket in service.buckets():
        if bucket in RESERVED:
            raise SettingInvalid(f"the gateway's own page /{bucket} hides this bucket", hint="Name it otherwise", setting="mount")
        settings.endpoint.check_bucket(bucket)
    source = SharedSource(source)
    metrics = Metrics()
    replies = Replies(service, source, access=access, settings=settings, created_s=created_s, live_side=live_side)
    host_id = b64encode(token_bytes(48)).decode()
    app = FastAPI(title="Bindery", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> PlainTextResponse:
        """The process answers; whether the store does is told by the answers themselves."""
        return PlainTextResponse("ok\n")

    @app.api_route("/metrics", methods=["GET", "HEAD"])
    async def counters() -> PlainTextResponse:
        """Counters for Prometheus."""
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    app.router.routes.append(EveryPath(Gateway(replies, source, metrics, new_request_id=new_request_id, host_id=host_id)))
    return app


def listeners(host: str, port: int) -> list[socket.socket]:
    """Listen on all addresses that a host has here; connections wait until `serve` takes them.

    Raises:
        SettingInvalid: The port is taken, or no address of the host is one of this machine.
    """
    opened: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        absent: OSError | None = None
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
            try:
                opened.append(socket.create_server(address, family=family, backlog=BACKLOG))
            except OSError as error:
                if error.errno not in NO_SUCH_ADDRESS:
                    raise
                absent = error  # `localhost` has an IPv6 address even where there is no IPv6
        if absent is not None and not opened:
            raise absent
    except (OSError, UnicodeError) as error:
        for listener in opened:
            listener.close()
        why = error.strerror if isinstance(error, OSError) else "this is no name of a host"
        raise SettingInvalid(f"cannot listen there: {why}", hint="Choose another --host or --port", host=host, port=port) from None
    return opened


def serve(app: FastAPI, sockets: list[socket.socket]) -> None:
    """Serve the gateway on `listeners` until the process is told to stop (SIGINT, SIGTERM); requests under way are finished first.

    uvicorn sends small answers at once (TCP_NODELAY is asyncio's default) and writes the Date header.
    """
    uvicorn.Server(server_config(app)).run(sockets)


def server_config(app: FastAPI) -> uvicorn.Config:
    """How uvicorn serves the gateway: it names itself in no header, and logs no line for each request."""
    config = uvicorn.Config(
        app, server_header=False, access_log=False, log_level="warning", lifespan="off", timeout_keep_alive=KEEP_ALIVE_S
    )
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    return config


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's tells anything: a body that was cut off has been told by `Gateway`, and needs no traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], BinderyError))

"""The gateway as a Lambda function behind a function URL: `object_lambda.gateway_lambda.handler`.

For small answers: Lambda takes a whole answer of at most 6 MB. For large ones run `object_lambda.gateway_server` behind the Lambda
Web Adapter, with response streaming. Behind API Gateway's HTTP API a key with a `?` cannot be asked for, because the path arrives
decoded and cut there.

Signatures survive a function URL (of `AuthType: NONE`; with `AWS_IAM` it wants one for the service `lambda`, which no S3 client
makes). API Gateway's REST API drops an Authorization header that is not meant for it.

Variables: those of `object_lambda.gateway_env`.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI
from mangum import Mangum
from starlette.types import Receive, Scope, Send

from indexer.source import AsyncSource
from indexer.source.route_async import open_async_source
from object_lambda.gateway_env import app_of

BODY_BYTES: Final = 4_500_000
"""Longest body of one answer: Lambda takes 6 MB of JSON, in which four characters stand for three bytes."""

NEVER_TEXT: Final = ["\0"]
"""In no content type: Mangum then sends every body as base64, whose length is known beforehand, and never as escaped text."""

Event = dict[str, Any]


class RawPath:
    """Gives the gateway the path as it came over the wire, which Mangum leaves out.

    Args:
        app: The gateway.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        await self._app({**scope, "raw_path": raw_path(scope["aws.event"])}, receive, send)


def raw_path(event: Mapping[str, Any]) -> bytes:
    """The percent-encoded path of a request.

    A function URL (`rawPath`) and a REST API (`path`) hand it on as it was; an HTTP API decodes it once, which is undone here.
    """
    path = event.get("rawPath") or event.get("path") or "/"
    decoded = "rawPath" in event and ".execute-api." in event["requestContext"].get("domainName", "")
    return quote(path).encode() if decoded else str(path).encode()


def make_handler(env: Mapping[str, str], source: AsyncSource) -> Callable[[Event, Any], dict[str, Any]]:
    """Make the function's handler out of its variables.

    Args:
        env: `os.environ`.
        source: Where archives and indexes are read.

    Raises:
        SettingInvalid, LocationInvalid: A mount cannot work, or there is none; nothing says who may read.
    """
    app = app_of(env, source, body_bytes=BODY_BYTES)
    asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum runs each call on the thread's loop, and does not make one
    return Mangum(RawPath(app), lifespan="off", text_mime_types=NEVER_TEXT)


@functools.cache
def _handler() -> Callable[[Event, Any], dict[str, Any]]:
    return make_handler(os.environ, open_async_source(os.environ))


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer one request that came through a function URL or API Gateway."""
    return _handler()(event, context)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _handler()  # while Lambda loads the function it gives it a whole core

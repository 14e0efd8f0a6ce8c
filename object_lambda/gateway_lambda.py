"""The gateway as a Lambda function behind a function URL: `object_lambda.gateway_lambda.handler`.

For small answers: Lambda takes a whole answer of at most 6 MB. For large ones run the same app under uvicorn behind the Lambda Web
Adapter, with response streaming. Behind API Gateway's HTTP API a key with a `?` cannot be asked for, because the path arrives
decoded and cut there.

Signatures survive a function URL (of `AuthType: NONE`; with `AWS_IAM` it wants one for the service `lambda`, which no S3 client
makes). API Gateway's REST API drops an Authorization header that is not meant for it.

Variables: `BINDERY_MOUNTS`, one `BUCKET[/PREFIX]=ARCHIVE` a line; `AWS_REGION`; those of the store (`indexer.source.settings`); who
may read: `BINDERY_ACCESS_KEYS` (`object_lambda.key_documents`) or `BINDERY_ANONYMOUS=true`; `BINDERY_ENDPOINT`, the URL that
clients are given, where something in front of the function changes Host or path; `BINDERY_LIVE`, where keys that are not bound are
served from, one `BUCKET[/PREFIX]=s3://bucket/prefix` a line, and `BINDERY_OVERLAY=live` where loose objects go before bound ones.
"""

from __future__ import annotations

import asyncio
import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI
from mangum import Mangum
from starlette.types import Receive, Scope, Send

from indexer.errors import SettingInvalid
from indexer.source import AsyncSource
from indexer.source.route_async import open_async_source
from object_lambda.endpoint import UNCHANGED, Endpoint
from object_lambda.gateway import create_app
from object_lambda.gateway_access import access_by
from object_lambda.gateway_live import open_live_side
from object_lambda.gateway_replies import GatewaySettings
from object_lambda.key_documents import VARIABLE, keys_in
from object_lambda.mount_table import EXAMPLE, parse_live, parse_mount, winner_in
from object_lambda.wiring import ServiceSettings, new_service

BODY_BYTES: Final = 4_500_000
"""Longest body of one answer: Lambda takes 6 MB of JSON, in which four characters stand for three bytes."""

NEVER_TEXT: Final = ["\0"]
"""In no content type: Mangum then sends every body as base64, whose length is known beforehand, and never as escaped text."""

CHOICE: Final = f"Set {VARIABLE}, or BINDERY_ANONYMOUS=true"

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
    mounts = [parse_mount(line) for line in _lines(env, "BINDERY_MOUNTS")]
    if not mounts:
        raise SettingInvalid("nothing is mounted", hint=EXAMPLE, setting="BINDERY_MOUNTS")
    region = env.get("AWS_REGION") or "us-east-1"
    anonymous = env.get("BINDERY_ANONYMOUS", "").lower() == "true"
    access = access_by(keys_in(env), anonymous=anonymous, region=region, now=time.time, hint=CHOICE)
    endpoint = Endpoint.parse(env["BINDERY_ENDPOINT"]) if env.get("BINDERY_ENDPOINT") else UNCHANGED
    asyncio.set_event_loop(asyncio.new_event_loop())  # Mangum runs each call on the thread's loop, and does not make one
    service = new_service(mounts, clock=time.monotonic, settings=ServiceSettings())
    places = [parse_live(line) for line in _lines(env, "BINDERY_LIVE")]
    app = create_app(
        service,
        source,
        access=access,
        settings=GatewaySettings(region=region, body_bytes=BODY_BYTES, endpoint=endpoint),
        created_s=int(time.time()),
        live_side=open_live_side(service, places, winner_in(env), env),
    )
    return Mangum(RawPath(app), lifespan="off", text_mime_types=NEVER_TEXT)


def _lines(env: Mapping[str, str], name: str) -> list[str]:
    return [line.strip() for line in env.get(name, "").splitlines() if line.strip()]


@functools.cache
def _handler() -> Callable[[Event, Any], dict[str, Any]]:
    return make_handler(os.environ, open_async_source(os.environ))


def handler(event: Event, context: object) -> dict[str, Any]:
    """Answer one request that came through a function URL or API Gateway."""
    return _handler()(event, context)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _handler()  # while Lambda loads the function it gives it a whole core

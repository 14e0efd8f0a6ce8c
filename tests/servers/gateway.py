"""The gateway under uvicorn in a thread of the test's process: a test can replace an archive under its feet."""

import asyncio
import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tests.servers.process import HOST

if TYPE_CHECKING:  # the web framework costs 0.3 s, and most test processes start no gateway
    from mypy_boto3_s3 import S3Client

    from indexer.source import AsyncSource
    from object_lambda.access import Access
    from object_lambda.endpoint import Endpoint
    from object_lambda.gateway_replies import LiveSide
    from object_lambda.service import Service

REGION = "eu-central-1"
CREATED_S = 1_142_294_400
START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 60


@dataclass(frozen=True)
class Answer:
    """What came back over the wire. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class GatewayServer:
    """A running gateway; `path` is what its clients put before the bucket."""

    port: int
    path: str = ""
    _clients: "list[S3Client]" = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """The path-style endpoint."""
        return f"http://{HOST}:{self.port}{self.path}"

    @property
    def env(self) -> dict[str, str]:
        """The variables with which the aws command line may call; the endpoint has to be an option (Debian's 2.9)."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def s3(self) -> "S3Client":
        """A boto3 client, path style, no retries."""
        if not self._clients:
            client: S3Client = boto3.session.Session().client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=REGION,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
            )
            self._clients.append(client)
        return self._clients[0]

    def ask(self, target: str, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """Sends a request whose target is exactly what is given: no client normalises it."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        finally:
            connection.close()


@contextmanager
def running_gateway(
    service: "Service",
    source: "AsyncSource",
    *,
    body_bytes: int | None = None,
    access: "Access | None" = None,
    endpoint: "Endpoint | None" = None,
    live_side: "LiveSide | None" = None,
) -> "Iterator[GatewayServer]":
    """Starts a gateway over `service`, open to all unless `access` says otherwise; stops it when all its answers are finished."""
    import uvicorn

    from object_lambda.access import Anonymous
    from object_lambda.endpoint import UNCHANGED
    from object_lambda.gateway import create_app, listeners, server_config
    from object_lambda.gateway_replies import GatewaySettings

    settings = GatewaySettings(region=REGION, body_bytes=body_bytes, endpoint=endpoint or UNCHANGED)
    app = create_app(service, source, access=access or Anonymous(), settings=settings, created_s=CREATED_S, live_side=live_side)
    sockets = listeners(HOST, 0)
    server = uvicorn.Server(server_config(app))
    started = threading.Event()

    async def run() -> None:
        config = server.config
        config.load()
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets)
        started.set()
        await server.main_loop()
        await server.shutdown(sockets)
        if live_side is not None:
            live_side.live.close()
            await asyncio.sleep(0)  # for the transports to notice

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        assert started.wait(START_TIMEOUT_S), "the gateway did not start"
        yield GatewayServer(sockets[0].getsockname()[1])
    finally:
        server.should_exit = True  # what is under way is finished first
        thread.join(STOP_TIMEOUT_S)
        assert not thread.is_alive(), "the gateway did not stop"

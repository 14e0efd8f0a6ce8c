"""Two small HTTP servers in threads of the test process: one that writes down what passes through, one that follows a script."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.process import HOST

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Seen:
    """One request as it came in; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer to give.

    Args:
        status: HTTP status.
        headers: Sent as they are; Content-Length is added.
        body: The bytes to send.
        length: Content-Length when it is to differ from the body: the connection is closed after the body.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None


class HttpServer:
    """A running server; `seen` holds every request in the order of their arrival."""

    def __init__(self, answer: Callable[[Seen, bytes], Reply]) -> None:
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self.seen, answer))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self._server.server_port}"

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def recording(upstream_port: int) -> Iterator[HttpServer]:
    """A server that passes every request on to another one on this machine, and writes it down."""

    def pass_on(seen: Seen, body: bytes) -> Reply:
        upstream = http.client.HTTPConnection(HOST, upstream_port, timeout=60)
        try:
            upstream.request(seen.method, seen.path, body or None, seen.headers)
            answer = upstream.getresponse()
            data = answer.read()
        finally:
            upstream.close()
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in HOP_BY_HOP}
        if seen.method == "HEAD":
            return Reply(answer.status, headers, b"", int(answer.getheader("Content-Length") or 0))
        return Reply(answer.status, headers, data)

    server = HttpServer(pass_on)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def scripted(*replies: Reply) -> Iterator[HttpServer]:
    """A server that gives these answers in turn, the last one for ever."""
    remaining = list(replies)
    lock = threading.Lock()

    def next_reply(seen: Seen, body: bytes) -> Reply:
        with lock:
            return remaining.pop(0) if len(remaining) > 1 else remaining[0]

    server = HttpServer(next_reply)
    try:
        yield server
    finally:
        server.close()


def _handler(seen: list[Seen], answer: Callable[[Seen, bytes], Reply]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one segment, or the client's delayed acknowledgement costs 40 ms

        def do_GET(self) -> None:
            request = Seen(self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
            seen.append(request)
            reply = answer(request, self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            self.end_headers()
            self.wfile.write(reply.body)
            if reply.length is not None and self.command != "HEAD":
                self.close_connection = True

        do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names http.server looks for

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                self.close_connection = True  # the client gave up first, as it should after some of the answers

        def finish(self) -> None:
            try:
                super().finish()
            except ConnectionError:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as http.server has it
            """Nothing: what came in is in `seen`."""

    return Handler

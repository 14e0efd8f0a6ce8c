"""A store that misbehaves by plan: an HTTP proxy before the emulator that counts requests and spoils the one it is told to."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.servers.ministack import Ministack
from tests.servers.process import HOST

REFUSED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>by plan</Message></Error>"


class Proxy:
    """What passes through it, and what happens to it.

    Attributes:
        seen: Method and path of every request, in the order they came.
        spoil: Called with each request's number and name; tells what to do with it: "" to pass it on, "refuse" to answer 403 in its
            place, "lose" to pass it on and drop the connection instead of answering.
    """

    def __init__(self, port: int) -> None:
        self.seen: list[str] = []
        self.spoil: Callable[[int, str], str] = lambda number, name: ""
        self.endpoint = f"http://{HOST}:{port}"
        self._lock = threading.Lock()

    def count(self, name: str) -> str:
        with self._lock:
            number = len(self.seen)
            self.seen.append(name)
        return self.spoil(number, name)

    def env(self, server: Ministack) -> dict[str, str]:
        """The variables with which a client reaches `server` through this."""
        return {**server.env, "AWS_ENDPOINT_URL": self.endpoint}


@contextmanager
def proxy(server: Ministack) -> Iterator[Proxy]:
    """A proxy before `server`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            what = state.count(f"{self.command} {self.path}")
            if what == "refuse":
                self.send_response(403)
                self.send_header("Content-Length", str(len(REFUSED)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(REFUSED)
                return
            onward = http.client.HTTPConnection(HOST, server.port, timeout=30)
            try:
                onward.request(self.command, self.path, body, dict(self.headers))
                answer = onward.getresponse()
                data = answer.read()
            finally:
                onward.close()
            if what == "lose":
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "server", "date"):
                    self.send_header(name, value)
            told = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", told or "0")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815 - the base class's names

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None: ...

    with Quiet((HOST, 0), Handler) as listening:
        state = Proxy(listening.server_address[1])
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            listening.shutdown()
            thread.join()

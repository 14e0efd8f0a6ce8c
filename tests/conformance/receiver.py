"""The other end of WriteGetObjectResponse: takes what a function sends, each token once, as S3 Object Lambda does."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

PATH: Final = "/WriteGetObjectResponse"
FORWARDED: Final = "x-amz-fwd-header-"


@dataclass(frozen=True)
class Response:
    """One call of WriteGetObjectResponse. Names of headers are in lower case."""

    headers: Mapping[str, str]
    body: bytes
    """As much of it as came: less than Content-Length says when the function broke it off."""


class Receiver:
    """Keeps the responses until they are taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: set[str] = set()
        self._responses: dict[str, list[Response]] = {}

    def expect(self, token: str) -> None:
        """An event with this token is about to be sent."""
        with self._lock:
            self._open.add(token)
            self._responses[token] = []

    def receive(self, response: Response) -> bool:
        """Whether the token was good; whatever came for a token once given out is kept all the same."""
        token = response.headers.get("x-amz-request-token", "")
        with self._lock:
            self._responses.setdefault(token, []).append(response)
            good = token in self._open
            self._open.discard(token)
            return good

    def take(self, token: str) -> list[Response]:
        """All responses that came for the token."""
        with self._lock:
            self._open.discard(token)
            return self._responses.pop(token)


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0) -> Iterator[tuple[Receiver, str]]:
    """Listens; the receiver, and the endpoint that the function has to be given."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            good = self.path == PATH and receiver.receive(Response(self._names(), self._body()))
            error = b"" if good else b"<Error><Code>InvalidHostHeader</Code></Error>"
            self.send_response(200 if good else 400)
            self.send_header("Content-Length", str(len(error)))
            self.end_headers()
            self.wfile.write(error)

        def _names(self) -> dict[str, str]:
            return {name.lower(): value for name, value in self.headers.items()}

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers
                pass
            return body

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver, f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A relay of bytes between a client and a door, which counts the requests that go by and changes nothing."""

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import parse_qs

from tests.servers.process import HOST

END: Final = b"\r\n\r\n"
SUBRESOURCES: Final = {"location": "GetBucketLocation", "versioning": "GetBucketVersioning", "policy": "GetBucketPolicy"}


@dataclass(frozen=True)
class Request:
    """What a request asks for. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def operation(self) -> str:
        """The S3 operation, and whether it asks for a range: `ranged GetObject`."""
        path, _, query = self.target.partition("?")
        _, bucket, *key = path.split("/", 2)
        names = parse_qs(query, keep_blank_values=True)
        if bucket == "favicon.ico":  # which browsers ask every host for
            return "favicon"
        if not bucket:
            return "ListBuckets"
        if not any(key):
            named = [operation for name, operation in SUBRESOURCES.items() if name in names]
            listing = "ListObjectsV2" if "list-type" in names else "ListObjects"
            return "HeadBucket" if self.method == "HEAD" else (named or [listing])[0]
        if self.method not in {"GET", "HEAD"}:
            return f"{self.method} of an object"
        operation = f"{self.method.capitalize()}Object"
        return f"ranged {operation}" if "range" in self.headers else operation


def told(requests: Sequence[Request]) -> str:
    """How many of which, the same for the same requests in any order."""
    counted = Counter(request.operation for request in requests)
    return ", ".join(f"{count} {operation}" for operation, count in sorted(counted.items())) or "no request"


class Heads:
    """Finds the requests in the bytes of one connection, however they are cut. Bodies are told by Content-Length."""

    def __init__(self) -> None:
        self._held = b""
        self._body_bytes = 0

    def feed(self, data: bytes) -> Iterator[Request]:
        """The requests whose heads end in `data`."""
        self._held += data
        while True:
            skipped = min(self._body_bytes, len(self._held))
            self._body_bytes -= skipped
            self._held = self._held[skipped:]
            head, end, rest = self._held.partition(END)
            if self._body_bytes or not end:
                return
            self._held = rest
            line, *fields = head.decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
            self._body_bytes = int(headers.get("content-length", "0"))
            yield Request(method, target, headers)


class Relay:
    """Listens until closed; what comes in on a connection goes to `port`, and back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._requests: list[Request] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """What clients are given for the door's own address."""
        return f"http://{HOST}:{self.port}"

    @property
    def seen(self) -> Sequence[Request]:
        """The requests since `take`."""
        return self._requests

    def take(self) -> list[Request]:
        """The requests since the last call."""
        taken, self._requests = self._requests, []
        return taken

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((HOST, self._to))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # small answers at once, as the door sends them
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        heads = Heads()
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                self._requests.extend(heads.feed(data))  # before it is sent on: counted is what may have been answered
                server.sendall(data)
        _shut(server)


def _pump(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 18):
            client.sendall(data)
    _shut(client)
    # The other direction may still stand in recv: both ends are told, and closed with their last reference.
    _shut(server)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

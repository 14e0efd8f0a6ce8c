"""A server that keeps what it was sent, byte for byte, and answers what it is told: the other end of WriteGetObjectResponse."""

import socket
import ssl
import threading
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Connection:
    """One connection: all that came over it, and those of its requests that were whole."""

    received: bytearray = field(default_factory=bytearray)
    requests: list[bytes] = field(default_factory=list)


class Recorder:
    """Listens on loopback until closed. Each request is answered with the next of `answers`, the last of them again and again.

    An answer of None closes the connection instead; `closes` does so after each answer.
    """

    def __init__(
        self, answers: list[bytes | None] | None = None, *, closes: bool = False, tls: ssl.SSLContext | None = None
    ) -> None:
        self.connections: list[Connection] = []
        self.closed = threading.Semaphore(0)
        self._answers = answers or [OK]
        self._closes = closes
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        """All whole requests, in the order of their connections."""
        return [request for connection in self.connections for request in connection.requests]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            connection = Connection()
            self.connections.append(connection)
            threading.Thread(target=self._serve, args=(peer, connection), daemon=True).start()

    def _serve(self, peer: socket.socket, connection: Connection) -> None:
        try:
            with self._tls.wrap_socket(peer, server_side=True) if self._tls else peer as stream:
                done = 0
                while data := stream.recv(1 << 16):
                    connection.received += data
                    while request := whole_request(bytes(connection.received[done:])):
                        done += len(request)
                        connection.requests.append(request)
                        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
                        if answer is None:
                            return
                        stream.sendall(answer)
                        if self._closes:
                            return
        except OSError:
            pass
        finally:
            self.closed.release()


def whole_request(data: bytes) -> bytes:
    """The first request in `data` with its body by Content-Length; empty when it is not all there."""
    head, blank, body = data.partition(b"\r\n\r\n")
    lengths = [int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    length = lengths[0] if lengths else 0
    if not blank or len(body) < length:
        return b""
    return head + blank + body[:length]

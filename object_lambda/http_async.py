"""A small HTTP/1.1 client on an event loop: sends a target exactly as it is spelled, and hands out a body as it comes.

h11 (which uvicorn brings along) speaks the protocol, asyncio moves the bytes. obstore, which reads archives, cannot ask for keys
with `//`, a leading `/` or control characters, nor pass a caller's own headers through; general clients normalise paths.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import h11

from indexer.errors import StoreFailed

CONNECT_TIMEOUT_S: Final = 3.0
SILENCE_TIMEOUT_S: Final = 20.0
"""How long the other side may say nothing while we wait for it."""

IDLE_S: Final = 15.0
"""A connection that stood idle for longer is not used again: S3 closes them after about 20 s."""

IDLE_CONNECTIONS: Final = 64
"""Most connections kept to one server."""

READ_BYTES: Final = 64 << 10
"""Most bytes taken off a connection at once, so what one body takes in memory."""


class Origin(NamedTuple):
    """A server. `host` is as the Host header has it: with a port only when it is not the scheme's own."""

    secure: bool
    host: str

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        name, colon, port = self.host.rpartition(":")
        if not colon or port.endswith("]"):
            name, port = self.host, "443" if self.secure else "80"
        return name.strip("[]"), int(port)


class Response:
    """An answer whose head has come; the body is iterated, or closed, or both.

    Attributes:
        status: HTTP status.
        headers: As they came, names in lower case.
    """

    def __init__(self, connection: _Connection, head: h11.Response) -> None:
        self.status = head.status_code
        self.headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers]
        self._connection = connection

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Hand out the body. Raises StoreFailed when it breaks off."""
        while True:
            event = await self._connection.next_event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    async def aclose(self) -> None:
        """Give the connection back if the body is at its end, else hang up. To be called once, whatever happened."""
        self._connection.release()

    async def read(self, most_bytes: int) -> bytes:
        """The whole body; closes. Raises StoreFailed, also when it is longer than `most_bytes`."""
        pieces: list[bytes] = []
        length = 0
        try:
            async for piece in self:
                length += len(piece)
                if length > most_bytes:
                    raise StoreFailed("the store's answer is longer than any should be", hint="Check the endpoint")
                pieces.append(piece)
        finally:
            await self.aclose()
        return b"".join(pieces)


class HttpClient:
    """Sends requests over kept connections. All its users are tasks of one event loop.

    Args:
        tls: For servers that want it; None to speak to none of those.
    """

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._idle: dict[Origin, list[_Connection]] = {}

    async def send(self, origin: Origin, method: str, target: str, headers: Sequence[tuple[str, str]]) -> Response:
        """Send a request without a body, and wait for the head of its answer.

        A kept connection that turns out to be closed is replaced once: the request did not reach anyone.

        Args:
            origin: The server.
            method: `GET` or `HEAD`.
            target: Path and query, percent-encoded.
            headers: `Host` included.

        Raises:
            StoreFailed: There is no connection, or no answer on it.
        """
        request = h11.Request(method=method, target=target, headers=list(headers))
        idle = self._idle.setdefault(origin, [])
        now = asyncio.get_running_loop().time()
        while idle:
            kept = idle.pop()
            if not kept.usable(now):
                kept.close()
                continue
            try:
                return await kept.exchange(request)
            except _Unheard:
                break
        connection = await _Connection.open(origin, self._tls, idle)
        try:
            return await connection.exchange(request)
        except _Unheard as error:
            raise StoreFailed("the store hung up without an answer", hint="Try again later", host=origin.host) from error

    def close(self) -> None:
        """Close all idle connections."""
        for idle in self._idle.values():
            while idle:
                idle.pop().close()


class _Unheard(Exception):
    """The connection ended before the first byte of an answer."""


class _Connection:
    """One connection, which carries one request after the other."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, home: list[_Connection]) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer
        self._home = home
        self._protocol = h11.Connection(h11.CLIENT)
        self._idle_since_s = 0.0
        self._heard = False

    @classmethod
    async def open(cls, origin: Origin, tls: ssl.SSLContext | None, home: list[_Connection]) -> _Connection:
        host, port = origin.address
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_connection(host, port, ssl=tls if origin.secure else None, limit=READ_BYTES)
        except (OSError, ValueError) as error:  # a time-out is an OSError
            raise StoreFailed(f"the store cannot be reached: {error}", hint="Check the endpoint", host=origin.host) from error
        return cls(origin.host, reader, writer, home)

    def usable(self, now: float) -> bool:
        """Whether it is worth a try: the other side has not hung up, nor had time to think of it."""
        return now - self._idle_since_s < IDLE_S and not self._reader.at_eof() and not self._writer.is_closing()

    async def exchange(self, request: h11.Request) -> Response:
        """Send a request; the head of its answer. Raises _Unheard, StoreFailed; then the connection is closed."""
        try:
            self._heard = False
            try:
                self._writer.write((self._protocol.send(request) or b"") + (self._protocol.send(h11.EndOfMessage()) or b""))
                await self._writer.drain()
            except OSError as error:
                raise _Unheard from error
            while True:
                event = await self.next_event()
                if isinstance(event, h11.Response):
                    return Response(self, event)
        except BaseException:
            self.close()
            raise

    async def next_event(self) -> h11.Event:
        """What comes next. Raises StoreFailed, or _Unheard where nothing has come at all."""
        try:
            while True:
                event = self._protocol.next_event()
                if isinstance(event, h11.Event):
                    return event
                async with asyncio.timeout(SILENCE_TIMEOUT_S):
                    data = await self._reader.read(READ_BYTES)
                if not data and not self._heard:
                    raise _Unheard
                self._heard = True
                self._protocol.receive_data(data)
        except (OSError, h11.RemoteProtocolError) as error:
            if isinstance(error, ConnectionError) and not self._heard:
                raise _Unheard from error
            raise StoreFailed(f"the store's answer broke off: {error!r}", hint="Try again", host=self._host) from error

    def release(self) -> None:
        """Keep the connection for the next request where that is possible, else close it."""
        if self._writer.is_closing():
            return
        if (
            self._protocol.our_state is not h11.DONE
            or self._protocol.their_state is not h11.DONE
            or len(self._home) >= IDLE_CONNECTIONS
        ):
            self.close()
            return
        self._protocol.start_next_cycle()
        self._idle_since_s = asyncio.get_running_loop().time()
        self._home.append(self)

    def close(self) -> None:
        """Hang up."""
        self._writer.close()

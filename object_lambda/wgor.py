"""WriteGetObjectResponse: the request with which the handler sends S3 Object Lambda the answer to a GetObject.

The token that comes with an event is good for one request, so nothing is ever sent again. The length of a body is told before
it, and when it breaks off, so does the connection: the caller sees that bytes are missing, never a short body that looks whole.

http.client, because a boto3 client takes 185 ms to load and make, and would hash or buffer a body that cannot be read twice
(docs/decisions/0007-own-signer-for-the-handler.md).
"""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Final

from indexer.errors import StoreFailed
from object_lambda.kept_connection import KeptConnection, certificates
from object_lambda.signing import signed
from object_lambda.wgor_endpoint import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from http.client import HTTPConnection

    from object_lambda.wgor_endpoint import Endpoint

TIMEOUT_S: Final = 60.0
"""A caller of S3 Object Lambda waits no longer for the whole answer."""

TOLD_BYTES: Final = 500
"""How much of a refusal's document is put into the error."""


class ResponseWriter:
    """Sends answers, over one kept connection where that is still open.

    Args:
        endpoint: Where to, and as whom.
        clock: Seconds since 1970 (`time.time`): signatures tell the time, and a process that was frozen must notice it.
    """

    def __init__(self, endpoint: Endpoint, *, clock: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._connections = KeptConnection(endpoint.ca_bundle, timeout_s=TIMEOUT_S, clock=clock)
        if endpoint.secure:
            certificates(endpoint.ca_bundle)

    def write(self, route: str, token: str, headers: Sequence[tuple[str, str]], body: Iterable[bytes]) -> None:
        """Send one answer.

        Args:
            route: The event's `outputRoute`.
            token: The event's `outputToken`.
            headers: As `wgor_headers` makes them, `Content-Length` among them.
            body: Its pieces; together of that length.

        Raises:
            StoreFailed: The answer did not arrive, or was refused; the caller gets an error, or a body cut short.
            ValueError: The body has another length than was told; the connection was broken off.
            Exception: Whatever `body` raises; the connection was broken off.
        """
        address = self._endpoint.address(route)
        length = next(int(value) for name, value in headers if name == "Content-Length")
        request = signed(
            [("Host", address.host), ("x-amz-request-route", route), ("x-amz-request-token", token), *headers],
            self._endpoint.credentials,
            method="POST",
            path=address.path,
            service=SERVICE,
            region=self._endpoint.region,
            timestamp=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._clock())),
        )
        connection = self._connections.take(address.host, secure=self._endpoint.secure)
        try:
            try:
                connection.putrequest("POST", address.path, skip_host=True, skip_accept_encoding=True)
                for name, value in request:
                    connection.putheader(name, value)
                connection.endheaders()
                _send(connection, body, length)
                with connection.getresponse() as response:
                    status, told = response.status, response.read(TOLD_BYTES)
                    lasts = not response.will_close and not response.read(1)
            except (OSError, HTTPException) as error:
                raise StoreFailed(f"the response could not be sent: {error!r}", hint="The caller has to ask again") from error
            if status != 200:
                text = " ".join(told.decode(errors="replace").split())
                raise StoreFailed(f"the response was refused with {status}: {text}", hint="Check the function's role")
        except BaseException:
            connection.close()
            raise
        if lasts:
            self._connections.keep(connection, address.host, secure=self._endpoint.secure)
        else:
            connection.close()


def _send(connection: HTTPConnection, body: Iterable[bytes], length: int) -> None:
    """Send a body, never more than was announced. What completes it is held back until the body has ended without a fault.

    Raises:
        ValueError: It is shorter or longer than `length`.
    """
    sent = 0
    last = b""
    for piece in body:
        sent += len(piece)
        if sent > length:
            break
        if sent < length:
            connection.send(piece)
        elif piece:
            last = piece
    if sent != length:
        raise ValueError(f"the body has {'at least ' if sent > length else ''}{sent} bytes, not the {length} that were announced")
    connection.send(last)

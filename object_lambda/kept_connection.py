"""One HTTP connection that outlives its request, for a handler that answers one event after the other."""

from __future__ import annotations

import functools
import ssl
from http.client import HTTPConnection, HTTPSConnection
from select import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

IDLE_S: Final = 20.0
"""A connection that stood idle for longer is not used again: the other side may be about to close it."""


@functools.cache
def certificates(ca_bundle: str | None) -> ssl.SSLContext:
    """Trusts a file's certificates, or the system's. Reading them takes 17 ms: done once, when a Lambda function starts."""
    return ssl.create_default_context(cafile=ca_bundle)


class KeptConnection:
    """The connection that was used last, if it can be used once more.

    Args:
        ca_bundle: A file of certificates to trust in place of the system's.
        timeout_s: How long the other side may be silent.
        clock: Seconds since 1970 (`time.time`): a process that was frozen must notice it.
    """

    def __init__(self, ca_bundle: str | None, *, timeout_s: float, clock: Callable[[], float]) -> None:
        self._ca_bundle = ca_bundle
        self._timeout_s = timeout_s
        self._clock = clock
        self._kept: tuple[bool, str, HTTPConnection, float] | None = None

    def take(self, host: str, *, secure: bool) -> HTTPConnection:
        """A connection to `host`: the kept one if it leads there and the other side has neither closed it nor spoken."""
        kept, self._kept = self._kept, None
        if kept is not None:
            there_secure, there, connection, since_s = kept
            idle_s = self._clock() - since_s
            same = (there_secure, there) == (secure, host) and 0 <= idle_s < IDLE_S
            if same and connection.sock and not select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        if not secure:
            return HTTPConnection(host, timeout=self._timeout_s)
        return HTTPSConnection(host, timeout=self._timeout_s, context=certificates(self._ca_bundle))

    def keep(self, connection: HTTPConnection, host: str, *, secure: bool) -> None:
        """Keep a connection whose last answer was read to its end."""
        if self._kept is not None:
            self._kept[2].close()
        self._kept = (secure, host, connection, self._clock())

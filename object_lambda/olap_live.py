"""Object Lambda's live side: bound and loose objects in one view, for one event after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from object_lambda.kept_connection import KeptConnection
from object_lambda.list_seal import Seal
from object_lambda.live import LivePlace, LivePlaces
from object_lambda.live_drivers import run_overlaid
from object_lambda.live_presigned import EventLive
from object_lambda.mounts import ANY_BUCKET
from object_lambda.overlay import Overlay, Winner

if TYPE_CHECKING:
    from collections.abc import Callable

    from indexer.source import Source
    from object_lambda.answers import ListAnswer, ObjectAnswer
    from object_lambda.live import LiveAnswer
    from object_lambda.olap_event import Event
    from object_lambda.overlay import Bound
    from object_lambda.requests import ListRequest, ObjectRequest
    from object_lambda.signing import Credentials

TIMEOUT_S: Final = 20.0
"""How long the live side may be silent: a caller of S3 Object Lambda waits no longer than 60 s in all."""

BENEATH: Final = LivePlaces([LivePlace(ANY_BUCKET, b"", ANY_BUCKET, b"")])
"""All of the access point's bucket lies beneath all mounts; the presigned URL says where that is."""


class LiveDoor:
    """Answers events from both sides.

    Args:
        bound: Answers for what is bound.
        source: Where archives and indexes are read.
        winner: Which object is served where a key has both.
        seal: Writes and reads the continuation tokens of version 2.
        credentials: The function's own role.
        ca_bundle: A file of certificates to trust in place of the system's.
        clock: Seconds since 1970 (`time.time`).
    """

    def __init__(
        self,
        bound: Bound,
        source: Source,
        *,
        winner: Winner,
        seal: Seal,
        credentials: Credentials,
        ca_bundle: str | None,
        clock: Callable[[], float],
    ) -> None:
        self._overlay = Overlay(bound, BENEATH, winner)
        self._source = source
        self._seal = seal
        self._credentials = credentials
        self._connections = KeptConnection(ca_bundle, timeout_s=TIMEOUT_S, clock=clock)
        self._clock = clock

    def get(self, request: ObjectRequest, asked: Event) -> ObjectAnswer | LiveAnswer:
        """GetObject. Raises and costs as `Overlay.get`."""
        return run_overlaid(self._overlay.get(request), self._source, self._live(asked, proven=False))

    def head(self, request: ObjectRequest, asked: Event) -> ObjectAnswer | LiveAnswer:
        """HeadObject. Raises and costs as `Overlay.head`."""
        return run_overlaid(self._overlay.head(request), self._source, self._live(asked, proven=False))

    def listing(self, asked: Event) -> Callable[[ListRequest], ListAnswer]:
        """What lists for one event, once or again with fewer keys; the live side is asked once for both.

        Raises:
            InvalidArgument: The token was not written for this caller and this listing.
        """
        request = asked.list_request()
        holder = _holder(asked, request)
        after, proven_s = request.after, None
        if request.token:
            after, proven_s = self._seal.open(request.token, holder, now_s=self._clock())
        live = self._live(asked, proven=proven_s is not None)

        def listed(request: ListRequest) -> ListAnswer:
            answer = run_overlaid(self._overlay.list(replace(request, after=after, token=None)), self._source, live)
            if answer.last is None:
                return answer
            let_in_s = int(self._clock()) if proven_s is None else proven_s
            return replace(answer, token=self._seal.close(answer.last, holder, let_in_s))

        return listed

    def _live(self, asked: Event, *, proven: bool) -> EventLive:
        return EventLive(asked, self._connections, self._credentials, clock=self._clock, proven=proven)


def _holder(asked: Event, request: ListRequest) -> bytes:
    """Who lists what: a token is good for that alone."""
    told = (asked.identity.encode(), asked.access_point.encode(), request.prefix, request.delimiter)
    return b"".join(b"%d:%s" % (len(part), part) for part in told)

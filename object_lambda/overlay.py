"""Bound and loose objects in one view: what is not bound is served from the live prefix beneath the mount. Pure.

Objects are bound, told of in a catalog or an index, and only then deleted where they lay loose. So a key that exists all the time
is in one of two places, and which one may change between our two questions. It is seen in every case because the loose side is
asked first, and what is then believed of the bound side was asked of the store afterwards (`Service.doubt`): a key that was gone
from the loose side had been bound before that. Where the bound side is asked first (GET, where it wins), a key found on neither is
looked for once more on the bound side (docs/decisions/0014-overlay.md).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple, Protocol, cast

from indexer.asks import Steps
from indexer.errors import StoreFailed
from indexer.limits import NAME_BYTES
from object_lambda.answers import Entry, ListAnswer, ObjectAnswer
from object_lambda.keys import successor
from object_lambda.listing import after_of
from object_lambda.live import LiveAnswer, LiveList, LiveObject, LivePage, LivePlace, LivePlaces, OverlaySteps
from object_lambda.requests import LIST_KEYS, ListRequest, ObjectRequest
from object_lambda.s3_errors import LiveRefusal, NoSuchKey


class Winner(enum.StrEnum):
    """Which of two objects of one key is served."""

    BOUND = "bound"
    LIVE = "live"


class Bound(Protocol):
    """What an overlay needs of the service beneath it (`service.Service`)."""

    def get(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """GetObject; NoSuchKey for what is not bound."""
        ...

    def head(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """HeadObject, likewise."""
        ...

    def list(self, request: ListRequest) -> Steps[ListAnswer]:
        """One page of what is bound."""
        ...

    def doubt(self, bucket: str) -> None:
        """What is told of a bucket from now on is asked of the store after now."""
        ...


class Part(NamedTuple):
    """One side's share of a page: its keys and common prefixes in byte order, all there are up to `last` (None: to the end)."""

    items: Sequence[tuple[bytes, Entry | None]]
    last: bytes | None


ROUNDS: Final = 100
"""Most live pages for one page of ours. One is enough, but a store may answer fewer keys than it is asked for, and a delimiter that
begins in the mount's prefix is looked for here. A store that never comes to an end must not keep us for ever."""


class Overlay:
    """Reads objects, bound ones and loose ones.

    Args:
        bound: Answers for what is bound.
        places: The live prefixes.
        winner: Which object is served where a key has both.
    """

    def __init__(self, bound: Bound, places: LivePlaces, winner: Winner = Winner.BOUND) -> None:
        self._bound = bound
        self._places = places
        self._winner = winner

    def get(self, request: ObjectRequest) -> OverlaySteps[ObjectAnswer | LiveAnswer]:
        """GetObject.

        Raises:
            S3Error: As `Service.get`, and what the live side refuses with (`LiveRefusal`); its 404 is `NoSuchKey`.
            BinderyError: As `Service.get`; StoreFailed and AccessRefused of the live side too.

        Cost:
            What the bound side costs. For a key that is not bound one live request; if that finds nothing either, one HEAD. Where
            the live side wins, one live request first.
        """
        return (yield from self._object("GET", request, self._bound.get))

    def head(self, request: ObjectRequest) -> OverlaySteps[ObjectAnswer | LiveAnswer]:
        """HeadObject. Raises and costs as `get`."""
        return (yield from self._object("HEAD", request, self._bound.head))

    def _object(
        self, method: str, request: ObjectRequest, bound: Callable[[ObjectRequest], Steps[ObjectAnswer]]
    ) -> OverlaySteps[ObjectAnswer | LiveAnswer]:
        place = self._places.covering(request.bucket, request.key)
        if place is None:
            return (yield from bound(request))
        live = LiveObject(method, place.source_bucket, place.source_key(request.key), request)
        if self._winner is Winner.BOUND:
            try:
                return (yield from bound(request))
            except NoSuchKey:
                pass
        try:
            return cast(LiveAnswer, (yield live))
        except LiveRefusal as error:
            # A store that does not let us list says 403 of a key that is not there.
            if error.http_status not in {403, 404}:
                raise
            refused = error
        if self._winner is Winner.LIVE:
            try:
                return (yield from bound(request))
            except NoSuchKey:
                pass
        self._bound.doubt(request.bucket)
        try:
            return (yield from bound(request))
        except NoSuchKey:
            if refused.http_status == 404:
                raise
            raise refused from None

    def list(self, request: ListRequest) -> OverlaySteps[ListAnswer]:
        """ListObjects and ListObjectsV2 over both sides, each key and each common prefix once.

        Raises:
            S3Error: As `Service.list`, and what the live side refuses with.
            BinderyError: As `Service.list`; StoreFailed and AccessRefused of the live side too.

        Cost:
            One live request, and what the bound side costs with a HEAD for each index or catalog it reads. More live requests only
            where the store answers fewer keys than it was asked for, or the page reaches into another live prefix.
        """
        places = self._places.of(request.bucket)
        after = after_of(request)
        if not places or not request.max_keys:
            return (yield from self._bound.list(request))
        found: list[tuple[bytes, Entry | None]] = []
        for _ in range(ROUNDS):
            room = request.max_keys - len(found)
            loose = yield from self._loose(places, request, after, room)
            self._bound.doubt(request.bucket)
            bound = _of_answer((yield from self._bound.list(replace(request, after=after, token=None, max_keys=room))))
            items, last = merged(bound, loose) if self._winner is Winner.BOUND else merged(loose, bound)
            found += items[:room]
            if last is None or len(items) >= room:
                more = last is not None or len(items) > room
                return _answer(request, found, more=more)
            after = last if after is None else max(after, last)
        raise StoreFailed("the live prefix tells its keys too slowly", hint="Ask for fewer keys", bucket=request.bucket)

    def _loose(self, places: Sequence[LivePlace], request: ListRequest, after: bytes | None, want: int) -> OverlaySteps[Part]:
        """The loose side's share of a page that begins after `after`, `want` long unless there are no more."""
        parts: list[tuple[bytes, Entry | None]] = []
        for place in places:
            ask = asked_of(place, request, after, max(want - len(parts), 1))
            if ask is None:
                continue
            page = cast(LivePage, (yield ask))
            part = _of_page(place, page, request, after)
            parts += [item for item in part.items if not parts or item[0] > parts[-1][0]]
            if part.last is not None:
                return Part(parts, part.last)
            if len(parts) > want:
                return Part(parts, parts[-1][0])
        return Part(parts, None)


def asked_of(place: LivePlace, request: ListRequest, after: bytes | None, want: int) -> LiveList | None:
    """What to ask of a live prefix for a page of `request` that begins after `after`; None when none of its keys can be in it."""
    prefix, delimiter = request.prefix, request.delimiter
    if prefix.startswith(place.prefix):
        source_prefix = place.source_key(prefix)
    elif place.prefix.startswith(prefix):
        source_prefix = place.source_prefix
        rolled = _rolled(place.prefix, prefix, delimiter)
        if rolled is not None:  # all its keys are one common prefix: one of them is enough to know
            told = after is not None and after >= rolled
            return None if told else LiveList(place.source_bucket, source_prefix, b"", b"", 1)
        if delimiter and any(place.prefix[len(prefix) :].endswith(delimiter[:length]) for length in range(1, len(delimiter))):
            delimiter, want = b"", LIST_KEYS  # it may begin in our prefix and end in the key, which the store cannot know
    else:
        return None
    stop = successor(place.prefix)
    if after is None or after < place.prefix:
        # The live prefix itself may be a key (a folder's marker), and would have no name where the mount has no prefix.
        source_after = b"" if place.prefix or prefix else place.source_prefix
    elif stop is not None and after >= stop:
        return None
    else:
        source_after = place.source_key(after)
    return LiveList(place.source_bucket, source_prefix, delimiter, source_after, want)


def merged(first: Part, second: Part) -> Part:
    """Both parts in one order, as far as both are complete. Of what both have, that of `first`."""
    lasts = [part.last for part in (first, second) if part.last is not None]
    last = min(lasts) if lasts else None
    by_key = dict(second.items) | dict(first.items)
    return Part([(key, by_key[key]) for key in sorted(by_key) if last is None or key <= last], last)


def _of_answer(answer: ListAnswer) -> Part:
    items = [*((entry.key, entry) for entry in answer.entries), *((prefix, None) for prefix in answer.prefixes)]
    return Part(items, answer.last)


def _of_page(place: LivePlace, page: LivePage, request: ListRequest, after: bytes | None) -> Part:
    """A page of the live side under the keys that callers know, as far as they come after `after`."""
    strip = len(place.source_prefix)
    items: dict[bytes, Entry | None] = {}
    for prefix in page.prefixes:
        items[place.prefix + prefix[strip:]] = None
    for entry in page.entries:
        key = place.prefix + entry.key[strip:]
        rolled = _rolled(key, request.prefix, request.delimiter)
        if 0 < len(key) <= NAME_BYTES:
            items[rolled or key] = None if rolled else entry._replace(key=key)
    last = None if page.last is None else place.prefix + page.last[strip:]
    if last is not None and (covered := _rolled(place.prefix, request.prefix, request.delimiter)) is not None:
        last = None if covered in items else last
    return Part([(key, items[key]) for key in sorted(items) if after is None or key > after], last)


def _rolled(key: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """The common prefix that a key is told as, if any."""
    found = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if found < 0 else key[: found + len(delimiter)]


def _answer(request: ListRequest, items: Sequence[tuple[bytes, Entry | None]], *, more: bool) -> ListAnswer:
    entries = [entry for _, entry in items if entry is not None]
    prefixes = [key for key, entry in items if entry is None]
    return ListAnswer(request, entries, prefixes, items[-1][0] if more else None)

"""ListObjects in both versions, over anything that can hand out keys in byte order from a given one on."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from indexer.asks import Steps
from indexer.model import Member
from object_lambda.answers import Entry, ListAnswer
from object_lambda.keys import successor
from object_lambda.requests import ListRequest
from object_lambda.s3_errors import InvalidArgument

TOKEN_VERSION: Final = b"\x01"


class Run(NamedTuple):
    """Consecutive keys of one mount.

    Attributes:
        prefix: What stands before every member's name to make its key.
        members: In byte order, each with the ETag it is served with.
        next: Where to go on: no key between the last member's and this one is there; None when no key follows.
    """

    prefix: bytes
    members: Sequence[Member]
    next: bytes | None

    def entries(self, start: int, stop: int) -> list[Entry]:
        """The members `[start, stop)` as a listing tells them."""
        prefix = self.prefix
        return [Entry(prefix + member.name, member.size, member.etag or "", member.mtime_s) for member in self.members[start:stop]]

    def first_at(self, key: bytes, start: int) -> int:
        """The place, from `start` on, of the first member whose key is not less than `key`."""
        return bisect_left(self.members, key, lo=start, key=lambda member: self.prefix + member.name)


class View(Protocol):
    """What is listed: the keys of a bucket in byte order."""

    def begins(self, at: bytes) -> bytes | None:
        """What the first keys not less than `at` begin with, as far as that is known without a request; None at the end."""
        ...

    def run(self, at: bytes, want: int) -> Steps[Run]:
        """Keys not less than `at`: about `want` of them, fewer (or none) before a `next`."""
        ...


def page(view: View, request: ListRequest) -> Steps[ListAnswer]:
    """One page of a listing.

    Raises:
        InvalidArgument: The continuation token is none of ours.

    Cost:
        Without a delimiter, one window of the keys it returns. With one, a window for each common prefix that is returned and
        does not lie in the window before: what a prefix holds is stepped over, not read.
    """
    after = after_of(request)
    if request.max_keys == 0:
        return ListAnswer(request, [], [])
    pages = _Page(view, request)
    at = _first(request.prefix, request.delimiter, after)
    yield from pages.fill(at) if request.delimiter else pages.fill_flat(at)
    return ListAnswer(request, pages.entries, pages.prefixes, pages.last if pages.full else None)


class _Page:
    """A page while it is filled."""

    def __init__(self, view: View, request: ListRequest) -> None:
        self.view = view
        self.prefix, self.delimiter = request.prefix, request.delimiter
        self.stop = successor(request.prefix)
        self.room = request.max_keys
        self.entries: list[Entry] = []
        self.prefixes: list[bytes] = []
        self.last = b""
        self.full = False
        """Whether something was found that had no room."""

    def fill_flat(self, at: bytes | None) -> Steps[None]:
        """Take keys as they come."""
        while at is not None and self._begins(at) is not None:
            run = yield from self.view.run(at, self.room + 1)
            count = self._inside(run)
            self._take(run, 0, count)
            if self.full or count < len(run.members):
                return
            at = run.next

    def fill(self, at: bytes | None) -> Steps[None]:
        """Take keys up to their first delimiter behind the prefix, and step over what is rolled up."""
        want = self.room + 1
        while at is not None and not self.full and (begins := self._begins(at)) is not None:
            rolled = self._rolled(begins)
            if rolled is not None:
                at = self._add_prefix(rolled)
            else:
                run = yield from self.view.run(at, want)
                at, want = self._take_rolled(run)

    def _take_rolled(self, run: Run) -> tuple[bytes | None, int]:
        """Take a run; returns where to go on and how many keys to read there.

        After a common prefix that ends beyond the run, the least that can be read is: most likely another prefix follows.
        """
        at, count = 0, self._inside(run)
        while at < count:
            flat = self._first_rolled(run, at, count)
            self._take(run, at, flat)
            if self.full or flat == count:
                break
            rolled = self._rolled(run.prefix + run.members[flat].name)
            beyond = None if rolled is None else self._add_prefix(rolled)
            if beyond is None or self.full:
                return None, 0
            at = run.first_at(beyond, flat)
            if at == len(run.members) and run.next is not None and run.next < beyond:
                return beyond, 1
        return (run.next if count == len(run.members) else None), self.room + 1

    def _first_rolled(self, run: Run, start: int, stop: int) -> int:
        """The place of the first member in `[start, stop)` that is rolled up; if none is, `stop`.

        Looks no further than the first member that has no room.
        """
        before, offset = run.prefix[len(self.prefix) :], max(len(self.prefix) - len(run.prefix), 0)
        stop = min(stop, start + self.room + 1)
        for at, member in enumerate(run.members[start:stop], start):
            if (before + member.name).find(self.delimiter, offset) >= 0:
                return at
        return stop

    def _inside(self, run: Run) -> int:
        """How many members of a run have the prefix."""
        return len(run.members) if self.stop is None else run.first_at(self.stop, 0)

    def _begins(self, at: bytes) -> bytes | None:
        """As `View.begins`, within the prefix: None when no key with the prefix follows."""
        begins = None if self.stop is not None and at >= self.stop else self.view.begins(at)
        return None if begins is None or (self.stop is not None and begins >= self.stop) else begins

    def _rolled(self, key: bytes) -> bytes | None:
        """The common prefix that `key`, or every key that begins so, is rolled up to, if any."""
        if not key.startswith(self.prefix):
            return None
        found = key.find(self.delimiter, len(self.prefix))
        return None if found < 0 else key[: found + len(self.delimiter)]

    def _add_prefix(self, rolled: bytes) -> bytes | None:
        """Take a common prefix; returns the first key that is not in it."""
        if self.room == 0:
            self.full = True
        else:
            self.room -= 1
            self.prefixes.append(rolled)
            self.last = rolled
        return successor(rolled)

    def _take(self, run: Run, start: int, stop: int) -> None:
        """Take the members `[start, stop)` of a run as far as there is room."""
        taken = run.entries(start, min(stop, start + self.room))
        if taken:
            self.entries += taken
            self.last = taken[-1].key
            self.room -= len(taken)
        self.full = len(taken) < stop - start


def _first(prefix: bytes, delimiter: bytes, after: bytes | None) -> bytes | None:
    """The first key that a page may tell.

    A common prefix is told only if it is greater than `after`: when `after` lies inside one, all of it is passed over.
    """
    if after is None or after < prefix:
        return prefix
    if delimiter and after.startswith(prefix):
        found = after.find(delimiter, len(prefix))
        if found >= 0:
            return successor(after[: found + len(delimiter)])
    return after + b"\0"


def after_of(request: ListRequest) -> bytes | None:
    """What the page begins after. Raises InvalidArgument for a token that is none of ours."""
    return _last_of(request.token) if request.token else request.after


def token_of(last: bytes) -> str:
    """The continuation token of a page that ended with this key or common prefix.

    It holds all that is needed to go on, so it survives a restart, and a mount table or an archive that changed meanwhile.
    """
    return urlsafe_b64encode(TOKEN_VERSION + last).decode().rstrip("=")


def _last_of(token: str) -> bytes:
    """What `token_of` was given. Raises InvalidArgument."""
    try:
        held = urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
    except (NotBase64, ValueError):
        held = b""
    if held[:1] != TOKEN_VERSION or token_of(held[1:]) != token:
        raise InvalidArgument("The continuation token provided is incorrect", ArgumentName="continuation-token")
    return held[1:]

"""Open indexes: kept, checked after a while, and opened anew when a store says that they or their archives were replaced."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from indexer.asks import Steps, head
from indexer.errors import IndexMissing, IndexStale, ObjectReplaced
from indexer.indexfile.page import Page
from indexer.indexfile.reader import Index, PageKey, open_index
from indexer.model import Identity
from object_lambda.mounts import Mount

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Root:
    """An open index, and the version of the archive it describes.

    Args:
        index: Ready for look-ups.
        archive: What its members are read from.
        proof: The object that must still be as it was for this root to hold: the index file, or the archive itself when the
            index was made on first touch.
        checked_s: When that was last seen, by the clock of `Roots`.
    """

    index: Index
    archive: Identity
    proof: Identity
    checked_s: float


FirstTouch = Callable[[Mount], Steps[Index]]
"""Makes the index of a mounted archive that has none; raises `IndexMissing` where that takes too much."""


def refuse_first_touch(mount: Mount) -> Steps[Index]:
    """The answer of a service that makes no indexes. Costs one HEAD, so that an archive that is not there is told as such."""
    yield from head(mount.archive)
    raise IndexMissing("this archive has no index yet", hint="Build it with `bindery index`", archive=mount.archive)


class Roots:
    """The open indexes of a service.

    Args:
        known: Where they are kept; it may forget.
        pages: Where their decoded pages are kept; it may forget.
        clock: Seconds that only go forward.
        freshness_s: For how long a root is believed without asking the store.
        first_touch: What to do about an archive without an index.
    """

    def __init__(
        self,
        *,
        known: MutableMapping[Mount, Root],
        pages: MutableMapping[PageKey, Page],
        clock: Callable[[], float],
        freshness_s: float,
        first_touch: FirstTouch = refuse_first_touch,
    ) -> None:
        self._known = known
        self._pages = pages
        self._clock = clock
        self._freshness_s = freshness_s
        self._first_touch = first_touch

    def using(self, mount: Mount, work: Callable[[Root], Steps[T]]) -> Steps[T]:
        """Do `work` with a mount's root.

        When the store says meanwhile that the index or the archive was replaced, the index is loaded anew and the work done
        again from its start, once. So no result is made of two versions.

        Raises:
            IndexStale: The index loaded anew does not describe the archive that is there either.

        Cost:
            As `open`, and as `work`.
        """
        root = yield from self.open(mount)
        try:
            return (yield from work(root))
        except ObjectReplaced:
            self.forget(mount, root)
        root = yield from self.open(mount)
        try:
            return (yield from work(root))
        except ObjectReplaced as error:
            self.forget(mount, root)
            raise IndexStale(
                "the archive was replaced, and its index still describes the version before",
                hint="Build the index again with `bindery index`",
                archive=mount.archive,
            ) from error

    def open(self, mount: Mount) -> Steps[Root]:
        """The root of a mount.

        Raises:
            IndexMissing, IndexDamaged, IndexUnsupported: There is no index that can be used.

        Cost:
            Nothing while it is known and fresh; one HEAD when it is known; else one read of the index's tail.
        """
        known = self._known.get(mount)
        if known is not None:
            now = self._clock()
            if now - known.checked_s < self._freshness_s:
                return known
            renewed = yield from self._renewed(mount, known, now)
            if renewed is not None:
                return renewed
        opened = self._known[mount] = yield from self._load(mount)
        return opened

    def _renewed(self, mount: Mount, known: Root, now: float) -> Steps[Root | None]:
        """The root if the store says that it still holds, else None. Who comes meanwhile uses it as it is, and does not ask."""
        asked = self._known[mount] = replace(known, checked_s=now)
        holds = False
        try:
            holds = (yield from head(known.proof.url)).identity == known.proof
        finally:
            if not holds:
                self.forget(mount, asked)
        return asked if holds else None

    def forget(self, mount: Mount, root: Root) -> None:
        """Drop a root that turned out to be of the past, unless a newer one has taken its place."""
        if self._known.get(mount) is root:
            with suppress(KeyError):  # another thread was faster
                del self._known[mount]

    def _load(self, mount: Mount) -> Steps[Root]:
        now = self._clock()
        try:
            index = yield from open_index(mount.index, pages=self._pages)
        except IndexMissing:
            pass
        else:
            return Root(index, index.archive(mount.archive), index.identity, now)
        index = yield from self._first_touch(mount)
        archive = index.archive(mount.archive)
        return Root(index, archive, archive, now)

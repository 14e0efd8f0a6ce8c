"""Open indexes and catalogs: kept, checked after a while, opened anew when a store says that they or archives were replaced."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from indexer.asks import Steps, head
from indexer.catalogfile.answers import Found, Window
from indexer.errors import CatalogStale, IndexMissing, IndexStale, ObjectMissing, ObjectReplaced
from indexer.indexfile.page import Page
from indexer.indexfile.reader import Index, PageKey, open_index
from indexer.model import Identity
from object_lambda.members import with_etags
from object_lambda.mounts import Mount

if TYPE_CHECKING:
    from object_lambda.catalog_root import CatalogRoot

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
        vouched: The doubt (`Roots.doubt`) that this was seen after, if any.
    """

    index: Index
    archive: Identity
    proof: Identity
    checked_s: float
    vouched: object = None

    weight: ClassVar = 1

    def find(self, name: bytes) -> Steps[Found | None]:
        """The member of this name, and where to read it. Costs as `Index.find`."""
        member = yield from self.index.find(name)
        return None if member is None else Found(member, self.archive, self.index.identity)

    def window(self, start: bytes, want: int) -> Steps[Window]:
        """Members from a name on, at least `want` unless there are no more, each with the ETag it is served with.

        Cost:
            As `Index.window`.
        """
        members = yield from self.index.window(start, want)
        following = members[-1].name + b"\0" if len(members) >= want else None
        return Window(with_etags(members, self.archive.etag), following)


AnyRoot: TypeAlias = "Root | CatalogRoot"
"""What answers for a mount."""

FirstTouch = Callable[[Mount], Steps[Index]]
"""Makes the index of a mounted archive that has none; raises `IndexMissing` where that takes too much."""


def refuse_first_touch(mount: Mount) -> Steps[Index]:
    """The answer of a service that makes no indexes. Costs one HEAD, so that an archive that is not there is told as such."""
    yield from head(mount.archive)
    hint = "Build it with `bindery index`"
    raise IndexMissing("this archive has no index yet", hint=hint, archive=mount.archive, index=mount.index)


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
        known: MutableMapping[Mount, AnyRoot],
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
        self._doubts: dict[str, object] = {}

    def doubt(self, bucket: str) -> None:
        """Believe nothing of this bucket's mounts any longer that was asked of the store before now.

        For callers who saw something that a root may be too old to know of. Costs nothing itself; each of the mounts costs one HEAD
        when it is next used.
        """
        # Each doubt is another object, so whatever bears the latest one was asked for after it, in whichever order threads set it.
        self._doubts[bucket] = object()

    def using(self, mount: Mount, work: Callable[[AnyRoot], Steps[T]]) -> Steps[T]:
        """Do `work` with a mount's root.

        When the store says meanwhile that the index or the archive was replaced, the index is loaded anew and the work done
        again from its start, once. So no result is made of two versions. A catalog is loaded anew only if it changed.

        Raises:
            IndexStale: The index loaded anew does not describe the archive that is there either.
            CatalogStale: The catalog tells of another version of an archive, or of its index, than the one that is there.
            ObjectMissing: An archive of the catalog is not there.

        Cost:
            As `open`, and as `work`.
        """
        root = yield from self.open(mount)
        try:
            return (yield from work(root))
        except ObjectReplaced as error:
            again = yield from self._again(mount, root)
            if again is None:
                raise _stale(mount) from error
        except ObjectMissing:
            # What a catalog tells of may have been packed anew and removed; a single archive has no other place to be.
            again = (yield from self._again(mount, root)) if mount.is_catalog else None
            if again is None:
                raise
        try:
            return (yield from work(again))
        except ObjectReplaced as error:
            self.forget(mount, again)
            raise _stale(mount) from error

    def _again(self, mount: Mount, root: AnyRoot) -> Steps[AnyRoot | None]:
        """The root to do the work with once more; None when a catalog is still as it was."""
        if mount.is_catalog and (yield from self._renewed(mount, root, self._clock())) is not None:
            return None
        self.forget(mount, root)
        return (yield from self.open(mount))

    def open(self, mount: Mount) -> Steps[AnyRoot]:
        """The root of a mount.

        Raises:
            IndexMissing, IndexDamaged, IndexUnsupported: There is no index that can be used.
            CatalogMissing, CatalogDamaged, CatalogUnsupported: Nor a catalog.

        Cost:
            Nothing while it is known and fresh; one HEAD when it is known; else one read of the index's or the catalog's tail.
            After a doubt that was not yet cleared, a HEAD more than that.
        """
        doubt = self._doubts.get(mount.bucket)
        known = self._known.get(mount)
        if known is not None and known.vouched is doubt:
            now = self._clock()
            if now - known.checked_s < self._freshness_s:
                return known
            renewed = yield from self._renewed(mount, known, now)
            if renewed is not None:
                return renewed
            known = None
        for _ in range(2):
            if known is None:
                known = self._known[mount] = yield from self._load(mount)
                if doubt is None:
                    return known
            vouched = yield from self._vouched(mount, known, doubt)
            if vouched is not None:
                return vouched
            known = None
        # Replaced again and again. A tail that was shared may have been begun before the doubt, but not the one after that.
        loaded = self._known[mount] = replace((yield from self._load(mount)), vouched=doubt)
        return loaded

    def _vouched(self, mount: Mount, known: AnyRoot, doubt: object) -> Steps[AnyRoot | None]:
        """The root if the store says that it holds, by a question asked after `doubt`; else None.

        Asked by every caller for itself, and of a root just loaded too: what others asked, even a tail that many share, may have
        been under way before the doubt.
        """
        now = self._clock()
        holds = False
        try:
            holds = (yield from head(known.proof.url)).identity == known.proof
        finally:
            if not holds:
                self.forget(mount, known)
        if not holds:
            return None
        vouched = replace(known, checked_s=now, vouched=doubt)
        if self._known.get(mount) is known:
            self._known[mount] = vouched
        return vouched

    def _renewed(self, mount: Mount, known: AnyRoot, now: float) -> Steps[AnyRoot | None]:
        """The root if the store says that it still holds, else None. Who comes meanwhile uses it as it is, and does not ask."""
        asked = self._known[mount] = replace(known, checked_s=now)
        holds = False
        try:
            holds = (yield from head(known.proof.url)).identity == known.proof
        finally:
            if not holds:
                self.forget(mount, asked)
        return asked if holds else None

    def forget(self, mount: Mount, root: AnyRoot) -> None:
        """Drop a root that turned out to be of the past, unless a newer one has taken its place."""
        if self._known.get(mount) is root:
            with suppress(KeyError):  # another thread was faster
                del self._known[mount]

    def _load(self, mount: Mount) -> Steps[AnyRoot]:
        now = self._clock()
        if mount.is_catalog:
            from object_lambda.catalog_root import open_catalog_root  # noqa: PLC0415 - 5 ms of a start that mounts none

            return (yield from open_catalog_root(mount.archive, self._pages, now))
        try:
            index = yield from open_index(mount.index, pages=self._pages)
        except IndexMissing:
            pass
        else:
            return Root(index, index.archive(mount.archive), index.identity, now)
        index = yield from self._first_touch(mount)
        archive = index.archive(mount.archive)
        return Root(index, archive, archive, now)


def _stale(mount: Mount) -> IndexStale | CatalogStale:
    """The error when what is told and what is there differ, and go on to differ."""
    if mount.is_catalog:
        return CatalogStale(
            "an archive or its index was replaced, and the catalog still tells of the version before",
            hint="Bind it again with `bindery catalog add`",
            catalog=mount.archive,
        )
    return IndexStale(
        "the archive was replaced, and its index still describes the version before",
        hint="Build the index again with `bindery index`",
        archive=mount.archive,
    )

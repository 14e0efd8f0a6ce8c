"""An open catalog as what answers for a mount; apart from `roots`, because who mounts none need not load it."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexer.asks import Steps
from indexer.catalogfile.answers import Found, Window
from indexer.catalogfile.entry import CatalogEntry
from indexer.catalogfile.reader import Catalog, open_catalog
from indexer.catalogfile.window import window, with_keys
from indexer.indexfile.page import Page
from indexer.indexfile.reader import PageKey
from indexer.limits import CATALOG_TAIL_BYTES, TAIL_BYTES
from indexer.model import Identity, Member
from object_lambda.members import with_etags

HELD_BYTES: Final = TAIL_BYTES
"""What a root of a single archive holds at most; one of a catalog counts as several such."""


@dataclass(frozen=True, slots=True)
class CatalogRoot:
    """An open catalog.

    Args:
        catalog: Ready for look-ups.
        proof: Which version of it this is.
        checked_s: As `Root.checked_s`.
        vouched: As `Root.vouched`.
    """

    catalog: Catalog
    proof: Identity
    checked_s: float
    vouched: object = None

    @property
    def weight(self) -> int:
        """How many indexes take as much memory."""
        return 1 + min(self.proof.size, CATALOG_TAIL_BYTES) // HELD_BYTES

    def find(self, name: bytes) -> Steps[Found | None]:
        """As `Root.find`, in the newest archive that has it. Costs as `Catalog.find`."""
        return (yield from self.catalog.find(name))

    def window(self, start: bytes, want: int) -> Steps[Window]:
        """As `Root.window`, of all archives in one order; fewer than `want` may come before more follow.

        Cost:
            As `catalogfile.window.window`.
        """
        return (yield from window(self.catalog, start, want, _as_served))


def open_catalog_root(url: str, pages: MutableMapping[PageKey, Page], now: float) -> Steps[CatalogRoot]:
    """Open the catalog at `url`. Raises and costs as `open_catalog`."""
    catalog = yield from open_catalog(url, pages=pages)
    return CatalogRoot(catalog, catalog.identity, now)


def _as_served(entry: CatalogEntry, members: Sequence[Member]) -> Sequence[Member]:
    """Members of an archive as a listing tells them. An ETag that is made hangs on the archive, so it is made before the merge."""
    return with_keys(entry, with_etags(members, entry.archive.etag))

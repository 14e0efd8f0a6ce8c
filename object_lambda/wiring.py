"""Puts a service together from its settings: one place for every door."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from indexer.errors import SettingInvalid
from indexer.indexfile.page import Page
from indexer.indexfile.reader import PageKey
from indexer.limits import MIB
from indexer.plan import FrameKey
from object_lambda.memory import BoundedMap
from object_lambda.mounts import Mount, Mounts
from object_lambda.roots import AnyRoot, FirstTouch, Roots, refuse_first_touch
from object_lambda.service import Service

MEMBER_BYTES: Final = 700
"""Memory that one member of a decoded page takes, with a frame of its own (650 to 740 measured on log-like keys)."""


@dataclass(frozen=True, slots=True)
class ServiceSettings:
    """What a service keeps in memory, and for how long it believes it.

    Args:
        page_bytes: Decoded index pages. The default holds those of about 90,000 members.
        frame_bytes: Decoded frames. The default holds 32 of the largest we write.
        roots: How many indexes are kept open; each holds up to 128 KiB, and a catalog counts as so many as it is long.
        freshness_s: For how long an open index is believed before the store is asked again (one HEAD). An archive that is
            replaced is noticed at once where its bytes are read; this bounds how long HEAD and LIST tell the old state.
    """

    page_bytes: int = 64 * MIB
    frame_bytes: int = 32 * MIB
    roots: int = 256
    freshness_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("page_bytes", "frame_bytes", "roots"):
            if getattr(self, name) < 1:
                raise SettingInvalid("a size must be at least 1", setting=name)
        if self.freshness_s < 0:
            raise SettingInvalid("a time cannot be negative", setting="freshness_s")


def new_service(
    mounts: Iterable[Mount],
    *,
    clock: Callable[[], float],
    settings: ServiceSettings,
    first_touch: FirstTouch = refuse_first_touch,
) -> Service:
    """Make a service over `mounts`.

    Args:
        mounts: In any order.
        clock: Seconds that only go forward (`time.monotonic`).
        settings: Its bounds.
        first_touch: What to do about an archive without an index.

    Raises:
        SettingInvalid: Two archives are mounted at one place.
    """
    pages: BoundedMap[PageKey, Page] = BoundedMap(settings.page_bytes, lambda page: MEMBER_BYTES * len(page))
    frames: BoundedMap[FrameKey, bytes] = BoundedMap(settings.frame_bytes, len)
    known: BoundedMap[Mount, AnyRoot] = BoundedMap(settings.roots, lambda root: root.weight)
    roots = Roots(known=known, pages=pages, clock=clock, freshness_s=settings.freshness_s, first_touch=first_touch)
    return Service(Mounts(mounts), roots, frames=frames)

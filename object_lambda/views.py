"""The keys of one bucket in byte order, over all its mounts."""

from __future__ import annotations

from bisect import bisect_left

from indexer.asks import Steps
from indexer.catalogfile.answers import Window
from object_lambda.listing import Run
from object_lambda.mounts import Mounts, Segment
from object_lambda.roots import Roots


class MountedView:
    """A bucket's mounts as one listing sees them (`listing.View`).

    An archive is opened only when keys of it are told or stepped through, so what a prefix holds may be hidden behind a
    delimiter at no cost: a mount is seen whether its archive can be read or not.

    Args:
        mounts: Of the service.
        roots: Of the service.
        bucket: Which bucket.
    """

    def __init__(self, mounts: Mounts, roots: Roots, bucket: str) -> None:
        self._mounts = mounts
        self._roots = roots
        self._bucket = bucket

    def begins(self, at: bytes) -> bytes | None:
        """As `listing.View.begins`: the prefix of the mount that is next."""
        segment = self._mounts.segment(self._bucket, at)
        return None if segment is None else segment.mount.prefix

    def run(self, at: bytes, want: int) -> Steps[Run]:
        """As `listing.View.run`: keys of the mount that is next.

        Cost:
            One window of its index, or of its catalog, and what opening that costs.
        """
        segment = self._mounts.segment(self._bucket, at)
        if segment is None:
            return Run(b"", (), None)
        mount = segment.mount
        start = max(at, segment.start)[len(mount.prefix) :]
        return _within(segment, (yield from self._roots.using(mount, lambda root: root.window(start, want))))


def _within(segment: Segment, window: Window) -> Run:
    """Cut what a mount answered to the segment it answers for."""
    prefix, stop, members = segment.mount.prefix, segment.stop, window.members
    following = stop if window.next is None else prefix + window.next
    if stop is not None and stop.startswith(prefix):
        count = bisect_left(members, stop[len(prefix) :], key=lambda member: member.name)
        if count < len(members):
            return Run(prefix, members[:count], stop)
        if following is not None and following > stop:
            following = stop
    return Run(prefix, members, following)

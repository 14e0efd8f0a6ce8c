"""The keys of one bucket in byte order, over all its mounts."""

from __future__ import annotations

from bisect import bisect_left

from indexer.asks import Steps
from indexer.model import Member
from object_lambda.listing import Run
from object_lambda.mounts import Mounts, Segment
from object_lambda.roots import Root, Roots


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
            One window of its index, and what opening that costs.
        """
        segment = self._mounts.segment(self._bucket, at)
        if segment is None:
            return Run(b"", (), "", None)
        mount = segment.mount
        start = max(at, segment.start)[len(mount.prefix) :]

        def window(root: Root) -> Steps[tuple[Root, list[Member]]]:
            return root, (yield from root.index.window(start, want))

        root, members = yield from self._roots.using(mount, window)
        return _within(segment, members, root.index.archive_etag, complete=len(members) < want)


def _within(segment: Segment, members: list[Member], archive_etag: str, *, complete: bool) -> Run:
    """Cut what an archive answered to the segment it answers for; `complete` tells that the archive has no more."""
    prefix, stop = segment.mount.prefix, segment.stop
    if stop is not None and stop.startswith(prefix) and members:
        count = bisect_left(members, stop[len(prefix) :], key=lambda member: member.name)
        if count < len(members):
            return Run(prefix, members[:count], archive_etag, stop)
    following = stop if complete else prefix + members[-1].name + b"\0"
    return Run(prefix, members, archive_etag, following)

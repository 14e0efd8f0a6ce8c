"""Mounts: which archive, or catalog of archives, answers for which keys.

A mount covers the keys that begin with its prefix, and its prefix ends at a `/`: one at `a/b/` covers `a/b/c`, never `a/bc`. Of
two mounts that cover a key, the one with the longer prefix answers, and the other's keys beneath that prefix are hidden. So the
keys of a bucket fall into consecutive segments in byte order, each of one mount, and a listing of many mounts is one segment
after the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from indexer.catalogfile import CATALOG_SUFFIX
from indexer.errors import SettingInvalid
from object_lambda.keys import successor
from object_lambda.s3_errors import NoSuchBucket

ANY_BUCKET: Final = "*"
"""The bucket of mounts behind an Object Lambda access point, which has no bucket of its own: the map is all there is."""


@dataclass(frozen=True, slots=True)
class Mount:
    """One archive, or all archives of a catalog, under one prefix of one bucket.

    Args:
        bucket: The bucket's name, as callers see it; no such bucket need exist.
        prefix: Empty, or UTF-8 that ends in `/`. A member's key is the prefix and its name.
        archive: Canonical URL of the archive, or of a catalog: one that ends in `CATALOG_SUFFIX`.
        index: Canonical URL of the archive's index; without meaning for a catalog.
    """

    bucket: str
    prefix: bytes
    archive: str
    index: str

    def __post_init__(self) -> None:
        if not self.bucket or "/" in self.bucket:
            raise SettingInvalid("a mount needs the name of a bucket", setting="mount", bucket=self.bucket)
        if self.prefix and not self.prefix.endswith(b"/"):
            raise ValueError(f"the prefix {self.prefix!r} of a mount does not end in a slash")

    @property
    def is_catalog(self) -> bool:
        """Whether a catalog is mounted."""
        return self.archive.endswith(CATALOG_SUFFIX)


class Segment(NamedTuple):
    """Keys `[start, stop)` of a bucket, all answered by one mount. `stop` is None when there is no end."""

    start: bytes
    stop: bytes | None
    mount: Mount


class Mounts:
    """All mounts of one service, looked up in steps that grow with the logarithm of their number.

    Args:
        mounts: In any order.

    Raises:
        SettingInvalid: Two archives are mounted at one place.
    """

    def __init__(self, mounts: Iterable[Mount]) -> None:
        by_bucket: dict[str, list[Mount]] = {}
        for mount in mounts:
            by_bucket.setdefault(mount.bucket, []).append(mount)
        self._segments = {bucket: _segments(by_bucket[bucket]) for bucket in sorted(by_bucket)}
        self._starts = {bucket: [segment.start for segment in segments] for bucket, segments in self._segments.items()}

    def buckets(self) -> list[str]:
        """The names of all buckets, sorted."""
        return list(self._segments)

    def check(self, bucket: str) -> None:
        """Raise NoSuchBucket unless something is mounted in this bucket."""
        if bucket not in self._segments:
            raise NoSuchBucket("", BucketName=bucket)

    def covering(self, bucket: str, key: bytes) -> Mount | None:
        """The mount that answers for `key`, or None. Raises NoSuchBucket."""
        segment = self.segment(bucket, key)
        return segment.mount if segment is not None and segment.start <= key else None

    def segment(self, bucket: str, at: bytes) -> Segment | None:
        """The segment that holds `at`, else the next one after it, else None. Raises NoSuchBucket."""
        self.check(bucket)
        segments = self._segments[bucket]
        place = bisect_right(self._starts[bucket], at) - 1
        if place >= 0 and ((stop := segments[place].stop) is None or at < stop):
            return segments[place]
        return segments[place + 1] if place + 1 < len(segments) else None


def _segments(mounts: list[Mount]) -> list[Segment]:
    """Cut one bucket's keys into segments. An outer mount's prefix sorts before those it holds."""
    found: list[Segment] = []
    open_mounts: list[tuple[Mount, bytes | None]] = []
    at = b""

    def reach(stop: bytes | None) -> None:
        if stop is None or at < stop:
            found.append(Segment(at, stop, open_mounts[-1][0]))

    for mount in sorted(mounts, key=lambda mount: mount.prefix):
        while open_mounts and (end := open_mounts[-1][1]) is not None and end <= mount.prefix:
            reach(end)
            at = end
            open_mounts.pop()
        if open_mounts:
            if open_mounts[-1][0].prefix == mount.prefix:
                place = f"{mount.bucket}/{mount.prefix.decode()}"
                raise SettingInvalid("two archives are mounted at one place", hint="Mount one of them elsewhere", setting=place)
            reach(mount.prefix)
        at = mount.prefix
        open_mounts.append((mount, successor(mount.prefix)))
    while open_mounts:
        end = open_mounts[-1][1]
        reach(end)
        if end is None:
            break
        at = end
        open_mounts.pop()
    return found

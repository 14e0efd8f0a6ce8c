"""The one service behind every door: get, head and list over mounts, in plain values (DESIGN section 2).

Sans-IO: each call is a computation that asks, to be run by `indexer.drivers`. It fails with an `S3Error`, or with one of the
floor's errors (`indexer.errors`), which doors turn into one by `s3_errors.from_bindery`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from indexer.asks import Body, Steps, until
from indexer.catalogfile.answers import Found
from indexer.errors import MemberDamaged, ObjectReplaced
from indexer.limits import MIB
from indexer.model import Span
from indexer.plan import FrameCache, read
from object_lambda import listing
from object_lambda.answers import ListAnswer, ObjectAnswer
from object_lambda.byte_range import content_range, wanted
from object_lambda.conditions import Verdict, judge, range_is_current
from object_lambda.members import checksum_of, head_of
from object_lambda.mounts import Mount, Mounts
from object_lambda.requests import ListRequest, ObjectRequest
from object_lambda.roots import AnyRoot, Roots
from object_lambda.s3_errors import NoSuchKey
from object_lambda.views import MountedView

HELD_BYTES: Final = 1 * MIB
"""A body up to this length is read and checked to its end before the answer begins, so that what is wrong with it becomes an
error the client can read, and not a connection that breaks."""


class Service:
    """Reads members as objects.

    Args:
        mounts: Which archives answer for which keys.
        roots: Their open indexes.
        frames: Where decoded frames are kept between calls; None keeps none.
    """

    def __init__(self, mounts: Mounts, roots: Roots, *, frames: FrameCache | None = None) -> None:
        self.mounts = mounts
        self._roots = roots
        self._frames = frames

    def buckets(self) -> list[str]:
        """The names of all buckets, sorted."""
        return self.mounts.buckets()

    def check_bucket(self, bucket: str) -> None:
        """Return if there is such a bucket. Raises NoSuchBucket."""
        self.mounts.check(bucket)

    def root(self, mount: Mount) -> Steps[AnyRoot]:
        """The open index or catalog of a mount, for what S3 does not tell. Raises and costs as `Roots.open`."""
        return (yield from self._roots.open(mount))

    def doubt(self, bucket: str) -> None:
        """What is told of this bucket from now on is asked of the store after now. Costs as `Roots.doubt`."""
        self._roots.doubt(bucket)

    def get(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """GetObject.

        Raises:
            S3Error: `NoSuchBucket`, `NoSuchKey`, `PreconditionFailed`, `InvalidRange`, `InvalidPartNumber`, `InvalidRequest`.
            BinderyError: The archive or its index cannot be read; also from the answer's `rest`.

        Cost:
            As `head`, and the frames of the bytes asked for: one step for a small member, for a large one those of its first
            piece. An archive that was replaced meanwhile is noticed before the answer begins; later, `rest` fails.
        """
        mount = self._mount(request)
        return (yield from self._roots.using(mount, lambda root: self._get(request, mount, root)))

    def head(self, request: ObjectRequest) -> Steps[ObjectAnswer]:
        """HeadObject: the answer that `get` would give, without its body. A member that cannot be read has a head all the same.

        Raises:
            As `get`, save what only reading the body tells.

        Cost:
            What opening the index costs, and one page of it; nothing where both are known.
        """
        mount = self._mount(request)
        answer, _, _ = yield from self._roots.using(mount, lambda root: self._head(request, mount, root))
        return answer

    def list(self, request: ListRequest) -> Steps[ListAnswer]:
        """ListObjects and ListObjectsV2.

        Raises:
            S3Error: `NoSuchBucket`, `InvalidArgument` for a token that is none of ours.
            BinderyError: As `get`.

        Cost:
            As `listing.page`, and what opening the indexes costs whose keys are told.
        """
        self.mounts.check(request.bucket)
        return (yield from listing.page(MountedView(self.mounts, self._roots, request.bucket), request))

    def _mount(self, request: ObjectRequest) -> Mount:
        mount = self.mounts.covering(request.bucket, request.key)
        if mount is None or len(request.key) == len(mount.prefix):
            raise NoSuchKey("", Key=request.key.decode())
        return mount

    def _head(self, request: ObjectRequest, mount: Mount, root: AnyRoot) -> Steps[tuple[ObjectAnswer, Found, Span]]:
        """The answer without its body, whose bytes they are, and which of them."""
        found = yield from root.find(request.key[len(mount.prefix) :])
        if found is None:
            raise NoSuchKey("", Key=request.key.decode())
        member = found.member
        head = head_of(member, found.archive.etag, request.overrides)
        if judge(request.conditions, head.etag, head.mtime_s) is Verdict.NOT_MODIFIED:
            return ObjectAnswer(304, head, 0), found, Span(0, 0)
        span = wanted(request, member.size) if range_is_current(request.if_range, head.etag, head.mtime_s) else None
        if span is not None:
            return ObjectAnswer(206, head, span.length, content_range(span, member.size)), found, span
        if request.checksum:
            head = replace(head, crc32=checksum_of(member))
        return ObjectAnswer(200, head, member.size), found, Span(0, member.size)

    def _get(self, request: ObjectRequest, mount: Mount, root: AnyRoot) -> Steps[ObjectAnswer]:
        answer, found, span = yield from self._head(request, mount, root)
        if answer.status == 304:
            return answer
        body = self._body(mount, root, found, span)
        start, rest = yield from _begun(body, answer.content_length)
        return replace(answer, start=start, rest=rest)

    def _body(self, mount: Mount, root: AnyRoot, found: Found, span: Span) -> Body:
        try:
            yield from read(found.archive, found.member, span.start, span.stop, index=found.index_file, frames=self._frames)
        except ObjectReplaced:
            self._roots.forget(mount, root)
            raise


def _begun(body: Body, length: int) -> Steps[tuple[bytes, Body | None]]:
    """Run a body up to its first bytes, a short one to its end: then it is checked, and nothing remains of it."""
    pieces: list[bytes] = []
    while (piece := (yield from until(bytes, body))) is not None:
        pieces.append(piece)
        if piece and length > HELD_BYTES:
            return piece, body
    start = b"".join(pieces)
    if len(start) != length:
        raise MemberDamaged(f"{len(start)} of {length} bytes were decoded")
    return start, None

"""A live side in memory that behaves as S3 does, and now and then as badly as a store may."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from hashlib import md5

from indexer.asks import Body
from indexer.drivers import stream
from indexer.source import Source
from object_lambda.answers import Entry, ListAnswer, ObjectAnswer
from object_lambda.live import LiveAnswer, LiveAsk, LiveList, LiveObject, LivePage
from object_lambda.s3_errors import LiveRefusal

MTIME_S = 1_600_000_000
BUCKET = "loose"


@dataclass
class MemoryLive:
    """The objects of a bucket. It weighs neither ranges nor conditions: stores do.

    Args:
        objects: Bodies by key.
        page: Most keys it tells at once, however many are wanted.
        refusal: What it says to every request, if anything.
    """

    objects: MutableMapping[bytes, bytes]
    page: int = 1000
    refusal: LiveRefusal | None = None
    asked: list[LiveAsk] = field(default_factory=list)

    def open(self, ask: LiveObject) -> LiveAnswer:
        self._count(ask)
        if ask.key not in self.objects:
            raise LiveRefusal(404, "NoSuchKey", "The specified key does not exist.")
        body = self.objects[ask.key]
        headers = (("content-length", str(len(body))), ("etag", f'"{etag(body)}"'))
        return LiveAnswer(200, headers, (piece for piece in [body]) if ask.method == "GET" else None)

    def list(self, ask: LiveList) -> LivePage:
        """A page, by one pass over all keys. What lies in a common prefix behind `after` makes that prefix be told again."""
        self._count(ask)
        rows: dict[bytes, Entry | None] = {}
        for key in sorted(key for key in self.objects if key.startswith(ask.prefix) and key > ask.start_after):
            at = key.find(ask.delimiter, len(ask.prefix)) if ask.delimiter else -1
            if at >= 0:
                rows[key[: at + len(ask.delimiter)]] = None
            else:
                rows[key] = Entry(key, len(self.objects[key]), etag(self.objects[key]), MTIME_S, "GLACIER_IR")
        told = list(rows.items())[: min(ask.max_keys, self.page)]
        entries = [entry for _, entry in told if entry is not None]
        return LivePage(entries, [key for key, entry in told if entry is None], len(told) < len(rows))

    def _count(self, ask: LiveAsk) -> None:
        self.asked.append(ask)
        if self.refusal is not None:
            raise self.refusal


def etag(body: bytes) -> str:
    return md5(body).hexdigest()


def body_of(answer: ObjectAnswer | LiveAnswer, source: Source) -> bytes:
    """The whole body of an answer, whichever side it came from."""
    if isinstance(answer, LiveAnswer):
        assert answer.pieces is not None
        return b"".join(piece for piece in answer.pieces)  # type: ignore[union-attr]  # in memory, nothing is awaited
    rest: Body | None = answer.rest
    return answer.start + (b"".join(stream(rest, source)) if rest is not None else b"")


def rows_of(answer: ListAnswer) -> list[bytes]:
    """Keys and common prefixes of a page in byte order."""
    return sorted([*(entry.key for entry in answer.entries), *answer.prefixes])


def reference_page(
    keys: Mapping[bytes, object], prefix: bytes, delimiter: bytes, after: bytes | None, most: int
) -> tuple[list[bytes], bool]:
    """A page over a dict, as S3 would tell it, and whether more follow. A common prefix is told if it is greater than `after`."""
    rows = set()
    for key in keys:
        if key.startswith(prefix):
            at = key.find(delimiter, len(prefix)) if delimiter else -1
            rows.add(key if at < 0 else key[: at + len(delimiter)])
    following = sorted(row for row in rows if after is None or row > after)
    return following[:most], len(following) > most

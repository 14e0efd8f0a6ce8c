"""What a key may read: buckets, and prefixes in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

EVERYTHING: Final = "*"

FORMS: Final = 'Write "bucket", "bucket/prefix" (what lies beneath that prefix), "bucket/begin*", or "*" for everything'


class Grants:
    """A set of grants, each written as text.

    | text | covers |
    |---|---|
    | `bucket` | every key of the bucket |
    | `bucket/a/b` or `bucket/a/b/` | the keys beneath `a/b/`; neither `a/bc` nor `a/b`, as with mounts |
    | `bucket/a/b*` | the keys that begin with `a/b` |
    | `*` | everything |

    Args:
        texts: In any order. Keys stand as themselves, not percent-encoded.

    Raises:
        ValueError: A text is no grant.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._everything = False
        self._prefixes: dict[str, tuple[bytes, ...]] = {}
        for text in texts:
            if text == EVERYTHING:
                self._everything = True
                continue
            bucket, _, rest = text.partition("/")
            if not bucket or "*" in bucket:
                raise ValueError(f"{text!r} is no grant. {FORMS}")
            self._prefixes[bucket] = (*self._prefixes.get(bucket, ()), _prefix(rest))

    def covers(self, bucket: str, start: bytes) -> bool:
        """Tell whether everything in `bucket` that begins with `start` may be read: one key, or all that a listing could tell."""
        return self._everything or start.startswith(self._prefixes.get(bucket, ()))

    def touches(self, bucket: str) -> bool:
        """Tell whether anything in `bucket` may be read."""
        return self._everything or bucket in self._prefixes


def _prefix(text: str) -> bytes:
    if text.endswith("*"):
        return text[:-1].encode()
    return f"{text}/".encode() if text and not text.endswith("/") else text.encode()


ALL: Final = Grants([EVERYTHING])

"""What the tests of all scanners share: run one over bytes, read its members back through their extents, damage bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from indexer.asks import Need
from indexer.drivers import answer, stream
from indexer.indexfile.block import new_compressor, tag_of
from indexer.indexfile.context import encode_context
from indexer.indexfile.layout import HEADER
from indexer.model import Identity, Member, Span
from indexer.plan import read
from indexer.scan import Keep, Scan, ScanSummary
from indexer.source.memory import MemorySource

GOLDEN = Path(__file__).parents[2] / "golden"
URL = "s3://bucket/archive"
INDEX_URL = "s3://bucket/archive.bindery"

Scanner = Callable[[Identity], Scan]


@dataclass
class Scanned:
    """What a scanner made of some bytes, and what it asked for."""

    archive: Identity
    source: MemorySource
    members: list[Member]
    summary: ScanSummary
    needs: list[Need]
    largest_batch: int = 0
    contexts: bytearray = field(default_factory=lambda: bytearray(HEADER))

    @property
    def index(self) -> Identity:
        """What would be the index: it has the contexts, and no pages."""
        return self.source.identity(INDEX_URL)

    def read(self, member: Member) -> bytes:
        return b"".join(stream(read(self.archive, member, 0, member.size, index=self.index), self.source))

    def keep(self, context: bytes) -> Span:
        tag = tag_of(self.archive.etag, self.archive.size)
        start = len(self.contexts)
        self.contexts += encode_context(context, tag, new_compressor())
        return Span(start, len(self.contexts))

    def by_name(self) -> dict[str, Member]:
        return {member.key: member for member in self.members}

    def contents(self) -> dict[str, bytes]:
        return {member.key: self.read(member) for member in self.members}


def scanned(scan: Scanner, data: bytes) -> Scanned:
    objects = {URL: data}
    source = MemorySource(objects)
    result = Scanned(source.identity(URL), source, [], ScanSummary(""), [])
    steps = scan(result.archive)
    reply: Any = None
    try:
        while True:
            asked = steps.send(reply)
            reply = None
            if isinstance(asked, list):
                assert asked, "an empty batch"
                result.largest_batch = max(result.largest_batch, len(asked))
                result.members += asked
            elif isinstance(asked, Keep):
                reply = result.keep(asked.data)
            else:
                if isinstance(asked, Need):
                    result.needs.append(asked)
                reply = answer(asked, source)
    except StopIteration as end:
        result.summary = end.value
    objects[INDEX_URL] = bytes(result.contexts)
    return result


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Some bytes of `data` changed, some left out, or its end cut off."""
    hurt = bytearray(data)
    for at in draw(st.lists(st.integers(0, len(hurt) - 1), max_size=4)):
        hurt[at] ^= draw(st.integers(1, 255))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(hurt)))
        del hurt[at : at + draw(st.integers(1, 200))]
    if draw(st.booleans()):
        del hurt[draw(st.integers(0, len(hurt))) :]
    return bytes(hurt)


def crc32(data: bytes) -> int:
    return zlib.crc32(data)

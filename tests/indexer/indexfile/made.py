"""Members as hypothesis makes them, and index files of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import strategies as st

from indexer import names
from indexer.drivers import run
from indexer.indexfile import reader, writer
from indexer.indexfile.reader import Index, open_index
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.limits import MTIME_S_LEAST, MTIME_S_MOST
from indexer.model import DEFAULT_ATTRIBUTES, NO_CONTEXT, Attributes, Codec, Extent, Frame, Member, Span
from indexer.source.memory import MemorySource

URL = "memory://archive.bindery"
FACTS = ArchiveFacts("0123456789abcdef-7", 1 << 40, "tar.zst", {"seek_table": True})

# Few letters, so that names share prefixes, are each other's prefix, and lie side by side.
NAMES = (
    st.lists(
        st.sampled_from([b"a", b"b", b"/", b".", "é".encode(), b"\n", b"\xf4\x8f\xbf\xbf", b"aaaaaaaa"]), min_size=1, max_size=7
    )
    .map(b"".join)
    .filter(lambda name: names.clean(name) == name)
)
LENGTHS = st.integers(0, 9) | st.sampled_from([511, 512, 513, 65_536, 2**32, 2**60])
HEX_32 = st.text("0123456789abcdef", min_size=32, max_size=32)
ETAGS = st.one_of(
    st.none(),
    HEX_32,
    st.builds("{}-{}".format, HEX_32, st.integers(0, 10_000)),
    st.builds("{}-00{}".format, HEX_32, st.integers(0, 9)),
    HEX_32.map(str.upper),
    st.text('abc-"é', max_size=5),
)
ATTRIBUTES = st.just(DEFAULT_ATTRIBUTES) | st.builds(
    Attributes,
    content_type=st.sampled_from([None, "text/plain", "text/x-log; charset=utf-8"]),
    content_encoding=st.sampled_from([None, "gzip"]),
    content_language=st.none(),
    content_disposition=st.none(),
    cache_control=st.sampled_from([None, "no-store"]),
    metadata=st.dictionaries(st.sampled_from(["a", "b"]), st.sampled_from(["x", "é"])).map(
        lambda told: tuple(sorted(told.items()))
    ),
)


@st.composite
def frames(draw: st.DrawFn) -> list[Frame]:
    """Frames of one archive: side by side, apart, backwards, of every codec."""
    made: list[Frame] = []
    at = draw(LENGTHS)
    for _ in range(draw(st.integers(1, 4))):
        codec = draw(st.sampled_from(Codec))
        entered = codec is Codec.DEFLATE_AT
        stored, raw = draw(LENGTHS), draw(LENGTHS)
        lead = draw(st.sampled_from([0, 0, 0, 30, 77]))
        start = draw(st.integers(0, 99)) if entered else NO_CONTEXT.start
        context = Span(start, start + draw(st.integers(1, 99))) if entered else NO_CONTEXT
        made.append(Frame(at, stored, raw, codec, lead, context, draw(st.integers(0, 7)) if entered else 0))
        at = draw(st.sampled_from([at + lead + stored, at + lead + stored + 9, at // 2, at]))
    return made


@st.composite
def members(draw: st.DrawFn, name: bytes, pool: Sequence[Frame]) -> Member:
    """A member of this name that lies in some of the frames."""
    lying: list[Extent] = []
    unreadable = draw(st.sampled_from([None, None, None, "encrypted", "its method is 97"]))
    if unreadable is None:
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3]))):
            frame = draw(st.none() | st.sampled_from(pool))
            most = 2**60 if frame is None else frame.raw_bytes
            length = min(draw(LENGTHS), most)
            offset = 0 if frame is None else min(draw(LENGTHS), most - length)
            lying.append(Extent(frame, offset, length))
    size = sum(extent.length for extent in lying) if unreadable is None else draw(LENGTHS)
    mtime_s = draw(st.integers(0, 3) | st.sampled_from([-1, 1_700_000_000, MTIME_S_LEAST, MTIME_S_MOST]))
    crc32 = draw(st.none() | st.integers(0, 2**32 - 1))
    return Member(name, size, mtime_s, tuple(lying), crc32, draw(ETAGS), draw(ATTRIBUTES), unreadable)


@st.composite
def archives(draw: st.DrawFn, most: int = 24) -> list[Member]:
    """Members of one archive in name order."""
    pool = draw(frames())
    return [draw(members(name, pool)) for name in sorted(draw(st.sets(NAMES, max_size=most)))]


def plain_members(count: int, *, step: int = 1) -> list[Member]:
    """Members as a log archive has them: one extent each, ten to a frame."""
    made = []
    for at in range(count):
        frame = Frame(at // 10 * 4096, 4096, 20 * 1024, Codec.ZSTD)
        extent = Extent(frame, at % 10 * 1536 + 512, 1000 + at % 7)
        made.append(Member(b"log/%08d" % (at * step), extent.length, 1_700_000_000 + at, (extent,), at * 0x9E3779B1 % 2**32))
    return made


def written(of: Sequence[Member], facts: ArchiveFacts = FACTS) -> bytes:
    """The index file of these members."""
    data = bytearray()
    told = write_index(of, facts, data.extend)
    assert (told.members, told.index_bytes) == (len(of), len(data))
    return bytes(data)


def opened(data: bytes) -> tuple[Index, MemorySource]:
    """An open index, and the source it lies in."""
    source = MemorySource({URL: data})
    return run(open_index(URL), source), source


@contextmanager
def shaped(*, page_members: int = 384, directory_pages: int = 512, tail_bytes: int = 128 * 1024) -> Iterator[None]:
    """Have small pages and directories written and a short tail read, so that few members take all three levels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "FIRST_PAGE_MEMBERS", page_members)
        patch.setattr(writer, "PAGE_MEMBERS", page_members)
        patch.setattr(writer, "DIRECTORY_PAGES", directory_pages)
        patch.setattr(reader, "TAIL_BYTES", tail_bytes)
        yield

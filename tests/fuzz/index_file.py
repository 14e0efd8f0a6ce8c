"""Foreign bytes as an index file: as they are, and in place of sound columns behind right checksums."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from contextlib import suppress
from functools import cache
from itertools import pairwise

from indexer.drivers import run
from indexer.errors import IndexDamaged, IndexUnsupported
from indexer.indexfile.block import Block, BlockKind, encode_block, new_compressor, tag_of
from indexer.indexfile.columns import Column
from indexer.indexfile.directory import Child, encode_children
from indexer.indexfile.layout import HEADER, Trailer
from indexer.indexfile.reader import open_index
from indexer.indexfile.writer import ArchiveFacts, write_index
from indexer.model import Attributes, Codec, Extent, Frame, Member, Span
from indexer.source.memory import MemorySource

URL = "memory://fuzzed.bindery"
ARCHIVE = ArchiveFacts("etag", 1 << 40, "tar.zst")
Columns = MutableMapping[int, bytes]


def read_anything(data: bytes) -> None:
    """Take `data` for an index file: open it, list all of it, find each name."""
    source = MemorySource({URL: data})
    with suppress(IndexDamaged, IndexUnsupported):
        index = run(open_index(URL), source)
        listed = run(index.window(b"", index.members + 1), source)
        assert len(listed) == index.members
        assert all(before.name < after.name for before, after in pairwise(listed))
        for member in listed:
            assert member.key
            assert sum(extent.length for extent in member.extents) == (member.size if member.extents else 0)
            assert run(index.find(member.name), source) == member
        index.archive("memory://archive")


def read_resealed(edits: bytes) -> None:
    """Take `edits` for changes to the columns of a sound index, and make all lengths, tags and checksums right again.

    Each edit is five bytes: which block, which column, what to do, where, and with which value.
    """
    read_anything(resealed(edits))


def members() -> list[Member]:
    """Members that make every column of a page be there."""
    frames = [
        Frame(0, 900, 5_000, Codec.ZSTD),
        Frame(900, 100, 70_000, Codec.DEFLATE, 40),
        Frame(1040, 64, 9, Codec.DEFLATE_AT, 0, Span(100, 130), 5),
    ]
    lying = [
        (Extent(frames[0], 512, 700),),
        (Extent(frames[0], 2048, 20), Extent(None, 0, 9), Extent(frames[1], 0, 70_000)),
        (),
        (Extent(frames[2], 0, 9),),
    ]
    etags = [None, "0" * 32, "1" * 32 + "-9", "other"]
    return [
        Member(
            b"log/2024/%03d" % at,
            sum(extent.length for extent in lying[at % 4]),
            1_700_000_000 + at * at,
            lying[at % 4],
            None if at % 5 == 0 else at * 0x9E3779B1 % 2**32,
            etags[at // 4 % 4],
            Attributes(content_type="text/plain", metadata=(("a", "b"),)) if at % 3 else Attributes(),
            "encrypted" if not lying[at % 4] and at % 8 == 2 else None,
        )
        for at in range(24)
    ]


@cache
def sound_columns() -> tuple[dict[int, bytes], ...]:
    """The columns of a sound page of each half of `members`, and of a root."""
    made: list[dict[int, bytes]] = []
    facts = b""
    whole = members()
    for half in (whole[:12], whole[12:]):
        data = bytearray()
        write_index(half, ARCHIVE, data.extend)
        trailer = Trailer.decode(bytes(data), file_bytes=len(data), index=URL)
        root = Block(bytes(data[trailer.root_start :][: trailer.root_bytes]), BlockKind.ROOT, None, index=URL, section="root")
        directory_bytes = run(open_index(URL), MemorySource({URL: bytes(data)}))._directories.spans[0].length
        facts = root[Column.FACTS]
        page = Block(bytes(data[16 : trailer.root_start - directory_bytes]), BlockKind.PAGE, None, index=URL, section="page")
        made.append({column: page[column] for column in Column if column in page})
    facts = facts.replace(b'"members":12', b'"members":24').replace(b'"pages":1', b'"pages":2')
    return (*made, {Column.FACTS: facts})


def edit(columns: Columns, column: int, what: int, where: int, value: int) -> None:
    """Change one column: a byte set, put in or taken out; its end cut off; the column dropped, doubled, or another's."""
    known = sorted(columns)
    if not known:
        return
    column = known[column % len(known)]
    data = columns[column]
    at = where % (len(data) + 1)
    match what % 8:
        case 0 | 1:
            columns[column] = data[:at] + bytes([value]) + data[at + 1 :]
        case 2:
            columns[column] = data[:at] + bytes([value]) + data[at:]
        case 3:
            columns[column] = data[:at] + data[at + 1 :]
        case 4:
            columns[column] = data[:at]
        case 5:
            del columns[column]
        case 6:
            columns[column] = data + data[:value]
        case 7:
            columns[known[value % len(known)]] = data


def resealed(edits: bytes) -> bytes:
    """An index file with those edits, whose every length, tag and checksum is right."""
    tag, compressor = tag_of(ARCHIVE.etag, ARCHIVE.size), new_compressor()
    steps = [edits[at : at + 5] for at in range(0, len(edits) - 4, 5)]

    def changed(place: int, columns: Columns) -> Columns:
        for block, *rest in steps:
            if block % 8 == place:
                edit(columns, *rest)
        return columns

    def sealed(place: int, kind: BlockKind, columns: Columns) -> bytes:
        return encode_block(kind, tag, changed(place, columns), compressor)

    one, two, facts = sound_columns()
    pages = [sealed(0, BlockKind.PAGE, dict(one)), sealed(1, BlockKind.PAGE, dict(two))]
    keys = (b"", members()[12].name)
    rows = [Child(key, len(page), 12, 1) for key, page in zip(keys, pages, strict=True)]
    directory = sealed(2, BlockKind.DIRECTORY, encode_children(rows, len(HEADER)))
    start = len(HEADER) + sum(map(len, pages))
    root = sealed(3, BlockKind.ROOT, {**facts, **encode_children([Child(b"", len(directory), 24, 2)], start)})
    body = b"".join([HEADER, *pages, directory])
    return body + root + Trailer(len(body), len(root), len(body) + len(root) + Trailer.BYTES, 24, tag).encode()


TARGETS: dict[str, Callable[[bytes], None]] = {"anything": read_anything, "resealed": read_resealed}

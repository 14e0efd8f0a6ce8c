"""Damage is a named error or makes no difference; it is never another exception, and never a wrong answer."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer.drivers import run
from indexer.errors import IndexDamaged, IndexUnsupported
from indexer.indexfile import page as page_module
from indexer.indexfile.block import HEADER as BLOCK_HEADER
from indexer.indexfile.block import Block, BlockKind, encode_block, new_compressor, tag_of
from indexer.indexfile.columns import Column, encode_ints, encode_texts, varint, zigzag
from indexer.indexfile.layout import Trailer
from indexer.indexfile.reader import open_index
from indexer.indexfile.writer import ArchiveFacts
from indexer.limits import BLOCK_RAW_BYTES, MIB
from indexer.model import Codec, Extent, Frame, Member
from indexer.source.memory import MemorySource
from tests.fuzz import index_file
from tests.fuzz.index_file import ARCHIVE, read_anything, read_resealed, resealed, sound_columns
from tests.indexer.indexfile.made import FACTS, URL, opened, plain_members, shaped, written

T = TypeVar("T")
TAG = tag_of(ARCHIVE.etag, ARCHIVE.size)
SHAPE = {"page_members": 5, "directory_pages": 2, "tail_bytes": 300}


def read_all(data: bytes, model: Sequence[Member]) -> None:
    """Read everything; each answer is right or an error that names a section."""
    source = MemorySource({URL: data})
    index = answered(lambda: run(open_index(URL), source), ("trailer", "root"))
    if index is None:
        return
    for member in model:
        for look in (index.find(member.name), index.window(member.name, 1)):
            found = answered(lambda look=look: run(look, source), ("directory ", "page at "))  # type: ignore[misc]
            assert found is None or found == member or found[0] == member


def answered(call: Callable[[], T], where: tuple[str, ...]) -> T | None:
    """What `call` returns; None when it is refused with the name of one of these sections."""
    facts: dict[str, str | int]
    try:
        answer = call()
    except (IndexDamaged, IndexUnsupported) as error:
        facts = error.facts
    else:
        assert answer is not None
        return answer
    assert str(facts["section"]).startswith(where)
    assert facts["index"] == URL
    return None


def sections(data: bytes) -> list[tuple[int, int]]:
    """Where each page and each directory of an index lies, and the root."""
    index, source = opened(data)
    found = []
    for place, span in enumerate(index._directories.spans):
        found += [(page.start, page.stop) for page in run(index._directory(place), source).spans]
        found.append((span.start, span.stop))
    trailer = Trailer.decode(data, file_bytes=len(data), index=URL)
    return sorted([*found, (trailer.root_start, trailer.root_start + trailer.root_bytes)])


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_a_flipped_byte_anywhere_is_a_named_error_or_makes_no_difference(bit: int) -> None:
    with shaped(**SHAPE):
        of = index_file.members()
        sound = written(of)
        for at in range(len(sound)):
            read_all(sound[:at] + bytes([sound[at] ^ bit]) + sound[at + 1 :], of)


def test_a_file_cut_off_anywhere_is_refused() -> None:
    with shaped(**SHAPE):
        sound = written(index_file.members())
        for length in range(len(sound)):
            with pytest.raises(IndexDamaged, match="trailer"):
                opened(sound[:length])
            with pytest.raises(IndexDamaged, match="trailer"):
                opened(sound[len(sound) - length :])


@pytest.mark.parametrize("extra", [b"\0", b"BINDERYX", bytes(64)])
def test_bytes_added_before_or_behind_are_noticed(extra: bytes) -> None:
    sound = written(plain_members(10))
    for data in (extra + sound, sound + extra):
        with pytest.raises(IndexDamaged, match="trailer"):
            opened(data)


def test_blocks_of_another_index_are_noticed_in_every_place() -> None:
    """The same members of another version of the archive: every block is sound, of the same length, and wrong."""
    with shaped(**SHAPE):
        of = plain_members(24)
        mine, other = written(of), written(of, ArchiveFacts(FACTS.etag[::-1], FACTS.size, FACTS.kind, FACTS.facts))
        for start, stop in sections(mine):
            spliced = mine[:start] + other[start:stop] + mine[stop:]
            assert spliced != mine
            with pytest.raises(IndexDamaged, match="belongs elsewhere"):
                run_all(spliced)


def run_all(data: bytes) -> list[Member]:
    index, source = opened(data)
    return run(index.window(b"", index.members), source)


@pytest.mark.parametrize("kind", [BlockKind.PAGE, BlockKind.DIRECTORY])
def test_sound_blocks_in_each_others_place_are_noticed(kind: BlockKind) -> None:
    with shaped(**SHAPE):
        of = plain_members(40)
        data = written(of)
        blocks = [bounds for bounds in sections(data) if data[bounds[0] + 4] == kind]
        swaps = [(a, b) for a in blocks for b in blocks if a < b and a[1] - a[0] == b[1] - b[0]]
        assert swaps
        for (a, b), (c, d) in swaps:
            swapped = data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]
            read_all(swapped, of)
            with pytest.raises(IndexDamaged, match="belongs elsewhere"):
                run_all(swapped)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(IndexDamaged, match="no index file"):
        opened(data)


@given(st.binary(max_size=200).map(lambda data: written(plain_members(3))[:-64] + data))
def test_random_bytes_behind_a_sound_file_are_refused(data: bytes) -> None:
    read_anything(data)


def test_the_fuzzed_index_is_sound_when_nothing_is_edited() -> None:
    assert run_all(resealed(b"")) == index_file.members()
    assert {column for columns in sound_columns() for column in columns} >= set(range(1, 17)) | {*range(20, 24), *range(30, 38), 60}


@settings(max_examples=500)
@given(st.lists(st.tuples(st.integers(0, 3), *[st.integers(0, 255)] * 4), min_size=1, max_size=3))
def test_columns_changed_behind_right_checksums_are_refused_or_read(edits: list[tuple[int, ...]]) -> None:
    read_resealed(bytes(byte for edit in edits for byte in edit))


def test_every_byte_of_every_column_changed_behind_right_checksums_is_refused_or_read() -> None:
    for block, columns in enumerate(sound_columns()):
        place = 3 if block == 2 else block
        for column, data in enumerate(columns.values()):
            for at in range(min(len(data), 60)):
                for value in (0, 0xFF, data[at] ^ 0x10):
                    read_resealed(bytes([place, column, 0, at, value]))


def resealed_with(place: int, changes: dict[int, bytes | None], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A sound index whose first page or root has these columns instead of its own."""
    one, two, facts = sound_columns()
    made = [dict(one), dict(two), dict(facts)]
    for column, data in changes.items():
        made[place].pop(column, None)
        if data is not None:
            made[place][column] = data
    monkeypatch.setattr(index_file, "sound_columns", lambda: tuple(made))
    return resealed(b"")


ENDLESS = varint(2**63)
BOMBS: dict[str, dict[int, bytes | None]] = {
    "members without end": {Column.COUNTS: ENDLESS + varint(1) * 2 + varint(512) * 2 + varint(0)},
    "extents without end": {Column.COUNTS: varint(12) + ENDLESS * 2 + varint(512) * 2 + varint(0)},
    "frames without end": {Column.COUNTS: varint(12) + ENDLESS + varint(9) + varint(512) * 2 + varint(0)},
    "names that share all of one long name": {
        Column.NAME_SHARED: b"\0" + varint(zigzag(32 * MIB)),
        Column.NAME_REST: encode_ints([32 * MIB, *[0] * 11]),
        Column.NAMES: bytes(32 * MIB),
    },
    "names longer than any": {Column.NAME_REST: b"\0" + varint(zigzag(2**60))},
    "many texts": {Column.ATTRIBUTE_TEXTS: bytes(32 * MIB)},
    "one long text": {Column.ATTRIBUTE_TEXTS: varint(32 * MIB) + bytes(32 * MIB)},
    "deep attributes": {Column.ATTRIBUTE_TEXTS: varint(16_000) + b"[" * 16_000},
    "many ETags": {Column.ETAG_TEXT: bytes(32 * MIB)},
    "long ETags": {Column.ETAG_MD5: bytes(32 * MIB)},
    "columns beyond the limit": {Column.NAMES: bytes(BLOCK_RAW_BYTES)},
    "numbers beyond the limit": {Column.SIZE: b"\x08\0" + bytes(32 * MIB)},
    "a size beyond any": {Column.SIZE: b"\0" + varint(zigzag(2**64))},
    "a time beyond any": {Column.MTIME: b"\0" + varint(zigzag(2**64))},
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_no_length_in_a_page_takes_memory_that_it_does_not_have(
    bomb: dict[int, bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = resealed_with(0, bomb, monkeypatch)
    assert refused_within(data, BLOCK_RAW_BYTES + 8 * MIB)


@pytest.mark.parametrize(
    "facts",
    [
        b"[" * 60_000,
        b"[" + b"0," * (16 * MIB) + b"0]",
        b'{"archive_etag":"\\ud800","archive_size":1,"bytes":0,"kind":"","members":24,"pages":2,"unreadable":0}',
        b'{"archive_etag":"","archive_size":1,"bytes":0,"kind":"zip","members":24,"pages":2,"unreadable":0}',
        b'{"archive_etag":"a","archive_size":9223372036854775808,"bytes":0,"kind":"zip","members":24,"pages":2,"unreadable":0}',
        b'{"archive_etag":"a","archive_size":true,"bytes":0,"kind":"zip","members":24,"pages":2,"unreadable":0}',
        b'{"archive_etag":"a","archive_size":1e9,"bytes":0,"kind":"zip","members":24,"pages":2,"unreadable":0}',
        b"null",
        b"\xff",
        b"",
        b"9" * 50_000,
    ],
)
def test_facts_that_cannot_be_are_refused(facts: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused_within(resealed_with(2, {Column.FACTS: facts}, monkeypatch), BLOCK_RAW_BYTES + 8 * MIB)


def refused_within(data: bytes, most_bytes: int) -> bool:
    """Whether reading this index is refused, in no more memory than `most_bytes` at a time."""
    tracemalloc.start()
    try:
        with pytest.raises(IndexDamaged):
            run_all(data)
        return tracemalloc.get_traced_memory()[1] <= most_bytes
    finally:
        tracemalloc.stop()


def test_a_few_bytes_that_promise_a_million_extents_take_memory_for_those_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    most = 2**14
    monkeypatch.setattr(page_module, "MEMBER_EXTENTS", most)
    for lying in (
        tuple(Extent(Frame(at * 4000, 4000, 1 << 20, Codec.ZSTD), 0, 1 << 20) for at in range(most)),
        tuple(Extent(Frame(0, 10, 1 << 20, Codec.ZSTD), at, 1) for at in range(most)),
    ):
        member = Member(b"a", sum(extent.length for extent in lying), 0, lying)
        data = written([member])
        assert len(data) < 2000
        index, source = opened(data)
        tracemalloc.start()
        found = run(index.find(b"a"), source)
        peak_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found == member
        assert peak_bytes < 512 * most
        with pytest.raises(IndexDamaged, match="impossible counts"):
            run_all(written([member._replace(size=member.size + 1, extents=(*lying, Extent(None, 0, 1)))]))


def block(columns: dict[int, bytes], change: Callable[[bytearray], None] = lambda _: None) -> bytes:
    data = bytearray(encode_block(BlockKind.PAGE, TAG, columns, new_compressor()))
    change(data)
    return zlib_sealed(bytes(data))


def zlib_sealed(data: bytes) -> bytes:
    from zlib import crc32

    return crc32(data[4:]).to_bytes(4, "little") + data[4:]


def opened_block(data: bytes) -> Block:
    return Block(data, BlockKind.PAGE, TAG, index=URL, section="page 7")


def test_columns_from_128_on_are_passed_over_and_others_are_unsupported() -> None:
    assert opened_block(block({Column.SIZE: b"x", 128: b"later", 255: b""}))[Column.SIZE] == b"x"
    for column in (0, 38, 39, 127):
        with pytest.raises(IndexUnsupported, match=f"column {column}.*page 7.*later version"):
            opened_block(block({Column.SIZE: b"x", column: b"later"}))


def test_an_unknown_coding_is_unsupported_unless_its_column_is_passed_over() -> None:
    def coding_2(data: bytearray) -> None:
        data[BLOCK_HEADER.size + 1] = 2

    assert Column.SIZE not in opened_block(block({128: b"x"}, coding_2))
    with pytest.raises(IndexUnsupported, match="coding 2"):
        opened_block(block({Column.SIZE: b"x"}, coding_2))


def test_a_block_with_reserved_bits_is_unsupported() -> None:
    for at in (6, 7):
        with pytest.raises(IndexUnsupported, match="another form"):
            opened_block(block({Column.SIZE: b"x"}, lambda data, at=at: data.__setitem__(at, 1)))  # type: ignore[misc]


def test_a_column_that_is_there_twice_is_damage() -> None:
    def both_sizes(data: bytearray) -> None:
        data[BLOCK_HEADER.size + 4] = Column.SIZE

    with pytest.raises(IndexDamaged, match="twice"):
        opened_block(block({Column.SIZE: b"x", Column.MTIME: b"y"}, both_sizes))


@pytest.mark.parametrize(
    "payload", [zstandard.compress(b"x" * 99), zstandard.compress(b"x" * 100) + b"\0", b"(\xb5/\xfd", b"no zstd"]
)
def test_a_payload_that_is_not_one_frame_of_the_length_told_is_damage(payload: bytes) -> None:
    row = bytes([Column.SIZE, 1]) + varint(len(payload)) + varint(100)
    data = zlib_sealed(BLOCK_HEADER.pack(0, BlockKind.PAGE, 1, 0, TAG) + row + payload)
    with pytest.raises(IndexDamaged, match="column 5"):
        opened_block(data)[Column.SIZE]


@pytest.mark.parametrize(("at", "value"), [(40, 1), (43, 0x80), (44, 2), (45, 1)])
def test_another_major_version_or_a_flag_is_unsupported(at: int, value: int) -> None:
    with pytest.raises(IndexUnsupported, match="later version"):
        opened(with_trailer(at, value))


@pytest.mark.parametrize(("at", "value"), [(46, 9), (48, 1), (51, 0xFF)])
def test_a_later_minor_version_and_its_hints_are_read(at: int, value: int) -> None:
    assert run_all(with_trailer(at, value)) == plain_members(5)


def with_trailer(at: int, value: int) -> bytes:
    data = bytearray(written(plain_members(5)))
    data[at - 64] = value
    from zlib import crc32

    data[-12:-8] = crc32(data[-64:-12]).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("column", "data", "what"),
    [
        (Column.FRAME_CODEC, b"\0" + varint(zigzag(max(Codec) + 1)), f"frame codec {max(Codec) + 1}"),
        (Column.ETAG_KIND, b"\0" + varint(zigzag(4)), "ETag of kind 4"),
    ],
)
def test_what_only_a_later_format_can_mean_is_unsupported(
    column: Column, data: bytes, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = resealed_with(
        0,
        {
            column: data,
            **({Column.ETAG_MD5: None, Column.ETAG_PARTS: None, Column.ETAG_TEXT: None} if column == Column.ETAG_KIND else {}),
        },
        monkeypatch,
    )
    index, source = opened(later)
    with pytest.raises(IndexUnsupported, match=what):
        run(index.find(b"log/2024/000"), source)
    assert run(index.find(b"log/2024/013"), source) == index_file.members()[13]


@pytest.mark.parametrize("name", [b"", b"/a", b"./a", b".", b"..", b"a/../b", b"a\0", b"\xff", b"a/.."])
def test_a_name_that_no_member_may_bear_is_refused_by_the_reader(name: bytes) -> None:
    with pytest.raises(IndexDamaged):
        run_all(written(sorted([Member(name, 0, 0, ()), Member(b"-", 0, 0, ()), Member(b"z", 0, 0, ())])))


@pytest.mark.parametrize("name", [b"a..b", b"..a", b"a..", b".a", b"a/.", b"...", b"a//b", "é/日".encode()])
def test_a_name_that_only_looks_like_one_is_read(name: bytes) -> None:
    of = sorted([Member(name, 0, 0, ()), Member(b"-", 0, 0, ()), Member(b"z", 0, 0, ())])
    assert run_all(written(of)) == of


def test_more_texts_than_members_are_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    data = resealed_with(0, {Column.UNREADABLE_TEXTS: encode_texts([b"x"] * 13)}, monkeypatch)
    with pytest.raises(IndexDamaged, match="more texts"):
        run_all(data)

"""Headers are what POSIX says: Python's tarfile reads them, and knows no more than the standard."""

import io
import tarfile

from hypothesis import given
from hypothesis import strategies as st

from archiver import tarheaders

SEGMENT = st.text(st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120)
NAMES = st.lists(SEGMENT, min_size=1, max_size=8).map("/".join).filter(lambda name: len(name.encode()) <= 1024)


def first(written: bytes) -> tarfile.TarInfo:
    with tarfile.open(fileobj=io.BytesIO(written + tarheaders.END_OF_ARCHIVE)) as tar:
        read = tar.next()
    assert read is not None
    return read


@given(NAMES, st.integers(0, 8**11 - 1), st.integers(0, 8**11 - 1))
def test_what_is_written_is_read_back(name: str, size: int, mtime_s: int) -> None:
    fields = tarheaders.split(name.encode())
    if fields is None:
        head = tarheaders.pax(tarheaders.PAX_MEMBER, [(b"path", name.encode())])
        fields = b"short", b""
    else:
        head = b""
    written = head + tarheaders.header(*fields, size, mtime_s, tarheaders.FILE)
    assert len(written) % tarheaders.BLOCK == 0
    read = first(written)
    assert (read.name, read.size, read.mtime, read.uid, read.mode) == (name, size, mtime_s, 0, 0o644)


@given(st.integers(0, 1100))
def test_a_pax_record_counts_its_own_length(size: int) -> None:
    written = tarheaders.pax(tarheaders.PAX_MEMBER, [(b"comment", b"v" * size)])
    assert first(written + tarheaders.header(b"member", b"", 0, 0, tarheaders.FILE)).pax_headers == {"comment": "v" * size}


@given(NAMES)
def test_ustar_fields_join_to_the_name(name: str) -> None:
    fields = tarheaders.split(name.encode())
    if fields is not None:
        last, prefix = fields
        assert (prefix + b"/" + last if prefix else last) == name.encode()
        assert len(last) <= tarheaders.NAME_FIELD
        assert len(prefix) <= tarheaders.PREFIX_FIELD


def test_names_that_readers_join_differently_are_left_to_pax() -> None:
    assert tarheaders.split(b"a" * 60 + b"//" + b"b" * 60) is None
    assert tarheaders.split("é".encode()) is None
    assert tarheaders.split(b"a/" * 50) == (b"a/" * 50, b"")
    assert tarheaders.split(b"a" * 101) is None

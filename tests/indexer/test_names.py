"""What becomes of names in archives."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.limits import NAME_BYTES
from indexer.names import NameFault, clean, percent_escaped, shown

RAW = st.one_of(
    st.lists(st.sampled_from([b"/", b".", b"a", b"\0", b"\xff", "é".encode(), b"%"]), max_size=12).map(b"".join),
    st.binary(max_size=30),
)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"a/b.log", b"a/b.log"),
        (b"/etc/passwd", b"etc/passwd"),
        (b"./a", b"a"),
        (b".//./a", b"a"),
        (b"//a//b", b"a//b"),
        (b"a/", b"a/"),
        (b".a", b".a"),
        (b"..a/b..", b"..a/b.."),
        (b"a/./b", b"a/./b"),
        ("é".encode(), "é".encode()),
        (b"caf\xe9.txt", b"caf%E9.txt"),
        (b"%41", b"%41"),
        (b"a\\..\\b", b"a\\..\\b"),
        (b"", NameFault.EMPTY),
        (b"/", NameFault.EMPTY),
        (b"./", NameFault.EMPTY),
        (b".", NameFault.EMPTY),
        (b"/.", NameFault.EMPTY),
        (b"..", NameFault.PARENT_SEGMENT),
        (b"../a", NameFault.PARENT_SEGMENT),
        (b"/../a", NameFault.PARENT_SEGMENT),
        (b"a/../b", NameFault.PARENT_SEGMENT),
        (b"a/..", NameFault.PARENT_SEGMENT),
        (b"a\0b", NameFault.NUL),
        (b"a" * NAME_BYTES, b"a" * NAME_BYTES),
        (b"a" * (NAME_BYTES + 1), NameFault.TOO_LONG),
        (b"./" + b"a" * NAME_BYTES, b"a" * NAME_BYTES),
        (b"\xff" * 342, NameFault.TOO_LONG),
    ],
)
def test_a_name_is_cleaned_or_refused(raw: bytes, name: bytes | NameFault) -> None:
    assert clean(raw) == name


@given(raw=RAW)
def test_a_clean_name_is_safe_and_stays_as_it_is(raw: bytes) -> None:
    name = clean(raw)
    if isinstance(name, NameFault):
        return
    assert 0 < len(name) <= NAME_BYTES
    assert clean(name) == name
    assert b"\0" not in name
    assert ("/place/" + os.path.normpath("/place/" + name.decode()) + "/").startswith("/place//place/")


@given(raw=RAW)
def test_what_is_utf8_is_never_escaped(raw: bytes) -> None:
    escaped = percent_escaped(raw)
    try:
        raw.decode()
    except UnicodeDecodeError:
        assert escaped.decode() == raw.decode(errors="surrogateescape").translate(
            {0xDC00 + byte: f"%{byte:02X}" for byte in range(256)}
        )
    else:
        assert escaped == raw


@given(RAW)
def test_a_name_in_a_message_is_one_line_that_commands_no_terminal(raw: bytes) -> None:
    assert shown(raw).isprintable()


def test_a_name_in_a_message_is_readable_and_short() -> None:
    assert shown("Grüße.txt".encode()) == "Grüße.txt"
    assert shown(b"a\x1b[2Jb\nc\xff") == r"a\x1b[2Jb\nc\xff"
    assert len(shown(b"x" * 5000)) == 200

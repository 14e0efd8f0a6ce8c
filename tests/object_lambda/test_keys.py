"""Keys and parameters out of what came over the wire."""

from urllib.parse import quote, quote_from_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.limits import NAME_BYTES
from object_lambda.keys import key_of, parse_query, split_path, successor
from object_lambda.s3_errors import InvalidURI, KeyTooLongError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(bucket=TEXT.filter(lambda text: "/" not in text), key=TEXT, safe=st.sampled_from(["", "/", "/+=&!~*'()"]))
def test_every_key_is_read_back_however_it_is_escaped(bucket: str, key: str, safe: str) -> None:
    assert split_path(f"/{quote(bucket, safe='')}/{quote(key, safe=safe)}".encode()) == (bucket, key.encode())


@given(raw=st.binary(max_size=12))
def test_what_is_no_percent_encoded_utf8_is_refused_and_all_else_decodes_to_itself(raw: bytes) -> None:
    try:
        key = key_of(raw)
    except InvalidURI:
        return
    assert key_of(quote_from_bytes(key, safe="").encode()) == key
    assert key.decode().encode() == key


@pytest.mark.parametrize("raw", [b"%", b"%4", b"%zz", b"a%2", b"%C3", b"\xff", b"%ED%A0%80"])
def test_a_broken_escape_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidURI):
        key_of(raw)


def test_a_key_is_measured_decoded() -> None:
    assert len(key_of(b"%C3%BC" * (NAME_BYTES // 2))) == NAME_BYTES
    with pytest.raises(KeyTooLongError):
        key_of(b"a" * (NAME_BYTES + 1))


def test_slashes_and_dots_stand_for_themselves() -> None:
    assert split_path(b"/") == ("", b"")
    assert split_path(b"/bucket") == ("bucket", b"")
    assert split_path(b"/bucket/") == ("bucket", b"")
    assert split_path(b"/bucket//a") == ("bucket", b"/a")
    assert split_path(b"/bucket/../a/./b/") == ("bucket", b"../a/./b/")


@given(pairs=st.lists(st.tuples(TEXT, TEXT), max_size=5, unique_by=lambda pair: pair[0]))
def test_parameters_are_read_back(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(urlencode(pairs).encode()) == dict(pairs)


def test_blank_parameters_are_kept_and_the_first_of_two_counts() -> None:
    assert parse_query(b"location&prefix=&a=1&a=2&&b=x=y") == {"location": "", "prefix": "", "a": "1", "b": "x=y"}


@given(prefix=st.binary(max_size=4), key=st.binary(max_size=6))
def test_the_successor_parts_what_has_the_prefix_from_what_is_greater(prefix: bytes, key: bytes) -> None:
    after = successor(prefix)
    assert (key.startswith(prefix) or key < prefix) == (after is None or key < after)

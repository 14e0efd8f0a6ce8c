"""Attributes have one spelling, and what a stranger wrote is checked before it becomes a header."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.attributes import decode, decode_etag, encode
from indexer.limits import ATTRIBUTES_BYTES, ETAG_BYTES
from indexer.model import DEFAULT_ATTRIBUTES, Attributes

PRINTABLE = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
TEXTS = st.none() | PRINTABLE
METADATA = st.dictionaries(st.text("abz09-_.", min_size=1, max_size=5), PRINTABLE, max_size=3)
ATTRIBUTES = st.builds(Attributes, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, METADATA.map(lambda told: tuple(sorted(told.items()))))


@given(attributes=ATTRIBUTES)
def test_what_is_encoded_decodes_to_itself(attributes: Attributes) -> None:
    data = encode(attributes)
    assert decode(data) == attributes
    assert encode(decode(data)) == data


@given(attributes=ATTRIBUTES)
def test_the_spelling_is_canonical_json(attributes: Attributes) -> None:
    data = encode(attributes)
    if attributes == DEFAULT_ATTRIBUTES:
        assert data == b""
    else:
        assert data == json.dumps(json.loads(data), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        assert b"null" not in data or b"null" in repr(attributes).encode()


def test_nothing_and_an_empty_object_are_the_default() -> None:
    assert decode(b"") == decode(b"{}") == DEFAULT_ATTRIBUTES
    assert encode(DEFAULT_ATTRIBUTES) == b""


def test_names_of_later_versions_are_passed_over() -> None:
    assert decode(b'{"content_type":"text/plain","expires":[1]}') == Attributes(content_type="text/plain")


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"1",
        b"{",
        b"\xff",
        b'{"content_type":1}',
        b'{"content_type":null}',
        b'{"metadata":[]}',
        b'{"metadata":{"a":1}}',
        b'{"content_type":"\\ud800"}',
        b'{"content_type":"a\\r\\nSet-Cookie: b"}',
        b'{"metadata":{"a":"\\u0000"}}',
        b'{"metadata":{"a: b":"c"}}',
        b'{"metadata":{"":"c"}}',
        b"[" * ATTRIBUTES_BYTES,
        b'"' + b"a" * ATTRIBUTES_BYTES + b'"',
    ],
)
def test_what_could_be_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the promise is the type: json raises some of them
        decode(data)


@given(data=st.binary(max_size=40))
def test_rubbish_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        attributes = decode(data)
    except ValueError:
        return
    assert decode(encode(attributes)) == attributes


def test_an_etag_is_what_a_header_can_carry() -> None:
    for told in (b"d41d8cd98f00b204e9800998ecf8427e", b"abc-12", b"!#~"):
        assert decode_etag(told) == told.decode()
    for told in (b"", b'a"b', b"a b", b"a\r\nSet-Cookie: b", b"\x7f", b"\xc3\xa9", b"a" * (ETAG_BYTES + 1)):
        with pytest.raises(ValueError, match="ETag"):
            decode_etag(told)

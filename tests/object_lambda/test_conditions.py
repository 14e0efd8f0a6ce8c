"""Dates, ranges and preconditions against what they mean."""

from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.model import Span
from object_lambda.byte_range import content_range, wanted
from object_lambda.conditions import names_etag, range_is_current
from object_lambda.dates import LAST_S, http_date, iso_date, parse_http_date
from object_lambda.requests import ObjectRequest
from object_lambda.s3_errors import InvalidRange

SECONDS = st.integers(-62135596800, LAST_S)


@given(seconds=SECONDS)
def test_dates_are_those_of_the_calendar_and_read_back(seconds: int) -> None:
    told = http_date(seconds)
    if 0 <= seconds < 2**35:
        assert told == formatdate(seconds, usegmt=True)
        assert parse_http_date(told) == seconds
        assert iso_date(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert len(told) == 29


@pytest.mark.parametrize("seconds", [-(2**63), 2**63])
def test_a_time_beyond_the_calendar_is_told_as_its_edge(seconds: int) -> None:
    assert http_date(seconds)[12:16] == iso_date(seconds)[:4] == ("0001" if seconds < 0 else "9999")


@pytest.mark.parametrize("text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])
def test_all_three_forms_of_a_date_are_read(text: str) -> None:
    assert parse_http_date(text) == 784111777


@pytest.mark.parametrize(
    "text", ["", "yesterday", "Mon, 99 Foo 2020 00:00:00 GMT", "1", "\x00", "Sun, 06 Nov 1994 08:49:37 +9999999999"]
)
def test_what_is_no_date_is_none(text: str) -> None:
    assert parse_http_date(text) is None


@given(size=st.integers(0, 30), first=st.none() | st.integers(0, 40), last=st.none() | st.integers(0, 40))
def test_a_range_means_the_bytes_that_slicing_means(size: int, first: int | None, last: int | None) -> None:
    data = bytes(range(size))
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    request = ObjectRequest("bucket", b"key", range=text)
    if (first is None and last is None) or (first is not None and last is not None and first > last):
        assert wanted(request, size) is None
        return
    start = max(size - (last or 0), 0) if first is None else first
    stop = size if first is None or last is None else last + 1
    expected = data[start:stop]
    if not expected:
        with pytest.raises(InvalidRange):
            wanted(request, size)
        return
    span = wanted(request, size)
    assert span is not None
    assert data[span.start : span.stop] == expected
    assert content_range(span, size) == f"bytes {expected[0]}-{expected[-1]}/{size}"


def test_the_range_of_an_endless_object_is_not_cut() -> None:
    assert wanted(ObjectRequest("bucket", b"key", range=f"bytes={2**62}-"), 2**63 - 1) == Span(2**62, 2**63 - 1)


def test_etags_are_named_with_and_without_their_marks() -> None:
    for sent in ("abc", '"abc"', 'W/"abc"', '"x", "abc"', "*", ' "abc" ', '"x",*'):
        assert names_etag(sent, "abc")
    for sent in ("", "ab", '"abcd"', '"x", "y"'):
        assert not names_etag(sent, "abc")


def test_if_range_wants_a_strong_etag_or_the_very_date() -> None:
    assert range_is_current(None, "abc", 0)
    assert range_is_current('"abc"', "abc", 0)
    assert range_is_current(http_date(784111777), "abc", 784111777)
    assert not range_is_current('W/"abc"', "abc", 0)
    assert not range_is_current(http_date(784111778), "abc", 784111777)

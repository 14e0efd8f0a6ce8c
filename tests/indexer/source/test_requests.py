"""The plan that every source carries out, against slices of a string."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import ArchiveDamaged
from indexer.limits import COALESCE_GAP_BYTES, REQUEST_BYTES
from indexer.model import Identity, Span
from indexer.source import requests

DATA = bytes(range(200))
OF = Identity("s3://bucket/key", "e", len(DATA))
spans = st.builds(lambda start, length: Span(start, min(start + length, len(DATA))), st.integers(0, 200), st.integers(0, 90))


@given(wanted=st.lists(spans, max_size=10), longest=st.integers(1, 50), gap=st.integers(0, 20))
def test_answers_are_the_spans_and_no_request_is_too_long(wanted: list[Span], longest: int, gap: int) -> None:
    with patch.object(requests, "REQUEST_BYTES", longest), patch.object(requests, "COALESCE_GAP_BYTES", gap):
        plan = requests.plan(OF, tuple(wanted))
    assert all(0 < span.length <= longest for span in plan.spans)
    assert plan.answer(DATA[start:stop] for start, stop in plan.spans) == [DATA[start:stop] for start, stop in wanted]


@given(start=st.integers(-5, 250), stop=st.integers(-5, 250))
def test_only_spans_inside_the_object_are_planned(start: int, stop: int) -> None:
    if 0 <= start <= stop <= OF.size:
        assert requests.plan(OF, [Span(start, stop)]).spans == ([Span(start, stop)] if start < stop else [])
    else:
        with pytest.raises(ArchiveDamaged) as raised:
            requests.plan(OF, [Span(start, stop)])
        assert (raised.value.facts["offset"], raised.value.facts["size"]) == (start, OF.size)


def test_the_bounds_are_those_of_the_limits() -> None:
    of = Identity("s3://bucket/key", "e", 10 * REQUEST_BYTES)
    near = [Span(0, 1), Span(1 + COALESCE_GAP_BYTES, 2 + COALESCE_GAP_BYTES)]
    far = [Span(0, 1), Span(2 + COALESCE_GAP_BYTES, 3 + COALESCE_GAP_BYTES)]
    assert [len(requests.plan(of, wanted).spans) for wanted in (near, far)] == [1, 2]
    long = requests.plan(of, [Span(5, 5 + 2 * REQUEST_BYTES)])
    assert [span.length for span in long.spans] == [REQUEST_BYTES, REQUEST_BYTES]

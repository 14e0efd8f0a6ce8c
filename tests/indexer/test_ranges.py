"""The arithmetic of requests against slices of a string."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from indexer import ranges
from indexer.model import Span

DATA = bytes(range(200))
spans = st.builds(lambda start, length: Span(start, min(start + length, len(DATA))), st.integers(0, 199), st.integers(0, 40))
asks = st.lists(spans, max_size=12)
gaps = st.integers(0, 20)
longest = st.integers(1, 60)


@given(wanted=asks, gap_bytes=gaps, request_bytes=longest)
def test_what_is_cut_from_the_requests_is_what_was_wanted(wanted: list[Span], gap_bytes: int, request_bytes: int) -> None:
    requests = ranges.coalesce(wanted, gap_bytes=gap_bytes, request_bytes=request_bytes)
    fetched = [DATA[request.span.start : request.span.stop] for request in requests]
    assert ranges.cut(wanted, requests, fetched) == [DATA[start:stop] for start, stop in wanted]


@given(wanted=asks, gap_bytes=gaps, request_bytes=longest)
def test_every_span_with_bytes_is_answered_by_one_request(wanted: list[Span], gap_bytes: int, request_bytes: int) -> None:
    requests = ranges.coalesce(wanted, gap_bytes=gap_bytes, request_bytes=request_bytes)
    answered = sorted(position for request in requests for position in request.answers)
    assert answered == [position for position, span in enumerate(wanted) if span.length]


@given(wanted=asks, gap_bytes=gaps, request_bytes=longest)
def test_neighbours_are_joined_as_far_as_the_bounds_allow(wanted: list[Span], gap_bytes: int, request_bytes: int) -> None:
    requests = ranges.coalesce(wanted, gap_bytes=gap_bytes, request_bytes=request_bytes)
    assert [request.span for request in requests] == sorted(request.span for request in requests)
    for request in requests:
        members = sorted(wanted[position] for position in request.answers)
        assert (request.span.start, request.span.stop) == (members[0].start, max(span.stop for span in members))
        assert request.span.length <= request_bytes or len(members) == 1
        reached = members[0].stop
        for span in members:
            assert span.start - reached <= gap_bytes
            reached = max(reached, span.stop)
    for left, right in itertools.pairwise(requests):
        first = min(wanted[position] for position in right.answers)
        far = first.start - left.span.stop > gap_bytes
        long = max(left.span.stop, first.stop) - left.span.start > request_bytes
        assert far or long


@given(start=st.integers(0, 50), length=st.integers(0, 50), piece_bytes=st.integers(1, 20))
def test_pieces_are_consecutive_and_full_but_for_the_last(start: int, length: int, piece_bytes: int) -> None:
    cut = ranges.pieces(Span(start, start + length), piece_bytes)
    assert b"".join(DATA[piece.start : piece.stop] for piece in cut) == DATA[start : start + length]
    assert all(piece.length == piece_bytes for piece in cut[:-1])
    assert all(0 < piece.length <= piece_bytes for piece in cut)

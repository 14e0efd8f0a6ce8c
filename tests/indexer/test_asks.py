"""Passing on what a computation asks, until it hands out what is waited for."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from indexer.asks import NeedHead, until
from indexer.errors import ObjectMissing

FIRST, SECOND = NeedHead("s3://b/1"), NeedHead("s3://b/2")


def telling() -> Generator[Any, Any, None]:
    yield b"%d" % (yield FIRST)
    yield b""
    try:
        yield SECOND
    except ObjectMissing:
        yield b"missing"


def test_asks_are_passed_on_and_answers_and_errors_come_back_to_who_asked() -> None:
    inner = telling()
    steps = until(bytes, inner)
    assert next(steps) is FIRST
    with pytest.raises(StopIteration) as told:
        steps.send(7)
    assert told.value.value == b"7"
    with pytest.raises(StopIteration) as told:
        next(until(bytes, inner))
    assert told.value.value == b"", "an empty piece is no end"
    steps = until(bytes, inner)
    assert next(steps) is SECOND
    with pytest.raises(StopIteration) as told:
        steps.throw(ObjectMissing("it is gone"))
    assert told.value.value == b"missing"
    with pytest.raises(StopIteration) as told:
        next(until(bytes, inner))
    assert told.value.value is None

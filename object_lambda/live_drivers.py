"""Runs computations that ask of a live side too (`live.OverlaySteps`), in the caller's thread."""

from __future__ import annotations

from typing import TypeVar

from indexer.drivers import answer
from indexer.errors import BinderyError
from indexer.source import Source
from object_lambda.live import Live, LiveAsk, LiveList, LiveObject, OverlaySteps
from object_lambda.s3_errors import S3Error

T = TypeVar("T")


def run_overlaid(steps: OverlaySteps[T], source: Source, live: Live) -> T:
    """As `indexer.drivers.run`, with a live side beside the source; what either raises is thrown to whoever asked."""
    try:
        ask = next(steps)
        while True:
            try:
                reply = _of_live(ask, live) if isinstance(ask, LiveAsk) else answer(ask, source)
            except (BinderyError, S3Error) as error:
                ask = steps.throw(error)
            else:
                ask = steps.send(reply)
    except StopIteration as end:
        result: T = end.value
        return result


def _of_live(ask: LiveAsk, live: Live) -> object:
    match ask:
        case LiveObject():
            return live.open(ask)
        case LiveList():
            return live.list(ask)

"""Open indexes under several callers at once: steps of one call between the steps of another."""

import pytest

from indexer.asks import Head, NeedHead, NeedTail
from indexer.errors import StoreFailed
from indexer.source.memory import MemorySource
from object_lambda.memory import BoundedMap
from object_lambda.mounts import Mount
from object_lambda.roots import AnyRoot, Root, Roots
from tests.object_lambda.made_archives import Clock, mount, put_archive

PLACE = mount("bucket")


def roots_and_source(clock: Clock) -> tuple[Roots, MemorySource]:
    objects: dict[str, bytes] = {}
    put_archive(objects, {"a": b"1"})
    known: BoundedMap[Mount, AnyRoot] = BoundedMap(10, lambda _: 1)
    return Roots(known=known, pages={}, clock=clock, freshness_s=60), MemorySource(objects)


def opened(roots: Roots, source: MemorySource) -> Root:
    steps = roots.open(PLACE)
    ask = next(steps)
    assert isinstance(ask, NeedTail)
    with pytest.raises(StopIteration) as end:
        steps.send(source.tail(ask.url, ask.length))
    root: Root = end.value.value
    return root


def at_once(roots: Roots) -> Root:
    """The root when opening it asks for nothing."""
    with pytest.raises(StopIteration) as end:
        next(roots.open(PLACE))
    root: Root = end.value.value
    return root


def test_one_caller_asks_whether_a_root_still_holds_and_the_others_go_on_with_it() -> None:
    clock = Clock()
    roots, source = roots_and_source(clock)
    root = opened(roots, source)
    clock.now_s = 60
    asking = roots.open(PLACE)
    ask = next(asking)
    assert isinstance(ask, NeedHead)
    assert at_once(roots).index is root.index
    with pytest.raises(StopIteration):
        asking.send(source.head(ask.url))
    assert at_once(roots).index is root.index


def test_a_root_that_does_not_hold_is_dropped_before_the_new_one_is_read() -> None:
    clock = Clock()
    roots, source = roots_and_source(clock)
    opened(roots, source)
    clock.now_s = 60
    asking = roots.open(PLACE)
    ask = next(asking)
    assert isinstance(ask, NeedHead)
    assert isinstance(asking.send(Head(source.identity(PLACE.archive), 0)), NeedTail)
    assert isinstance(next(roots.open(PLACE)), NeedTail)


@pytest.mark.parametrize("end", ["fails", "is given up"])
def test_a_question_that_gets_no_answer_leaves_nothing_to_be_believed(end: str) -> None:
    clock = Clock()
    roots, source = roots_and_source(clock)
    opened(roots, source)
    clock.now_s = 60
    asking = roots.open(PLACE)
    next(asking)
    if end == "fails":
        with pytest.raises(StoreFailed):
            asking.throw(StoreFailed("down"))
    else:
        asking.close()
    assert isinstance(next(roots.open(PLACE)), NeedTail)


def test_forgetting_an_old_root_leaves_a_newer_one() -> None:
    roots, source = roots_and_source(Clock())
    old = opened(roots, source)
    roots.forget(PLACE, old)
    new = opened(roots, source)
    roots.forget(PLACE, old)
    assert at_once(roots) is new

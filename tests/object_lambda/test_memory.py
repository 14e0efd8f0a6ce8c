"""What is kept in memory stays within its bound."""

from hypothesis import given
from hypothesis import strategies as st

from object_lambda.memory import BoundedMap


@given(steps=st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=12)), max_size=40))
def test_the_bound_holds_and_what_is_held_is_what_was_put(steps: list[tuple[str, bytes]]) -> None:
    held: BoundedMap[str, bytes] = BoundedMap(20, len)
    last: dict[str, bytes] = {}
    for key, value in steps:
        held[key] = last[key] = value
        assert held.weight == sum(len(held[one]) for one in held) <= 20
        assert key in held
    assert all(held[key] == last[key] for key in held)


def test_the_least_recently_used_is_forgotten_first() -> None:
    held: BoundedMap[str, bytes] = BoundedMap(2, len)
    held["a"] = held["b"] = b"1"
    assert held["a"]
    held["c"] = b"1"
    assert sorted(held) == ["a", "c"]


def test_what_is_larger_than_the_bound_is_not_kept_and_takes_its_former_value_along() -> None:
    held: BoundedMap[str, bytes] = BoundedMap(2, len)
    held["a"] = b"1"
    held["a"] = b"123"
    assert (len(held), held.weight, held.get("a")) == (0, 0, None)


def test_an_entry_can_be_dropped() -> None:
    held: BoundedMap[str, bytes] = BoundedMap(2, len)
    held["a"] = b"1"
    del held["a"]
    assert "a" not in held

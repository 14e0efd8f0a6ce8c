"""What a grant covers, against a model that spells it out."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from object_lambda.grants import Grants

NAMES = st.text("ab/*ü", max_size=5)
TEXTS = st.one_of(
    st.just("*"), st.tuples(st.sampled_from(["a", "b"]), NAMES).map(lambda pair: f"{pair[0]}/{pair[1]}"), st.just("b")
)


def covered(text: str, bucket: str, start: str) -> bool:
    """One grant, by the table of `Grants`."""
    if text == "*":
        return True
    granted, _, rest = text.partition("/")
    if granted != bucket:
        return False
    if rest.endswith("*"):
        return start.startswith(rest[:-1])
    return not rest or start.startswith(rest.removesuffix("/") + "/")


@given(texts=st.lists(TEXTS, max_size=3), bucket=st.sampled_from(["a", "b", "c"]), start=NAMES)
@example(texts=["a/b"], bucket="a", start="b")
@example(texts=["a/b"], bucket="a", start="bb/")
@example(texts=["a/b*"], bucket="a", start="bb")
@example(texts=["a", "a/b"], bucket="a", start="")
def test_a_grant_covers_what_lies_beneath_it_and_nothing_beside(texts: list[str], bucket: str, start: str) -> None:
    grants = Grants(texts)
    assert grants.covers(bucket, start.encode()) == any(covered(text, bucket, start) for text in texts)
    assert grants.touches(bucket) == any(text == "*" or text.partition("/")[0] == bucket for text in texts)


@given(texts=st.lists(TEXTS, max_size=3), bucket=st.sampled_from(["a", "b"]), prefix=NAMES, rest=NAMES)
def test_whoever_may_list_a_prefix_may_read_every_key_of_it(texts: list[str], bucket: str, prefix: str, rest: str) -> None:
    grants = Grants(texts)
    if grants.covers(bucket, prefix.encode()):
        assert grants.covers(bucket, (prefix + rest).encode())


@pytest.mark.parametrize("text", ["", "/", "/key", "b*", "**", "*/a"])
def test_what_names_no_bucket_is_no_grant(text: str) -> None:
    with pytest.raises(ValueError, match="no grant"):
        Grants([text])

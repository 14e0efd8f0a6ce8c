"""Every form in which AWS tells of an upload names the same objects, and anything else is refused by name."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archiver.arrivals import arrivals, messages
from indexer.errors import SettingInvalid

EVENTS = Path(__file__).with_name("events")
BUCKET = "s3://amzn-s3-demo-bucket"


def event(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("s3_put", ["logs/2026.zip"]),
        ("s3_multipart_odd_keys", ["a b/c+d=1/☃.tar.zst", "100%.zip"]),
        ("s3_removed_and_put", ["there.zip"]),
        ("s3_test", []),
        ("eventbridge_created", ["a+b c%20d.zip"]),
        ("eventbridge_deleted", []),
        ("sns", ["by topic.zip"]),
    ],
)
def test_an_event_names_what_was_stored(name: str, keys: list[str]) -> None:
    assert messages(event(name)) is None
    urls = [f"{BUCKET}/{key}" for key in keys]
    assert arrivals(event(name)) == urls
    assert arrivals(json.dumps(event(name))) == urls


def test_a_batch_is_told_message_by_message() -> None:
    batch = messages(event("sqs_mixed"))
    assert batch is not None
    told = [arrivals(message.body) for message in (batch[0], batch[1], batch[2], batch[4])]
    assert told == [[f"{BUCKET}/one.zip"], [f"{BUCKET}/two.zip"], [f"{BUCKET}/three.zip", f"{BUCKET}/four.zip"], []]
    with pytest.raises(SettingInvalid, match="not JSON"):
        arrivals(batch[3].body)
    assert [message.identifier[-1] for message in batch] == list("01234")


def test_nesting_has_an_end() -> None:
    body = json.dumps(event("s3_put"))
    for _ in range(4):
        body = json.dumps({"Type": "Notification", "Message": body})
    with pytest.raises(SettingInvalid):
        arrivals(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Records", "eventSource", "Type", "source", "detail-type", "detail", "Message", "s3", "eventName"]),
            inner | st.sampled_from(["aws:s3", "aws:sns", "aws.s3", "Notification", "Object Created", "ObjectCreated:Put"]),
            max_size=5,
        )
    ),
)


@given(JSON)
def test_foreign_documents_are_refused_and_never_crash(document: Any) -> None:
    with suppress(SettingInvalid):
        assert all(url.startswith("s3://") for url in arrivals(document))

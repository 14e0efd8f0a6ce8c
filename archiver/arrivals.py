"""What events tell of objects that were stored: S3 notifications, EventBridge, and either of them through SNS or SQS.

Pure: a document in, values out. The forms are those of the S3 user guide ("Event message structure", version 2.x; "EventBridge
event message structure") and of the SQS and SNS event sources of Lambda.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_plus

from indexer.errors import SettingInvalid

SQS_SOURCE: Final = "aws:sqs"
MOST_WRAPPINGS: Final = 3
"""S3 through SNS through SQS is the deepest that AWS can be told to nest."""


class Message(NamedTuple):
    """One message of a batch from SQS.

    Attributes:
        identifier: What the answer calls it by, if it is to come again.
        body: The event that it carries, not decoded yet.
    """

    identifier: str
    body: str


def messages(event: Mapping[str, Any]) -> list[Message] | None:
    """The messages of a batch from SQS; None when the event comes from elsewhere."""
    records = event.get("Records")
    if not isinstance(records, list) or not records or not all(_source(record) == SQS_SOURCE for record in records):
        return None
    return [Message(record["messageId"], record["body"]) for record in records]


def arrivals(event: object) -> list[str]:
    """The URLs of the objects that an event says were stored.

    Args:
        event: As S3, EventBridge or SNS sends it; as text, too, which is how it lies in a message.

    Returns:
        One URL for each object, in the order told. Removals, restores and the test event that S3 sends when a notification is set
        up tell of none.

    Raises:
        SettingInvalid: It is no such event: something else is connected to the function.
    """
    return list(dict.fromkeys(_arrivals(event, MOST_WRAPPINGS)))


def _arrivals(event: object, wrappings: int) -> Iterator[str]:
    if isinstance(event, str):
        try:
            event = json.loads(event)
        except ValueError:
            raise _unknown("it is not JSON") from None
    if not isinstance(event, Mapping) or not wrappings:
        raise _unknown("it is not a document of S3")
    try:
        if event.get("Event") == "s3:TestEvent":
            return
        if event.get("Type") == "Notification":
            yield from _arrivals(event["Message"], wrappings - 1)
        elif event.get("source") == "aws.s3":
            if event["detail-type"] == "Object Created":
                # EventBridge tells the key as it is.
                yield _url(event["detail"]["bucket"]["name"], event["detail"]["object"]["key"])
        else:
            for record in event["Records"]:
                if _source(record) == "aws:sns":
                    yield from _arrivals(record["Sns"]["Message"], wrappings - 1)
                elif _source(record) != "aws:s3":
                    raise _unknown(f"a record comes from {_source(record)!r}")
                elif record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
                    # A notification tells the key as in a form: a space is a plus sign, a plus sign is %2B.
                    yield _url(record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"], errors="strict"))
    except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise _unknown(f"a field is missing or wrong: {error}") from error


def _source(record: Any) -> str:  # noqa: ANN401 - a piece of a foreign document
    """Who sent a record; SNS spells the field with a capital."""
    if not isinstance(record, Mapping):
        raise _unknown("a record is not a document")
    return str(record.get("eventSource") or record.get("EventSource") or "")


def _url(bucket: object, key: object) -> str:
    if not isinstance(bucket, str) or not isinstance(key, str) or not bucket or not key:
        raise _unknown("bucket or key is not a text")
    return f"s3://{bucket}/{key}"


def _unknown(why: str) -> SettingInvalid:
    return SettingInvalid(
        f"this is no event of an object that was stored: {why}",
        hint="Connect S3 notifications, EventBridge or an SQS queue of either to this function, and nothing else",
    )

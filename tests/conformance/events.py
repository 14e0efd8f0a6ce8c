"""Events: those of the folder `events`, and new ones made of them for a key, parameters and headers."""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.conformance.function import Event

EVENTS: Final = Path(__file__).parent / "events"
CONTEXTS: Final = {
    "get": "getObjectContext",
    "head": "headObjectContext",
    "list_v1": "listObjectsContext",
    "list_v2": "listObjectsV2Context",
}
SIGNED: Final = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20250101T000000Z&X-Amz-SignedHeaders=host&X-Amz-Expires=61"
    "&X-Amz-Credential=AKIAEXAMPLE%2F20250101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=0123456789abcdef"
)
ORIGIN: Final = "https://my-s3-ap-111122223333.s3-accesspoint.us-east-1.amazonaws.com"
TOKENS: Final = itertools.count(1)


def stored(name: str) -> Event:
    """An event of the folder, with a token of its own where it has one."""
    event: Event = json.loads((EVENTS / f"{name}.json").read_text())
    for context in event.values():
        if isinstance(context, dict) and "outputToken" in context:
            context["outputToken"] = f"token-{next(TOKENS)}"
    return event


def made(operation: str, key: str, query: Mapping[str, str], headers: Mapping[str, str], *, origin: str = ORIGIN) -> Event:
    """An event as AWS sends it for the operation.

    Args:
        operation: One of `CONTEXTS`.
        key: Not encoded; empty for a listing.
        query: Parameters by name, as the caller meant them.
        headers: The caller's.
        origin: What `inputS3Url` begins with.
    """
    listing = operation.startswith("list")
    event = stored("get" if operation == "get" else operation if listing else "head")
    parameters = urlencode({**({"list-type": "2"} if operation == "list_v2" else {}), **query}, quote_via=quote)
    # A presigned URL of an object carries none of the caller's parameters, that of a listing all of them.
    signed = f"{parameters}&{SIGNED}" if listing and parameters else SIGNED
    event[CONTEXTS[operation]]["inputS3Url"] = f"{origin}/{quote(key)}?{signed}"
    host = event["userRequest"]["headers"]["Host"]
    event["userRequest"]["url"] = f"https://{host}/{quote(key)}{'?' if parameters else ''}{parameters}"
    event["userRequest"]["headers"] |= headers
    return event


def reply_of(event: Event) -> tuple[str, str] | None:
    """Route and token of an event that is answered by WriteGetObjectResponse."""
    contexts: list[Any] = [value for name, value in event.items() if name.endswith("Context")]
    for context in contexts:
        if "outputToken" in context:
            return context["outputRoute"], context["outputToken"]
    return None

"""Reads the events of S3 Object Lambda: what is asked, of which key, with which headers and parameters. Pure.

The key and the parameters of a listing come from `inputS3Url`, which is signed and therefore encoded in one known way. Headers
and the parameters of a read come from `userRequest`, whose URL is told decoded by AWS ("the decoded URL as received"), encoded by
others, with or without a host: a key that holds `?`, `#` or `%` cannot be read from it.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from object_lambda.keys import key_of, parse_query
from object_lambda.mounts import ANY_BUCKET
from object_lambda.requests import OVERRIDE_NAMES, ListRequest, ObjectRequest, list_request, object_request

if TYPE_CHECKING:
    from collections.abc import Mapping


class Operation(enum.Enum):
    """What is asked. The values are the context's keys in the event."""

    GET = "getObjectContext"
    HEAD = "headObjectContext"
    LIST_V1 = "listObjectsContext"
    LIST_V2 = "listObjectsV2Context"


HOSTED: Final = re.compile(r"[^./]+\.s3(-accesspoint)?(-fips)?[.-]")
"""A host that names the access point or its alias; elsewhere (emulators) the name is the first segment of the path."""

READ_PARAMETERS: Final = {name.lower(): name for name in ("Range", "partNumber", *OVERRIDE_NAMES)}
"""Parameters of a read that the presigned URL leaves out, by their names in lower case."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Where the answer to a GetObject goes: good for one request."""

    route: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation.

    Args:
        operation: None when it is one we do not know.
        input_url: The presigned URL; holds a signature, so it is never shown.
        user_url: The caller's URL as told.
        headers: The caller's, names in lower case.
        access_point: Name of the Object Lambda access point; empty when it is not told.
        reply: Where a GetObject's answer goes; None for everything else.
        identity: Who asks, as AWS tells it (`userIdentity`): its ARN, else its id; empty when neither is told.
    """

    operation: Operation | None
    input_url: str = field(repr=False)
    user_url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    access_point: str
    reply: Reply | None
    identity: str = ""

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> Event:
        """Read an event of any version. What is missing is empty; what is not known is passed over."""
        operation = next((known for known in Operation if isinstance(event.get(known.value), dict)), None)
        context: Mapping[str, Any] = event[operation.value] if operation else _any_context(event)
        request: Mapping[str, Any] = event.get("userRequest") or {}
        configuration: Mapping[str, Any] = event.get("configuration") or {}
        identity: Mapping[str, Any] = event.get("userIdentity") or {}
        route, token = context.get("outputRoute"), context.get("outputToken")
        return cls(
            operation=operation,
            input_url=context.get("inputS3Url") or "",
            user_url=request.get("url") or "",
            headers={name.lower(): _text(value) for name, value in (request.get("headers") or {}).items()},
            access_point=(configuration.get("accessPointArn") or "").rpartition("/")[2],
            reply=Reply(route, token) if route and token else None,
            identity=identity.get("arn") or identity.get("principalId") or "",
        )

    def object_request(self) -> ObjectRequest:
        """What a GetObject or a HeadObject asks. Raises what `requests.object_request` and `keys.key_of` raise."""
        parts = urlsplit(self.input_url)
        path = _key_path(parts.netloc, parts.path)
        key = key_of(path.encode())
        query = {
            READ_PARAMETERS[name.lower()]: value
            for name, value in _user_parameters(self.user_url, (path, key.decode()))
            if name.lower() in READ_PARAMETERS
        }
        version = parse_query(parts.query.encode()).get("versionId")
        if version is not None:
            query["versionId"] = version
        return object_request(ANY_BUCKET, key, self.headers, query)

    def list_request(self) -> ListRequest:
        """What a listing asks. Raises what `requests.list_request` raises."""
        query = parse_query(urlsplit(self.input_url).query.encode())
        # The context decides the version, whatever the URL says.
        query.pop("list-type", None)
        if self.operation is Operation.LIST_V2:
            query["list-type"] = "2"
        return list_request(ANY_BUCKET, query)


def _any_context(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The context of an operation we do not know: it may want an answer all the same."""
    return next((value for name, value in event.items() if name.endswith("Context") and isinstance(value, dict)), {})


def _text(value: object) -> str:
    """A header's value: AWS joins repeated ones by commas, MinIO tells a list."""
    return ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)


def _key_path(host: str, path: str) -> str:
    """The part of the presigned URL's path that is the key, still encoded."""
    path = path.removeprefix("/")
    return path if HOSTED.match(host) else path.partition("/")[2]


def _user_parameters(url: str, keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """The parameters in the caller's URL: behind the key, in whichever spelling it stands there.

    They are decoded once, leniently. A `+` is a plus: no SDK encodes a space so, and in a decoded URL (`image/svg+xml`) it is one.
    """
    pairs = (pair.partition("=") for pair in _query_behind(url, keys).split("&") if pair)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _query_behind(url: str, keys: tuple[str, ...]) -> str:
    for key in keys:
        at = url.find(f"/{key}")
        while at >= 0:
            rest = url[at + 1 + len(key) :]
            if not rest or rest.startswith("?"):
                return rest[1:]
            at = url.find(f"/{key}", at + 1)
    return url.partition("?")[2]

"""Who calls the gateway, and what they may do: the one place where a request is let in or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from object_lambda.grants import ALL, Grants
from object_lambda.operations import Operation
from object_lambda.s3_errors import AccessDenied


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a signature covers, as it came over the wire.

    Args:
        method: In capitals.
        raw_path: Still percent-encoded, without the query.
        raw_query: Still percent-encoded.
        headers: Names in lower case, values as Latin-1, which keeps every byte; of one sent twice the values joined by commas.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who was let in.

    Args:
        name: For the log.
        grants: What they may read.
    """

    name: str
    grants: Grants = field(default=ALL, repr=False)

    def check(self, operation: Operation, bucket: str, key: bytes, query: Mapping[str, str]) -> None:
        """Return if the caller may do this. Nothing is asked of the store, so a refusal tells nothing of what exists.

        A listing needs a grant that covers all its prefix. ListBuckets is open to all, and tells the caller's own (`may_see`).

        Raises:
            AccessDenied: No grant covers it.
        """
        if operation is Operation.LIST_BUCKETS:
            return
        if operation in {Operation.HEAD_BUCKET, Operation.GET_BUCKET_LOCATION}:
            allowed = self.grants.touches(bucket)
        else:
            allowed = self.grants.covers(bucket, key or query.get("prefix", "").encode())
        if not allowed:
            raise AccessDenied

    def may_see(self, bucket: str) -> bool:
        """Tell whether ListBuckets names this bucket to the caller."""
        return self.grants.touches(bucket)


class Access(Protocol):
    """Decides who a request comes from."""

    def authorize(self, facts: RequestFacts) -> Caller:
        """Let a request in; what it may read its caller's `check` tells.

        Raises:
            S3Error: It is refused: `AccessDenied`, `SignatureDoesNotMatch` and their like.
        """
        ...


ANYONE: Final = Caller("anonymous")


class Anonymous:
    """Lets everyone read everything that is mounted; signatures are neither needed nor looked at."""

    def authorize(self, facts: RequestFacts) -> Caller:  # noqa: ARG002 - whatever they are
        """As `Access.authorize`; never refuses."""
        return ANYONE

"""Who calls the gateway, and what they may do: the one place where a request is let in or refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What a signature covers, as it came over the wire.

    Args:
        method: In capitals.
        raw_path: Still percent-encoded, without the query.
        raw_query: Still percent-encoded.
        headers: Names in lower case.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Someone who was let in; `name` is for the log."""

    name: str


class Access(Protocol):
    """Decides about requests."""

    def authorize(self, facts: RequestFacts) -> Caller:
        """Let a request in. Raises an S3Error (`AccessDenied`) otherwise."""
        ...


ANYONE: Final = Caller("anonymous")


class Anonymous:
    """Lets everyone read everything that is mounted; signatures are neither needed nor looked at."""

    def authorize(self, facts: RequestFacts) -> Caller:  # noqa: ARG002 - whatever they are
        """As `Access.authorize`; never refuses."""
        return ANYONE

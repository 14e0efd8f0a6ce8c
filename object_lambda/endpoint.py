"""How clients call the gateway, where something in front of it changes the Host header or the path that they signed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from indexer.errors import SettingInvalid
from object_lambda.access import RequestFacts

URL = re.compile(r"(https?)://([A-Za-z0-9._-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](?::[0-9]{1,5})?)((?:/[A-Za-z0-9._~-]+)*)/?")
DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
"""Which clients leave out of the Host header."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What clients are configured with.

    Args:
        host: The Host they sign; None when it arrives unchanged.
        prefix: The path before the bucket, as `/stage/s3`; empty for none. Something in front may take it off or leave it.
    """

    host: str | None = None
    prefix: bytes = b""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read the URL that clients are given. Raises SettingInvalid."""
        match = URL.fullmatch(url)
        if match is None:
            raise SettingInvalid(
                "this is no endpoint", hint="Write https://host or https://host/path", setting="endpoint", value=url
            )
        scheme, host, prefix = match.groups()
        return cls(host.removesuffix(DEFAULT_PORTS[scheme]), prefix.encode())

    def own_path(self, raw_path: bytes) -> bytes:
        """The path from the bucket on, whether the prefix came along or not."""
        return (raw_path[len(self.prefix) :] or b"/") if self._leads(raw_path) else raw_path

    def as_called(self, facts: RequestFacts) -> RequestFacts:
        """The request as its client signed it."""
        if self.host is not None:
            facts = replace(facts, headers={**facts.headers, "host": self.host})
        return facts if self._leads(facts.raw_path) else replace(facts, raw_path=self.prefix + facts.raw_path)

    def check_bucket(self, bucket: str) -> None:
        """Refuse a bucket that cannot be told from the prefix. Raises SettingInvalid."""
        if self.prefix and self.prefix.split(b"/")[1] == bucket.encode():
            problem = "the endpoint's path begins with the name of this bucket"
            raise SettingInvalid(problem, hint="Name one of them otherwise", setting="endpoint", bucket=bucket)

    def _leads(self, raw_path: bytes) -> bool:
        """Whether the prefix stands at the head of a path, as whole segments."""
        return raw_path.startswith(self.prefix) and raw_path[len(self.prefix) : len(self.prefix) + 1] in {b"", b"/"}


UNCHANGED: Final = Endpoint()

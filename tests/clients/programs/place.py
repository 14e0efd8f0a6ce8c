"""Where a program is to read, and what it tells of bytes."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LOGS = "logs/"
TABLES = "tables/"


@dataclass(frozen=True)
class Place:
    """A door, a key for it, and a folder for files."""

    endpoint: str
    bucket: str
    access_key_id: str
    secret: str
    region: str
    folder: str

    @property
    def host(self) -> str:
        """The endpoint without its scheme."""
        return self.endpoint.partition("://")[2]


Operations = Mapping[str, Callable[[Place], Any]]


def digest(data: bytes) -> str:
    """What stands for bytes where they are compared."""
    return hashlib.sha256(data).hexdigest()

"""The gateway's access keys: what each one's secret is and what it may read, out of one JSON document.

    {
      "REPORTS": {"secret": "at least 16 characters", "read": ["logs/2026", "audit"]},
      "BACKUP":  {"secret": "another one entirely",   "read": ["*"]}
    }

What `read` may hold: `object_lambda.grants`. Where the document comes from: `object_lambda.key_documents`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from indexer.errors import SettingInvalid
from object_lambda.access import Caller
from object_lambda.grants import Grants

SECRET_CHARS_LEAST: Final = 16
"""A presigned URL is made to be handed around, and whoever has one can guess at its secret without asking us."""

ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")
SECRET = re.compile(r"[!-~]+")
FIELDS: Final = {"secret", "read"}
EXAMPLE: Final = 'Write {"KEY-ID": {"secret": "...", "read": ["bucket/prefix"]}}'


@dataclass(frozen=True, slots=True)
class AccessKey:
    """One key.

    Args:
        access_key_id: Public: clients send it.
        secret: Never shown.
        grants: What it may read.
    """

    access_key_id: str
    secret: str = field(repr=False)
    grants: Grants = field(repr=False)
    caller: Caller = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "caller", Caller(self.access_key_id, self.grants))


class Keyring:
    """Several keys, found by their ids.

    Args:
        keys: At least one, no id twice.
    """

    def __init__(self, keys: Iterable[AccessKey]) -> None:
        self._keys = {key.access_key_id: key for key in keys}

    def __len__(self) -> int:
        return len(self._keys)

    def find(self, access_key_id: str) -> AccessKey | None:
        """The key of this id."""
        return self._keys.get(access_key_id)


def parse_keys(document: str, *, place: str) -> Keyring:
    """Read a document of keys.

    Args:
        document: JSON.
        place: Where it came from, for errors.

    Raises:
        SettingInvalid: Something in it cannot work; all of it is told, and nothing of any secret.
    """
    try:
        entries = json.loads(document, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError) as error:
        reason = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "it nests too deep"
        raise SettingInvalid(f"the keys are not JSON: {reason}", hint=EXAMPLE, setting=place) from None
    if not isinstance(entries, _Pairs) or not entries.pairs:
        raise SettingInvalid("there are no keys", hint=EXAMPLE, setting=place)
    keys: list[AccessKey] = []
    problems: list[str] = []
    for number, (access_key_id, entry) in enumerate(entries.pairs, 1):
        # An id that is none may be a secret in the wrong place: it is told by its number.
        named = ACCESS_KEY_ID.fullmatch(access_key_id) is not None
        who = f"key {access_key_id}" if named else f"key number {number}"
        try:
            if not named:
                raise ValueError("its id may hold letters, digits, '-', '_' and '.' only, 128 at most")
            if any(key.access_key_id == access_key_id for key in keys):
                raise ValueError("its id is given twice")
            keys.append(_key(access_key_id, entry))
        except ValueError as error:
            problems.append(f"{who}: {error}")
    if problems:
        raise SettingInvalid("; ".join(problems), hint=EXAMPLE, setting=place)
    return Keyring(keys)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """A JSON object as it stands: json's own dict would drop the first of two keys of one id."""

    pairs: list[tuple[str, Any]]


def _key(access_key_id: str, entry: object) -> AccessKey:
    """Check one key. Raises ValueError, with nothing of the secret in it."""
    if not isinstance(entry, _Pairs) or sorted(name for name, _ in entry.pairs) != sorted(FIELDS):
        raise ValueError("it needs a secret and what it may read, and nothing else")
    values = dict(entry.pairs)
    secret, read = values["secret"], values["read"]
    if not isinstance(secret, str) or len(secret) < SECRET_CHARS_LEAST or not SECRET.fullmatch(secret):
        raise ValueError(f"its secret needs at least {SECRET_CHARS_LEAST} printable ASCII characters, none of them a space")
    if not isinstance(read, list) or not read or not all(isinstance(text, str) for text in read):
        raise ValueError("what it may read is a list of at least one text")
    return AccessKey(access_key_id, secret, Grants(read))

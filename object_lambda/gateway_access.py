"""Whom a gateway lets in is always somebody's choice: keys, or everyone. There is no default that opens it to a network."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from indexer.errors import SettingInvalid
from object_lambda.access import Access, Anonymous
from object_lambda.keyring import Keyring
from object_lambda.signed_access import SignedAccess

LOCALHOST: Final = "localhost"


def access_by(keyring: Keyring | None, *, anonymous: bool, region: str, now: Callable[[], float], hint: str) -> Access:
    """Turn the choice into what decides about requests.

    Args:
        keyring: Whose signatures count; None when there are no keys.
        anonymous: Whether everyone is let in.
        region: The one to be signed for.
        now: The time, in seconds since 1970.
        hint: How to choose.

    Raises:
        SettingInvalid: Neither was chosen, or both.
    """
    if keyring is None and not anonymous:
        raise SettingInvalid("nothing says who may read", hint=hint, setting="access")
    if keyring is not None and anonymous:
        raise SettingInvalid("keys are given, and everyone is let in without one", hint=hint, setting="access")
    return Anonymous() if keyring is None else SignedAccess(keyring, region=region, now=now)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address to listen on."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == LOCALHOST

"""Members of several archives in one order: of those with one key, the one from the newest archive."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from indexer.model import Member


def merged(runs: Sequence[Sequence[Member]]) -> list[Member]:
    """Merge runs of members whose names are keys.

    Args:
        runs: Each in the order of its keys and with none twice; a later run's members take the place of an earlier one's.

    Returns:
        All of them in the order of their keys, none twice.
    """
    full = [run for run in runs if run]
    if not full:
        return []
    apart = sorted(full, key=lambda run: run[0].name)
    if all(before[-1].name < after[0].name for before, after in pairwise(apart)):
        return [member for run in apart for member in run]
    by_key = {member.name: member for run in full for member in run}
    return [by_key[key] for key in sorted(by_key)]


def from_to(members: Sequence[Member], start: bytes, stop: bytes | None) -> Sequence[Member]:
    """The members whose names are in `[start, stop)`; `stop` is None where there is no end."""

    def name_of(member: Member) -> bytes:
        return member.name

    first = bisect_left(members, start, key=name_of)
    last = len(members) if stop is None else bisect_left(members, stop, lo=first, key=name_of)
    return members if (first, last) == (0, len(members)) else members[first:last]

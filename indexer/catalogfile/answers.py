"""What look-ups answer, of one archive and of many alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from indexer.model import Identity, Member


class Found(NamedTuple):
    """A member, and where to read it.

    Attributes:
        member: With its name in the archive, without any prefix under which that is bound.
        archive: What to read it from.
        index_file: The index that told it.
    """

    member: Member
    archive: Identity
    index_file: Identity


class Window(NamedTuple):
    """Consecutive members.

    Attributes:
        members: In the order of their names.
        next: Where to go on: no name between the last member's and this one is there; None when none follows.
    """

    members: Sequence[Member]
    next: bytes | None

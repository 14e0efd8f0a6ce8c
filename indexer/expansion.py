"""When an archive is taken for a bomb: the one rule of all compressed streams."""

from __future__ import annotations

from indexer.errors import LimitExceeded
from indexer.limits import EXPANSION_FREE_BYTES, EXPANSION_MOST
from indexer.model import Identity


def check_expansion(of: Identity, raw_bytes: int, stored_bytes: int) -> None:
    """Make sure that a stream does not decode to much more than its length.

    Args:
        of: The file.
        raw_bytes: Decoded so far.
        stored_bytes: Of so many stored bytes.

    Raises:
        LimitExceeded: It is taken for a bomb.
    """
    if raw_bytes > EXPANSION_FREE_BYTES and raw_bytes > EXPANSION_MOST * stored_bytes:
        raise LimitExceeded(
            f"the archive decodes to more than {EXPANSION_MOST} times its length: it is taken for a bomb",
            archive=of.url,
            offset=stored_bytes,
        )

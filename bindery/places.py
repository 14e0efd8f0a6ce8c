"""Where commands keep what they may need again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def touched_folder(env: Mapping[str, str]) -> str:
    """Folder of the indexes made on first touch: below the user's cache folder (XDG Base Directory Specification)."""
    cache = env.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return f"{cache}/bindery/indexes"

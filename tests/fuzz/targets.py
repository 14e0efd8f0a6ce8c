"""All fuzz targets by name, and where their inputs lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.fuzz import index_file, scanners

TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    **scanners.TARGETS,
    **{f"index_{name}": target for name, target in index_file.TARGETS.items()},
}

CORPUS: Final = Path(__file__).with_name("corpus")
"""Committed inputs, a folder for each target: the parts of golden archives that reach different code, and what once failed."""


def inputs(target: str) -> list[Path]:
    """The committed inputs of a target."""
    return sorted((CORPUS / target).iterdir())

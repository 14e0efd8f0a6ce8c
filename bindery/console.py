"""What a person sees: one line for an error, numbers with units, a progress bar where there is a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console

err = Console(stderr=True, highlight=False, soft_wrap=True)
"""Everything that is not the answer itself."""

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def tell_error(text: str) -> None:
    """Say on stderr, in one line, what went wrong."""
    err.print("bindery: " + " ".join(text.split()), style="bold red", markup=False)


def tell(text: str) -> None:
    """Say something on stderr, beside the answer."""
    err.print(text, markup=False)


def print_json(value: Mapping[str, object]) -> None:
    """Write one line of JSON to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def size(count: float) -> str:
    """A length in bytes for a person: `1.5 MiB`."""
    for unit in UNITS:
        if count < 1024 or unit == UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")  # pragma: no cover


def count(number: int) -> str:
    """A number for a person: `1,234,567`."""
    return f"{number:,}"

"""Keeps the C library from holding freed memory in many places, so that a bound on memory holds on any machine."""

from __future__ import annotations

import ctypes
from typing import Final

M_ARENA_MAX: Final = -8
"""glibc's number for this knob (mallopt(3))."""

ARENAS: Final = 2
"""Pools that memory is taken from. glibc makes up to eight for each core and gives each thread its own; what one thread frees, the
others do not find. A pack of objects of 190 KB by 64 threads peaked at 223 MB with the 16 pools of two cores, and at 205 to 220 MB
with two, for the same CPU; a larger machine would have made more."""


def bound_arenas() -> None:
    """Bound the pools of this process from now on. Does nothing where the C library is another."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, ARENAS)

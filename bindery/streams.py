"""The three standard streams, made fit for what commands write: names and bytes that are nobody's text."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

STANDARD: Final = ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY))
"""Descriptors, and how the null device stands in for one that is closed: an answer that nobody can get is an error, so that stdout
cannot be written; messages that nobody wants are dropped."""


def prepare() -> None:
    """Make the streams of this process ready. Call it before anything is opened.

    A descriptor that the caller closed (`>&-`) is taken, lest an archive be opened in its place and written to by mistake. Names
    are UTF-8 whatever the locale says: stdout gives the bytes they are made of, stderr something that can be read.
    """
    for descriptor, mode in STANDARD:
        _hold(descriptor, mode)
    sys.stdout = _text(sys.stdout, 1, "surrogateescape")
    sys.stderr = _text(sys.stderr, 2, "backslashreplace")


def drop_stdout() -> None:
    """Send what is still waiting for stdout nowhere: writing it has failed, and would fail again when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _hold(descriptor: int, mode: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, mode)
        if opened != descriptor:
            os.dup2(opened, descriptor)
            os.close(opened)
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - positional only


def _text(stream: object, descriptor: int, errors: str) -> io.TextIOWrapper:
    """The stream as text in UTF-8. Python has none (None) for a descriptor that was closed when it began."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors=errors)
        return stream
    return open(descriptor, "w", encoding="utf-8", errors=errors, closefd=False)

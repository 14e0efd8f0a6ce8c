"""Which keys can be the paths of files: a file system has no empty segments, and nothing below a file."""

from __future__ import annotations

from typing import Final

SEGMENT_BYTES: Final = 255
"""Longest name of a file in Linux and in squashfs."""

LAST_TIME_S: Final = 2**32 - 1
"""Squashfs tells times in 32 bits without sign: until 2106."""

NO_FILE: Final = "no path of a file: it ends in '/', or has an empty or '.' segment"
SEGMENT_TOO_LONG: Final = "a segment longer than 255 bytes"
BELOW_A_FILE: Final = "lies below a key that is itself an object"
TIME_TOO_LATE: Final = "a time after 2106"


class Paths:
    """Tells what stands in the way of keys that come in byte order."""

    def __init__(self) -> None:
        self._above: list[bytes] = []  # the names so far that the latest one begins with, shortest first

    def fault(self, name: bytes, mtime_s: int) -> str | None:
        """Why an object cannot be a file beside those before it, in words; None when it can."""
        segments = name.split(b"/")
        if b"" in segments or b"." in segments:
            return NO_FILE
        if max(map(len, segments)) > SEGMENT_BYTES:
            return SEGMENT_TOO_LONG
        if mtime_s > LAST_TIME_S:
            return TIME_TOO_LATE
        while self._above and not name.startswith(self._above[-1]):
            self._above.pop()
        if any(name.startswith(above + b"/") for above in self._above):
            return BELOW_A_FILE
        self._above.append(name)
        return None

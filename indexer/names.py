"""Which names a member may bear, and how a name in an archive becomes one (DESIGN section 6)."""

from __future__ import annotations

import enum

from indexer.limits import NAME_BYTES


class NameFault(enum.StrEnum):
    """Why a member's name was left out of the index, as the build's summary counts it."""

    EMPTY = "empty"
    PARENT_SEGMENT = "parent_segment"
    NUL = "nul"
    TOO_LONG = "too_long"


def clean(raw: bytes) -> bytes | NameFault:
    """Turn the bytes of a name in an archive into a member's name.

    Leading `/` and `./` are dropped, as tar and unzip do; bytes that are not UTF-8 are percent-escaped. A name with a `..`
    segment, a NUL, or more than 1,024 bytes is refused: an S3 client that writes keys to disk would follow it, or could not
    ask for it. Two names may become one; the last wins, as among duplicates.

    Args:
        raw: The name as the archive has it, already decoded to UTF-8 where the archive declares another encoding.

    Returns:
        The name in UTF-8, or why there is none.
    """
    name = raw
    if name < b"0":  # empty, or begins with `.` or `/`, or with something else below the digits: rare, and the rest needs no loop
        while name.startswith((b"/", b"./")):
            name = name[1:] if name[:1] == b"/" else name[2:]
        if not name or name == b".":
            return NameFault.EMPTY
    if b"\0" in name:
        return NameFault.NUL
    if b".." in name and b".." in name.split(b"/"):
        return NameFault.PARENT_SEGMENT
    if not name.isascii():
        try:
            name.decode()
        except UnicodeDecodeError:
            name = percent_escaped(name)
    return NameFault.TOO_LONG if len(name) > NAME_BYTES else name


def percent_escaped(raw: bytes) -> bytes:
    """Write every byte of `raw` that is not part of a UTF-8 character as `%XX`; the rest stays as it is."""
    text = raw.decode(errors="surrogateescape")
    return "".join(f"%{ord(char) - 0xDC00:02X}" if "\udc80" <= char <= "\udcff" else char for char in text).encode()


def shown(raw: bytes) -> str:
    """Write a name for a message: shortened to 200 bytes, and with what a terminal would take for a command escaped."""
    text = raw[:200].decode(errors="backslashreplace")
    return text if text.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)

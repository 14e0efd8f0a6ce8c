"""What the Object Lambda handler is told by its variables: read once, all problems reported together.

The `S3ARCHIVEFS_` names are those of the squashfs Object Lambda that this replaces, so that its deployment serves unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indexer.errors import SettingInvalid
from indexer.limits import MIB
from object_lambda.cache_unit import DISK_BLOCK_BYTES, UNIT_BYTES_MOST
from object_lambda.vmap import EXAMPLE, entry_on, parse_entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from object_lambda.mounts import Mount

MAP_VARIABLES: Final = tuple(f"S3ARCHIVEFS_PREFIX_VMAP{number}" for number in range(1, 21))
MAP_FILE_VARIABLE: Final = "S3ARCHIVEFS_PREFIX_VMAP_EXT_FILE"

OVERLAY_VARIABLE: Final = "BINDERY_OVERLAY"
WINNERS: Final = ("bound", "live")
SECRET_VARIABLE: Final = "BINDERY_TOKEN_SECRET"  # noqa: S105 - the name of one

SECRET_CHARACTERS: Final = 32
"""As many as 128 bits in hexadecimal have, and what `openssl rand -hex 16` gives."""

CACHE_FOLDER: Final = "/tmp/bindery"  # noqa: S108 - the one writable place of a Lambda, which it has to itself

CACHE_UNIT_BYTES: Final = 1 * MIB
"""A frame, and a page of any index but a huge one, is one unit; larger ones would make a ranged read fetch what nobody wants."""

CACHE_BYTES: Final = 384 * MIB
"""Three quarters of the 512 MiB that a Lambda's /tmp has unless it is given more."""

MEMORY_BYTES: Final = 96 * MIB
"""Fits a Lambda of 256 MB beside the 80 MB that the process takes while it streams a large member (23 MB for small ones)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The handler's settings.

    Args:
        mounts: What is mounted where; no two at one place.
        cache_folder: Where stored bytes are kept; shared when it lies on a network disk.
        cache_unit_bytes: Longer spans are cached in pieces of this length.
        cache_bytes: Budget of that folder; 0 for no cache on disk.
        memory_bytes: Budget of decoded pages and frames in memory.
        overlay: Which object is served where a key is bound and lies loose too: `bound` or `live`; None to serve bound ones only.
        token_secret: Seals the continuation tokens of an overlay's listings; never shown.
        notices: What was tolerated and had better be mended, one line each.
    """

    mounts: tuple[Mount, ...]
    cache_folder: str
    cache_unit_bytes: int
    cache_bytes: int
    memory_bytes: int
    notices: tuple[str, ...] = ()
    overlay: str | None = None
    token_secret: str = field(default="", repr=False)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Settings:
        """Read the variables, and the file of the map when one names it; an empty variable counts as unset.

        Raises:
            SettingInvalid: Some cannot work; all of them are told.
        """
        reader = _Reader(env)
        settings = cls(
            mounts=reader.mounts(),
            cache_folder=env.get("S3ARCHIVEFS_CACHE_DIR") or CACHE_FOLDER,
            cache_unit_bytes=reader.unit_bytes(),
            cache_bytes=reader.number("BINDERY_CACHE_BYTES", CACHE_BYTES),
            memory_bytes=max(reader.number("BINDERY_MEMORY_BYTES", MEMORY_BYTES), 2),
            notices=tuple(reader.notices),
            overlay=reader.overlay(),
            token_secret=env.get(SECRET_VARIABLE, ""),
        )
        if not settings.cache_folder.startswith("/"):
            reader.problems["S3ARCHIVEFS_CACHE_DIR"] = f"{settings.cache_folder!r} is no absolute path"
        if reader.problems:
            raise SettingInvalid(
                "; ".join(f"{name}: {problem}" for name, problem in reader.problems.items()),
                hint="Correct these variables",
                setting=", ".join(reader.problems),
            )
        return settings


class _Reader:
    """Collects what is wrong on the way."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env
        self.problems: dict[str, str] = {}
        self.notices: list[str] = []

    def number(self, name: str, default: int) -> int:
        text = self._env.get(name, "").strip()
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            self.problems[name] = f"{text!r} is no number of bytes"
            return default
        return int(text)

    def overlay(self) -> str | None:
        winner = self._env.get(OVERLAY_VARIABLE, "").strip()
        if not winner:
            return None
        if winner not in WINNERS:
            self.problems[OVERLAY_VARIABLE] = f"{winner!r} is neither {' nor '.join(WINNERS)}"
        if len(self._env.get(SECRET_VARIABLE, "")) < SECRET_CHARACTERS:
            self.problems[SECRET_VARIABLE] = f"an overlay needs a secret of at least {SECRET_CHARACTERS} characters of its own"
        return winner

    def unit_bytes(self) -> int:
        name = "S3ARCHIVEFS_CACHE_CHUNK_SIZE"
        asked = self.number(name, CACHE_UNIT_BYTES)
        taken = min(max(asked, DISK_BLOCK_BYTES), UNIT_BYTES_MOST)
        if taken != asked:
            self.notices.append(f"{name}: {asked} is out of bounds, {taken} is used")
        return taken

    def mounts(self) -> tuple[Mount, ...]:
        """All entries, those of the file last; of two at one place the later counts."""
        places: dict[bytes, tuple[str, Mount]] = {}
        for name, entry in self._entries():
            try:
                mount = parse_entry(entry)
            except ValueError as error:
                self.problems[name] = str(error)
                continue
            former = places.pop(mount.prefix, None)
            if former is not None:
                place = mount.prefix.decode() or "/"
                self.notices.append(f"{name}: {place} was mapped by {former[0]} already; {name} counts")
            places[mount.prefix] = (name, mount)
        return tuple(mount for _, mount in places.values())

    def _entries(self) -> list[tuple[str, str]]:
        """The entries with the place each stands at. A missing number ends nothing: the next one is read all the same."""
        entries = [(name, self._env[name]) for name in MAP_VARIABLES if self._env.get(name, "").strip()]
        path = self._env.get(MAP_FILE_VARIABLE, "")
        if path:
            try:
                with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs 4 ms of every cold start
                    lines = file.readlines()
            except (OSError, UnicodeDecodeError) as error:
                self.problems[MAP_FILE_VARIABLE] = f"{path!r} cannot be read: {error}"
            else:
                told = ((f"{path}:{number}", entry_on(line)) for number, line in enumerate(lines, 1))
                entries += [(place, entry) for place, entry in told if entry is not None]
        if not entries and not self.problems:
            self.problems[MAP_VARIABLES[0]] = f"nothing is mapped. {EXAMPLE}"
        return entries

"""`bindery get`: members as files in a folder."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer

from bindery.commands.ls import pages
from bindery.console import count, print_json, size, tell
from bindery.opened import Archive, IndexUrl, Opened, TraceCost, opened
from indexer.errors import BinderyError, DiskFull, LocationInvalid, MemberDamaged, MemberUnreadable, SettingInvalid

NAME: Final = "get"
HELP: Final = "Write members to a folder, as files."

FAULTS_TOLD: Final = 10
"""Members that were not written and are told by name; the others are counted."""


def run(
    archive: Archive,
    places: Annotated[list[str], typer.Argument(metavar="[PREFIX] FOLDER", help="Only names that begin with PREFIX; the folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="Tell the result as one JSON object.")] = False,
    index: IndexUrl = None,
    trace_cost: TraceCost = False,
) -> None:
    """Write members as files. Each is complete or not there: it is written beside its place and then moved there.

    A member that cannot be read, or that no file can stand for, is told, and the others are written.
    """
    if len(places) > 2:
        raise SettingInvalid("too many arguments", hint="Write: bindery get ARCHIVE [PREFIX] FOLDER", setting=" ".join(places))
    prefix, folder = places if len(places) == 2 else ("", places[0])
    root, wanted = _folder(folder), os.fsencode(prefix)
    files = written = 0
    faults = Faults()
    with opened(archive, index, trace_cost=trace_cost) as place:
        for page in pages(place, wanted, b""):
            for entry in page.entries:
                try:
                    written += _write(place, entry.key, root)
                    files += 1
                except (MemberDamaged, MemberUnreadable, NoPlace) as fault:
                    faults.add(fault)
        if files == faults.count == 0 and prefix:
            raise place.missing(wanted)
    if as_json:
        print_json({"members": files, "bytes": written, "folder": folder, "faults": faults.count})
    else:
        tell(f"{count(files)} members, {size(written)}, are in {folder}")
    faults.refuse(folder)


class NoPlace(LocationInvalid):
    """A member whose name no file can have beside those of the others."""


class Faults:
    """Members that were not written: how many, and why the first ones were not."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[BinderyError] = []

    def add(self, fault: BinderyError) -> None:
        """Count one."""
        self.count += 1
        if len(self._first) < FAULTS_TOLD:
            self._first.append(fault)

    def refuse(self, folder: str) -> None:
        """Raise one error for all of them, if there are any.

        Raises:
            MemberDamaged, MemberUnreadable, NoPlace: The only one, or the sum under the reason of the first.
        """
        if self.count > 1:
            for fault in self._first:
                tell(str(fault))
            raise type(self._first[0])(f"{count(self.count)} members were not written", hint="All others are there", folder=folder)
        if self.count:
            raise self._first[0]


def _folder(name: str) -> Path:
    """The folder to write to.

    Raises:
        SettingInvalid: The name is empty, as that of a variable that was never set: it would be the working folder.
        LocationInvalid: It is a file.
    """
    if not name:
        raise SettingInvalid("the folder has no name", hint="Write . for the one you are in", setting="FOLDER")
    folder = Path(name)
    if folder.is_file():
        raise LocationInvalid("this is a file, not a folder", hint="Choose another folder", path=name)
    return folder


def _write(place: Opened, key: bytes, root: Path) -> int:
    """Write one member below `root`; returns its length. Names cannot leave the folder: an index holds none with `..`."""
    name = os.fsdecode(key)
    target = confined(root, name)
    try:
        if name.endswith("/"):
            target.mkdir(parents=True, exist_ok=True)
            return 0
        answer, pieces = place.get(key)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=target.parent, prefix=".bindery-")
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    file.write(piece)
            os.utime(scratch, (answer.head.mtime_s, answer.head.mtime_s))
            Path(scratch).chmod(0o644)
            Path(scratch).replace(target)
        except BaseException:
            Path(scratch).unlink(missing_ok=True)
            raise
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise NoPlace(
            "one name is a file and a folder at once, which S3 can hold and a disk cannot",
            hint="Get the prefixes beside it one by one",
            member=name,
            path=str(target),
        ) from None
    except OSError as error:
        raise failure(error, target) from None
    return answer.content_length


def confined(root: Path, name: str) -> Path:
    """Where a member's file lies below `root`; a name that ends in `/` is a folder's.

    Raises:
        NoPlace: It would lie elsewhere, or where the file of another name lies (`a//b` and `a/./b` are `a/b` to a disk).
    """
    segments = name.removesuffix("/").split("/")
    if not {"", ".", ".."}.isdisjoint(segments):
        raise NoPlace("no file can have this name", hint="`bindery cat` reads it", member=name)
    return root.joinpath(*segments)


def failure(error: OSError, path: Path) -> BinderyError:
    """What a failed write means."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("there is no room left", hint="Free some space and run the command again", path=str(path))
    return LocationInvalid(f"cannot write here: {error.strerror}", hint="Choose another folder", path=str(path))

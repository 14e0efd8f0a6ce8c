"""Options of the commands that write archives, and what they tell of one they wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bindery.console import count, size, tell
from indexer.errors import SettingInvalid

if TYPE_CHECKING:
    from archiver.pack import PackReport

ArchiveFormat = Annotated[
    str | None, typer.Option("--format", metavar="KIND", help="tar.zst (the default), zip, tgz or squashfs; else as DEST ends.")
]
CompressionLevel = Annotated[str, typer.Option("--level", metavar="LEVEL", help="fast, default or dense.")]
ZipMethod = Annotated[str, typer.Option("--method", metavar="METHOD", help="How a zip's members are compressed: zstd or deflate.")]
MemoryMib = Annotated[int, typer.Option("--memory", metavar="MIB", help="Memory the process may take in all.")]


def one_of(option: str, value: str, known: list[str]) -> str:
    """Check the value of an option.

    Raises:
        SettingInvalid: It is none of those that are known.
    """
    if value not in known:
        raise SettingInvalid(f"{value!r} is none of {', '.join(known)}", hint="See `bindery pack --help`", setting=option)
    return value


def tell_report(report: PackReport) -> None:
    """Say on stderr what was packed and saved, and on stdout where it is."""
    shrunk = f", {report.bytes / report.stored_bytes:.1f} times smaller" if report.bytes > report.stored_bytes else ""
    tell(
        f"{report.outcome.value}: {count(report.members)} members, {size(report.bytes)} in {size(report.stored_bytes)}{shrunk}; "
        f"index {size(report.index_bytes)}"
    )
    for reason, number in report.left_out.items():
        tell(f"left out: {count(number)} ({reason})")
    typer.echo(report.archive.url.removeprefix("file://"))

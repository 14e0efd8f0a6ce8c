"""The command `bindery`: which subcommands there are, and what an error looks like to a person and to a shell."""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
from importlib import metadata
from typing import Annotated, Final

import typer

from archiver.interrupt import Terminated
from bindery import streams
from bindery.commands import cat, catalog, demo, get, index, install, ls, pack, repack, serve, stat, verify
from bindery.console import tell_error
from indexer.errors import BinderyError

app = typer.Typer(
    name="bindery",
    help="Packs millions of small S3 objects into a few archives and keeps each one readable under its old key.",
    epilog="Places are s3://bucket/key, a local path, or file:///path. Endpoint and credentials come from the usual AWS variables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (pack, install, repack, index, ls, cat, get, stat, verify, serve, demo):
    app.command(name=command.NAME, help=command.HELP)(command.run)
app.add_typer(catalog.app, name=catalog.NAME)


@app.callback(invoke_without_command=True)
def bindery(
    version: Annotated[bool, typer.Option("--version", help="Tell the version.", is_eager=True)] = False,  # noqa: FBT002 - an option
) -> None:
    """Options that need no command."""
    if version:
        typer.echo(f"bindery {metadata.version('bindery')}")
        raise typer.Exit


EXIT_UNEXPECTED = 1
EXIT_SYSTEM = 5
"""The operating system refused something, as `indexer.errors.ANSWERS` has it for disks and stores."""
EXIT_INTERRUPTED = 128 + signal.SIGINT
"""As shells have it. typer makes it of a KeyboardInterrupt."""


def main() -> None:
    """Run the command line.

    A failure is one line on stderr and an exit code other than 0 (`indexer.errors.ANSWERS`); to a command that was called wrongly
    typer says how to call it. `BINDERY_TRACEBACK=1` shows where a failure was raised.
    """
    streams.prepare()
    debug = os.environ.get("BINDERY_TRACEBACK", "") not in ("", "0")
    try:
        try:
            app(standalone_mode=True)
        finally:
            sys.stdout.flush()  # here, because what fails when the process ends is told by a traceback
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:
            tell_error("interrupted")
        raise
    except BinderyError as error:
        if debug:
            traceback.print_exc()
        tell_error(str(error))
        sys.exit(error.answer.exit_code)
    except Terminated as end:
        tell_error(f"ended by {end.signal.name}")
        sys.exit(128 + end.signal)
    except BrokenPipeError:
        # The reader of our output has gone (`bindery ls | head`): nothing is wrong, and nothing more can be said.
        streams.drop_stdout()
        sys.exit(EXIT_UNEXPECTED)
    except OSError as error:
        if debug:
            traceback.print_exc()
        streams.drop_stdout()
        tell_error(f"the system refused: {error.strerror or error}{_where(error)}")
        sys.exit(EXIT_SYSTEM)
    except Exception as error:
        if debug:
            raise
        tell_error(f"{type(error).__name__}: {error}. This is a fault of bindery; BINDERY_TRACEBACK=1 shows where")
        sys.exit(EXIT_UNEXPECTED)


STREAM_ERRORS: Final = frozenset({errno.EBADF, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC})
"""What writing to a stream fails with; errors of files tell their names, or were turned into one of ours."""


def _where(error: OSError) -> str:
    if error.filename is not None:
        return f" ({error.filename})"
    return " (writing the answer)" if error.errno in STREAM_ERRORS else ""

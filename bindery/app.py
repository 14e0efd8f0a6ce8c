"""The command `bindery`: which subcommands there are, and what an error looks like to a person and to a shell."""

from __future__ import annotations

import os
import sys
import traceback
from importlib import metadata
from typing import Annotated

import typer

from bindery.commands import cat, catalog, demo, get, index, install, ls, pack, serve, stat, verify
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
for command in (pack, install, index, ls, cat, get, stat, verify, serve, demo):
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


EXIT_INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""
EXIT_UNEXPECTED = 1


def main() -> None:
    """Run the command line.

    A failure is one line on stderr and an exit code other than 0 (`indexer.errors.ANSWERS`); `BINDERY_TRACEBACK=1` shows where it
    was raised.
    """
    debug = os.environ.get("BINDERY_TRACEBACK", "") not in ("", "0")
    try:
        app(standalone_mode=True)
    except BinderyError as error:
        if debug:
            traceback.print_exc()
        tell_error(str(error))
        sys.exit(error.answer.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`bindery ls | head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_UNEXPECTED)
    except KeyboardInterrupt:
        tell_error("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        tell_error(f"{type(error).__name__}: {error}. This is a fault of bindery; BINDERY_TRACEBACK=1 shows where")
        sys.exit(EXIT_UNEXPECTED)

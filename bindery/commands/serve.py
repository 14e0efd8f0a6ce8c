"""`bindery serve`: archives as buckets of an S3 endpoint on this machine."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from indexer.limits import GIB
from object_lambda.mount_table import parse_live, parse_mount
from object_lambda.overlay import Winner

NAME: Final = "serve"
HELP: Final = "Serve archives as buckets of an S3 endpoint."


def run(
    mount: Annotated[
        list[str],
        typer.Option("--mount", metavar="BUCKET[/PREFIX]=ARCHIVE", help="Serve an archive or a catalog there; may be given often."),
    ],
    live: Annotated[
        list[str],
        typer.Option(
            "--live",
            metavar="BUCKET[/PREFIX]=s3://BUCKET/PREFIX",
            help="Serve keys that no archive holds from there, read as whom this command runs; may be given often.",
        ),
    ] = [],  # noqa: B006 - typer copies it
    live_wins: Annotated[
        bool, typer.Option("--live-wins", help="Of a key that is bound and lies loose too, serve the loose object.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8014,
    keys: Annotated[
        str | None,
        typer.Option("--keys", metavar="FILE", help="Let in who signs with a key of this file (or secretsmanager:NAME)."),
    ] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Let in everyone.")] = False,
    region: Annotated[str | None, typer.Option("--region", help="Region clients sign for. Default: that of the store.")] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="What clients call, if a proxy changes host or path.")
    ] = None,
    cache: Annotated[
        str | None, typer.Option("--cache", metavar="DIR", help="Keep what was fetched from a store in this folder.")
    ] = None,
    cache_bytes: Annotated[int, typer.Option("--cache-bytes", min=1, help="Most bytes the folder takes.")] = 10 * GIB,
) -> None:
    """Serve until interrupted."""
    from bindery.serving import Door, serve  # noqa: PLC0415 - no other command pays for the web framework

    door = Door(host=host, port=port, keys=keys, anonymous=anonymous, region=region, endpoint=endpoint)
    places = [parse_live(text) for text in live]
    winner = Winner.LIVE if live_wins else Winner.BOUND
    serve([parse_mount(text) for text in mount], door, places=places, winner=winner, cache=cache, cache_bytes=cache_bytes)

"""What `bindery serve` runs: kept apart so that no other command loads a web framework (0.2 s)."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from bindery.console import tell
from bindery.places import touched_folder
from indexer.errors import SettingInvalid
from indexer.source import AsyncSource
from indexer.source.route import open_source
from indexer.source.route_async import open_async_source
from object_lambda.cache import DiskCache
from object_lambda.endpoint import UNCHANGED, Endpoint
from object_lambda.fetch_async import AsyncCachedSource
from object_lambda.fetch_lock import FetchLock
from object_lambda.first_touch import touched
from object_lambda.first_touch_async import AsyncTouchingSource
from object_lambda.gateway import create_app, listeners
from object_lambda.gateway import serve as serve_app
from object_lambda.gateway_access import access_by, is_loopback
from object_lambda.gateway_live import open_live_side
from object_lambda.gateway_replies import GatewaySettings
from object_lambda.key_documents import VARIABLE, keys_at, keys_in
from object_lambda.keyring import Keyring
from object_lambda.live import LivePlace
from object_lambda.mounts import Mount
from object_lambda.overlay import Winner
from object_lambda.settings import CACHE_UNIT_BYTES
from object_lambda.touched_indexes import TouchedIndexes
from object_lambda.wiring import ServiceSettings, new_service

CACHE_THREADS: Final = 8
CHOICE: Final = f"Give --keys FILE (or {VARIABLE}), or let in everyone with --anonymous"


@dataclass(frozen=True, slots=True)
class Door:
    """Where the gateway listens, and whom it lets in.

    Args:
        host: Address to listen on.
        port: Port to listen on.
        keys: Where the keys are whose signatures count (`object_lambda.key_documents.keys_at`); None for those of the environment.
        anonymous: Let in everyone.
        region: What clients sign for; None for that of the store.
        endpoint: The URL clients are given, where a proxy changes what they call; None where none does.
    """

    host: str
    port: int
    keys: str | None
    anonymous: bool
    region: str | None
    endpoint: str | None

    @property
    def url(self) -> str:
        """What clients call."""
        return self.endpoint or f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def serve(
    mounts: Sequence[Mount],
    door: Door,
    *,
    places: Sequence[LivePlace],
    winner: Winner,
    cache: str | None,
    cache_bytes: int,
) -> None:
    """Serve `mounts` on this machine until the process is told to stop.

    Args:
        mounts: What is served; every archive is looked at first, so that a mistyped name is told now, in one line.
        door: Where, and to whom.
        places: The live prefixes beneath the mounts.
        winner: Which object is served where a key is bound and lies loose too.
        cache: Folder that keeps what was fetched; None keeps it in memory only.
        cache_bytes: Most bytes that folder takes.

    Raises:
        BinderyError: An archive is not there, the cache folder cannot be used, the port is taken, or nothing says who may read.
    """
    region = door.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    keyring = keys_in(os.environ) if door.keys is None else keys_at(door.keys)
    unasked = keyring is None and not door.anonymous and is_loopback(door.host)
    access = access_by(keyring, anonymous=door.anonymous or unasked, region=region, now=time.time, hint=CHOICE)
    source = open_async_source(os.environ)
    asyncio.run(_check(mounts, source))
    service = new_service(mounts, clock=time.monotonic, settings=ServiceSettings(), first_touch=touched)
    live_side = open_live_side(service, places, winner, os.environ)
    folder = touched_folder(os.environ) if cache is None else f"{os.path.abspath(cache)}/indexes"  # noqa: PTH100 - text, as the cache's
    ensure = TouchedIndexes(folder, open_source(os.environ)).ensure
    settings = GatewaySettings(region=region, endpoint=Endpoint.parse(door.endpoint) if door.endpoint else UNCHANGED)
    sockets = listeners(door.host, door.port)
    with ThreadPoolExecutor(CACHE_THREADS, thread_name_prefix="cache") as threads:
        kept = source if cache is None else _cached(source, cache, cache_bytes, threads)
        served = AsyncTouchingSource(kept, folder=folder, ensure=ensure, threads=threads)
        app = create_app(service, served, access=access, settings=settings, created_s=int(time.time()), live_side=live_side)
        whom = "everyone who can reach it" if keyring is None else f"whoever signs with {_count(keyring)}"
        tell(f"Serving {', '.join(service.buckets())} at {door.url} to {whom}. Stop with Ctrl-C.")
        if unasked:
            tell("No keys are given: every program on this machine may read it. Choose with --keys FILE or --anonymous.")
        signing = "--no-sign-request" if keyring is None else f"--region {region}"
        tell(f"Try:  aws --endpoint-url {door.url} {signing} s3 ls s3://{service.buckets()[0]}/")
        serve_app(app, sockets)


def _count(keyring: Keyring) -> str:
    return "the one key" if len(keyring) == 1 else f"one of {len(keyring)} keys"


async def _check(mounts: Sequence[Mount], source: AsyncSource) -> None:
    """Look at every archive before anyone asks for it: a mistyped name is told now, in one line."""
    for mount in mounts:
        await source.head(mount.archive)


def _cached(source: AsyncSource, folder: str, budget_bytes: int, threads: ThreadPoolExecutor) -> AsyncSource:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103 - the cache takes its folder as text
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        hint = "Name a folder that can be written, or leave out --cache"
        raise SettingInvalid(
            f"the cache folder cannot be used: {error.strerror}", hint=hint, setting="--cache", value=folder
        ) from None
    disk = DiskCache(folder, budget_bytes=budget_bytes, clock=time.time, report=tell)
    lock = FetchLock(folder, clock=time.monotonic)
    return AsyncCachedSource(source, disk, unit_bytes=CACHE_UNIT_BYTES, threads=threads, lock=lock)

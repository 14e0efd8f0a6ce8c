"""What `bindery serve` runs: kept apart so that no other command loads a web framework (0.2 s)."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from bindery.console import tell
from indexer.errors import SettingInvalid
from indexer.limits import REQUEST_BYTES
from indexer.source import AsyncSource
from indexer.source.route_async import open_async_source
from object_lambda.access import Anonymous
from object_lambda.cache import DiskCache
from object_lambda.fetch_async import AsyncCachedSource
from object_lambda.fetch_lock import FetchLock
from object_lambda.gateway import create_app
from object_lambda.gateway import serve as serve_app
from object_lambda.gateway_replies import GatewaySettings
from object_lambda.mounts import Mount
from object_lambda.wiring import ServiceSettings, new_service

CACHE_THREADS: Final = 8


def serve(mounts: Sequence[Mount], *, host: str, port: int, cache: str | None, cache_bytes: int) -> None:
    """Serve `mounts` on this machine until the process is told to stop.

    Args:
        mounts: What is served; every archive is looked at first, so that a mistyped name is told now, in one line.
        host: Address to listen on.
        port: Port to listen on.
        cache: Folder that keeps what was fetched; None keeps it in memory only.
        cache_bytes: Most bytes that folder takes.

    Raises:
        BinderyError: An archive is not there, or the cache folder cannot be used.
    """
    source = open_async_source(os.environ)
    asyncio.run(_check(mounts, source))
    service = new_service(mounts, clock=time.monotonic, settings=ServiceSettings())
    settings = GatewaySettings(region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1")
    with ThreadPoolExecutor(CACHE_THREADS, thread_name_prefix="cache") as threads:
        served = source if cache is None else _cached(source, cache, cache_bytes, threads)
        app = create_app(service, served, access=Anonymous(), settings=settings, created_s=int(time.time()))
        endpoint = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        tell(f"Serving {', '.join(service.buckets())} at {endpoint} to everyone who can reach it. Stop with Ctrl-C.")
        tell(f"Try:  aws --endpoint-url {endpoint} --no-sign-request s3 ls s3://{service.buckets()[0]}/")
        serve_app(app, host, port)


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
    return AsyncCachedSource(source, disk, unit_bytes=REQUEST_BYTES, threads=threads, lock=lock)

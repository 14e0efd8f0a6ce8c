"""The Lambda function behind an S3 Object Lambda access point: `object_lambda.olap.handler`.

Everything that lasts (settings, clients, certificates) is made when a Lambda function loads the module, because its start has a
whole core. Loaded modules are counted by tests/object_lambda/test_packaging.py; whatever no answer needs stays out.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from indexer.errors import SettingInvalid
from indexer.source.route import open_source
from object_lambda.cache import DiskCache, NoCache
from object_lambda.fetch import CachedSource
from object_lambda.fetch_lock import FetchLock
from object_lambda.first_touch import TouchingSource, touched
from object_lambda.olap_door import Door
from object_lambda.settings import Settings
from object_lambda.wgor import ResponseWriter
from object_lambda.wgor_endpoint import Endpoint
from object_lambda.wiring import ServiceSettings, new_service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Executor
    from typing import NoReturn

    from indexer.source import Source
    from object_lambda.olap_door import Reads, Result
    from object_lambda.olap_live import LiveDoor
    from object_lambda.service import Service


class Misconfigured:
    """In place of a service whose settings cannot work: tells every caller so. The log has the details."""

    def get(self, request: object) -> NoReturn:  # noqa: ARG002 - the protocol's name
        """Raise SettingInvalid."""
        raise SettingInvalid("the settings of this function cannot work", hint="Its log tells which")

    head = list = get


def open_door(env: Mapping[str, str], *, report: Callable[[str], None]) -> Door:
    """Put the door together from its variables (`settings.Settings`, `wgor_endpoint.Endpoint`).

    Args:
        env: `os.environ`.
        report: Takes what is wrong or went wrong, one line each.

    Raises:
        SettingInvalid: The variables with which AWS runs every function cannot work, so that no caller could even be told.
    """
    endpoint = Endpoint.read(env)
    writer = ResponseWriter(endpoint, clock=time.time)
    source = open_source(env)
    service: Reads
    live: LiveDoor | None = None
    try:
        settings = Settings.read(env)
        service = bound = new_service(settings.mounts, clock=time.monotonic, settings=_memory(settings), first_touch=touched)
    except SettingInvalid as error:
        report(str(error))
        service = Misconfigured()
    else:
        for notice in settings.notices:
            report(notice)
        folder = f"{settings.cache_folder}/indexes"
        source = TouchingSource(_cached(source, settings, report), folder=folder, ensure=_toucher(folder, source))
        live = _live(bound, source, settings, endpoint)
    return Door(service, source, writer, ahead=_ahead, report=report, live=live)


def _live(bound: Service, source: Source, settings: Settings, endpoint: Endpoint) -> LiveDoor | None:
    if settings.overlay is None:
        return None
    from object_lambda.list_seal import Seal  # noqa: PLC0415 - what follows is for functions with an overlay only
    from object_lambda.olap_live import LiveDoor  # noqa: PLC0415
    from object_lambda.overlay import Winner  # noqa: PLC0415

    return LiveDoor(
        bound,
        source,
        winner=Winner(settings.overlay),
        seal=Seal(settings.token_secret),
        credentials=endpoint.credentials,
        ca_bundle=endpoint.ca_bundle,
        clock=time.time,
    )


def _memory(settings: Settings) -> ServiceSettings:
    """Two thirds for pages, which a lookup needs first; the defaults are in the same proportion."""
    frame_bytes = settings.memory_bytes // 3 or 1
    return ServiceSettings(page_bytes=settings.memory_bytes - frame_bytes, frame_bytes=frame_bytes)


def _cached(source: Source, settings: Settings, report: Callable[[str], None]) -> CachedSource:
    folder, unit_bytes = settings.cache_folder, settings.cache_unit_bytes
    if not settings.cache_bytes:
        return CachedSource(source, NoCache(), unit_bytes=unit_bytes)
    cache = DiskCache(folder, budget_bytes=settings.cache_bytes, clock=time.time, report=report)
    return CachedSource(source, cache, unit_bytes=unit_bytes, lock=FetchLock(folder, clock=time.monotonic))


def _toucher(folder: str, source: Source) -> Callable[[str], str]:
    def ensure(archive_url: str) -> str:
        from object_lambda.touched_indexes import TouchedIndexes  # noqa: PLC0415 - archives have indexes, as a rule

        return TouchedIndexes(folder, source).ensure(archive_url)

    return ensure


@functools.cache
def _ahead() -> Executor:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms, for members of more than 1 MiB only

    return ThreadPoolExecutor(1, thread_name_prefix="ahead")


def _log(line: str) -> None:
    """One JSON document a line on standard error, which Lambda sends to CloudWatch."""
    sys.stderr.write(json.dumps({"level": "ERROR", "message": line}) + "\n")


@functools.cache
def _door() -> Door:
    return open_door(os.environ, report=_log)


def handler(event: Mapping[str, Any], context: object) -> Result:  # noqa: ARG001 - Lambda's signature
    """Answer one event of S3 Object Lambda."""
    return _door().handle(event)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    _door()

"""The gateway put together from its variables: for functions and containers, which have no command line.

Variables: `BINDERY_MOUNTS`, one `BUCKET[/PREFIX]=ARCHIVE` a line; `AWS_REGION`; those of the store (`indexer.source.settings`); who
may read: `BINDERY_ACCESS_KEYS` (`object_lambda.key_documents`) or `BINDERY_ANONYMOUS=true`; `BINDERY_ENDPOINT`, the URL that
clients are given, where something in front of the gateway changes Host or path; `BINDERY_LIVE`, where keys that are not bound are
served from, one `BUCKET[/PREFIX]=s3://bucket/prefix` a line, and `BINDERY_OVERLAY=live` where loose objects go before bound ones.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI

from indexer.errors import SettingInvalid
from indexer.source import AsyncSource
from object_lambda.endpoint import UNCHANGED, Endpoint
from object_lambda.gateway import create_app
from object_lambda.gateway_access import access_by
from object_lambda.gateway_live import open_live_side
from object_lambda.gateway_replies import GatewaySettings
from object_lambda.key_documents import VARIABLE, keys_in
from object_lambda.mount_table import EXAMPLE, parse_live, parse_mount, winner_in
from object_lambda.wiring import ServiceSettings, new_service

CHOICE: Final = f"Set {VARIABLE}, or BINDERY_ANONYMOUS=true"


def app_of(env: Mapping[str, str], source: AsyncSource, *, body_bytes: int | None) -> FastAPI:
    """Make the gateway out of its variables.

    Args:
        env: `os.environ`.
        source: Where archives and indexes are read.
        body_bytes: Longest body of one answer, where the way to the client has a limit; None for none.

    Raises:
        SettingInvalid, LocationInvalid: A mount cannot work, or there is none; nothing says who may read.
    """
    mounts = [parse_mount(line) for line in _lines(env, "BINDERY_MOUNTS")]
    if not mounts:
        raise SettingInvalid("nothing is mounted", hint=EXAMPLE, setting="BINDERY_MOUNTS")
    region = env.get("AWS_REGION") or "us-east-1"
    anonymous = env.get("BINDERY_ANONYMOUS", "").lower() == "true"
    access = access_by(keys_in(env), anonymous=anonymous, region=region, now=time.time, hint=CHOICE)
    endpoint = Endpoint.parse(env["BINDERY_ENDPOINT"]) if env.get("BINDERY_ENDPOINT") else UNCHANGED
    service = new_service(mounts, clock=time.monotonic, settings=ServiceSettings())
    places = [parse_live(line) for line in _lines(env, "BINDERY_LIVE")]
    return create_app(
        service,
        source,
        access=access,
        settings=GatewaySettings(region=region, body_bytes=body_bytes, endpoint=endpoint),
        created_s=int(time.time()),
        live_side=open_live_side(service, places, winner_in(env), env),
    )


def _lines(env: Mapping[str, str], name: str) -> list[str]:
    return [line.strip() for line in env.get(name, "").splitlines() if line.strip()]

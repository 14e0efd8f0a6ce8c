"""What `bindery demo` shows: small logs become one archive, and S3 clients still find each one under its key."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import boto3
import uvicorn
from botocore import UNSIGNED
from botocore.config import Config
from rich.console import Console
from rich.table import Table

from archiver.pack import PackReport, pack
from archiver.samples import samples
from archiver.settings import PackSettings
from bindery.console import count, size
from bindery.progress import Bars
from indexer.errors import LocationInvalid, VerifyFailed
from indexer.source.route_async import open_async_source
from indexer.source.trace import AsyncTracedSource, Trace
from object_lambda.access import Anonymous
from object_lambda.gateway import create_app, server_config
from object_lambda.gateway_replies import GatewaySettings
from object_lambda.mount_table import parse_mount
from object_lambda.wiring import ServiceSettings, new_service

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOST: Final = "127.0.0.1"
BUCKET: Final = "logs"
DAYS: Final = 1
LEAST_WIDTH: Final = 110

# Prices of us-east-1 in US dollars, as the S3 pricing page gave them in 2026; they are for scale, not for a bill.
PUT_1000: Final = 0.005
TRANSITION_1000: Final = 0.02
GLACIER_IR_GB_MONTH: Final = 0.004
GLACIER_IR_LEAST_BYTES: Final = 128 * 1024

out = Console(highlight=False, soft_wrap=True)
out.width = max(out.width, LEAST_WIDTH)  # in a pipe or a narrow terminal a long line is better than a broken table


def demonstrate(folder: Path, objects: int) -> None:
    """Run the demonstration.

    Args:
        folder: Gets `objects/` (the logs as files) and `archives/`; both are made anew or completed.
        objects: How many logs.

    Raises:
        LocationInvalid: The folder holds something else.
        VerifyFailed: A client read something else than was packed.
    """
    source, archives = folder / "objects", folder / "archives"
    _heading(1, f"A day of logs: {count(objects)} small objects")
    total = _write_logs(source, objects)
    out.print(f"   {count(objects)} files, {size(total)} in all, {size(total / objects)} each, in {source}")

    _heading(2, f"bindery pack {source} {archives}/")
    with Bars() as bars:
        settings = PackSettings(f"{source}", f"{archives}/", scratch=Path(tempfile.gettempdir()), env=os.environ)
        report = pack(settings, bars)
    archive = report.archive.url.removeprefix("file://")
    out.print(f"   {report.outcome.value}; every member was read back through the index and compared with its source")
    _print_savings(report)

    mount = f"{BUCKET}={archive}"
    _heading(3, f"bindery serve --mount {mount}")
    _read_as_client(mount, source, objects)

    shown, bindery = os.path.relpath(archive), _own_command()
    _heading(4, "Go on from here")
    for line in (
        f"{bindery} ls {shown} AWSLogs/",
        f"{bindery} stat {shown}",
        f"{bindery} serve --mount {BUCKET}={shown}",
        f"aws --endpoint-url http://{HOST}:8014 --no-sign-request s3 ls --recursive s3://{BUCKET}/   # in another terminal",
        f"tar --zstd -tf {shown} | head   # no lock-in: it is a tar",
    ):
        out.print(f"   {line}", markup=False)


def _own_command() -> str:
    """How to call this program from here: by its name where the shell finds it, else by its path."""
    return "bindery" if shutil.which("bindery") else os.path.relpath(sys.argv[0])


def _heading(number: int, text: str) -> None:
    out.print(f"\n[bold]{number}.[/bold] {text}")


def _write_logs(folder: Path, objects: int) -> int:
    """Write the logs as files, unless they are there; returns their bytes."""
    marker = folder.parent / f".{folder.name}-{objects}"
    if folder.exists() and not marker.exists():
        raise LocationInvalid("this folder holds something else already", hint="Name another with --folder", path=str(folder))
    total = 0
    made = marker.exists()
    for sample in samples(objects, days=DAYS):
        total += len(sample.body)
        if not made:
            path = folder / sample.key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample.body)
    marker.touch()
    return total


def _print_savings(report: PackReport) -> None:
    members = report.members
    kept = report.stored_bytes + report.index_bytes
    table = Table(box=None, pad_edge=False, padding=(0, 3))
    table.add_column()
    table.add_column("one by one", justify="right")
    table.add_column("bound", justify="right")
    table.add_row("   objects in the bucket", count(members), "2 (archive and index)")
    table.add_row("   bytes stored", size(report.bytes), f"{size(kept)} ({report.bytes / kept:.1f} times less)")
    table.add_row("   writing them with PUT", _dollars(members / 1000 * PUT_1000), _dollars(2 / 1000 * PUT_1000))
    table.add_row(
        "   moving them to Glacier Instant Retrieval",
        _dollars(members / 1000 * TRANSITION_1000),
        _dollars(1 / 1000 * TRANSITION_1000),
    )
    billed = members * GLACIER_IR_LEAST_BYTES
    table.add_row(
        "   a month there, 128 KiB billed at least",
        _dollars(billed / 1e9 * GLACIER_IR_GB_MONTH),
        _dollars(kept / 1e9 * GLACIER_IR_GB_MONTH),
    )
    out.print(table)


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 0.01 else f"${amount:.5f}"


def _read_as_client(mount: str, source: Path, objects: int) -> None:
    """List and fetch through boto3, and show what each call cost against the store that holds the archive."""
    trace = Trace()
    with _served(mount, trace) as endpoint:
        config = Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        client: S3Client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", config=config)
        out.print(f"   boto3 reads {endpoint}/{BUCKET}; what each call cost:")
        table = Table(box=None, pad_edge=False, padding=(0, 3))
        for title, justify in (("   call", "left"), ("requests", "right"), ("one after another", "right"), ("bytes", "right")):
            table.add_column(title, justify=justify)  # type: ignore[arg-type]  # a literal, seen through a tuple

        def cost(call: str) -> None:
            table.add_row(f"   {call}", str(trace.requests), str(trace.depth), size(trace.bytes))
            trace.clear()

        first = client.list_objects_v2(Bucket=BUCKET)
        cost(f"ListObjectsV2: the first {count(first['KeyCount'])} keys, nothing known yet")
        key = first["Contents"][len(first["Contents"]) // 2]["Key"]
        _compare(client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), (source / key).read_bytes(), key)
        cost("GetObject: a key of that page")
        _compare(
            client.get_object(Bucket=BUCKET, Key=key, Range="bytes=0-99")["Body"].read(), (source / key).read_bytes()[:100], key
        )
        cost("GetObject: its first 100 bytes")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="AWSLogs/")
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        cost(f"list all {count(len(keys))} keys under AWSLogs/")
        far = keys[-1]
        _compare(client.get_object(Bucket=BUCKET, Key=far)["Body"].read(), (source / far).read_bytes(), far)
        cost("GetObject: the last of them")
        head = client.head_object(Bucket=BUCKET, Key=far)
        cost(f"HeadObject: {size(head['ContentLength'])}, ETag {head['ETag'][:9]}...")
        every = [
            entry["Key"] for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET) for entry in page["Contents"]
        ]
        cost(f"list all {count(len(every))} keys")
        if len(every) != objects:
            raise VerifyFailed(f"{len(every)} of {objects} keys were listed")
        out.print(table)


def _compare(got: bytes, expected: bytes, key: str) -> None:
    if got != expected:
        raise VerifyFailed("the client read something else than was packed", member=key)


@contextmanager
def _served(mount: str, trace: Trace) -> Iterator[str]:
    """Serve a mount on a free port of this machine, in a thread; yields the endpoint."""
    service = new_service([parse_mount(mount)], clock=time.monotonic, settings=ServiceSettings())
    source = AsyncTracedSource(open_async_source(os.environ), trace)
    app = create_app(service, source, access=Anonymous(), settings=GatewaySettings(), created_s=int(time.time()))
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(server_config(app))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gateway", daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.01)
            yield f"http://{HOST}:{port}"
        finally:
            server.should_exit = True
            thread.join()

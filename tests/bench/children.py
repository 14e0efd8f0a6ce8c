"""What is measured in a process of its own: `python tests/bench/children.py NAME ARGUMENT...`, one function each.

Each prints its answer: the member's bytes for a reader, else one line of JSON. Imports stand inside the functions, because they
are part of what a process costs; rivals are found by name, because only `make setup-bench` installs them.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def build(archive: str, index: str) -> None:
    """Index a zip or any other archive into a local file, and tell how fast."""
    from pathlib import Path

    from indexer.build import build_index
    from indexer.source.route import open_source
    from indexer.urls import parse

    source = open_source(os.environ)
    began_s = time.process_time()
    with Path(index).open("wb") as out:
        summary = build_index(parse(archive), source, out.write, scratch=Path(index).parent)
    _say({"cpu_s": time.process_time() - began_s, "members": summary.members, "index_bytes": summary.index_bytes})


def look(index: str, archive: str, names: str) -> None:
    """Open an index, find names, read the members, list a thousand names from each; tell requests and bytes of every step.

    `names` is a file of JSON: name to the member's size. Each name is looked for with the root known and no page kept.
    """
    from pathlib import Path

    from indexer import plan
    from indexer.drivers import run, stream
    from indexer.indexfile.reader import open_index
    from indexer.source.route import open_source
    from indexer.source.trace import Trace, TracedSource
    from indexer.urls import parse

    trace = Trace()
    source = TracedSource(open_source(os.environ), trace)
    opened = run(open_index(parse(index)), source)
    steps: dict[str, list[tuple[int, int, int]]] = {"open": [(trace.depth, trace.requests, trace.bytes)]}
    wanted: dict[str, int] = json.loads(Path(names).read_text())
    of = opened.archive(parse(archive))
    cpu_s: dict[str, list[float]] = {"find": [], "read": [], "list": []}

    def step(what: str, act: Callable[..., Any], *arguments: Any) -> Any:
        """Run one step and write down what it took."""
        trace.clear()
        began_s = time.process_time()
        answer = act(*arguments)
        cpu_s[what].append(time.process_time() - began_s)
        steps.setdefault(what, []).append((trace.depth, trace.requests, trace.bytes))
        return answer

    def find(name: str) -> Any:
        return run(opened.find(name.encode()), source)

    def read(member: Any) -> bytes:
        return b"".join(stream(plan.read(of, member, 0, member.size, index=opened.identity), source))

    def listing(name: str) -> Any:
        return run(opened.window(name.encode(), 1_000), source)

    for name, size in wanted.items():
        opened._pages.clear()
        opened._directory_cache.clear()
        member = step("find", find, name)
        body = step("read", read, member)
        if len(body) != size:
            raise SystemExit(f"{name} has {len(body)} bytes, not {size}")
        opened._pages.clear()
        opened._directory_cache.clear()
        listed = step("list", listing, name)
        if not listed or listed[0].name != name.encode():
            raise SystemExit(f"a listing from {name} begins elsewhere")
    _say({"steps": steps, "cpu_s": cpu_s, "members": opened.members})


def bindery(archive: str, member: str) -> None:
    """Read one member with nothing but the floor."""
    from indexer import plan
    from indexer.drivers import run, stream
    from indexer.indexfile.reader import open_index
    from indexer.source.route import open_source
    from indexer.urls import index_url

    source = open_source(os.environ)
    index = run(open_index(index_url(archive)), source)
    found = run(index.find(member.encode()), source)
    if found is None:
        raise SystemExit("the member is not there")
    for piece in stream(plan.read(index.archive(archive), found, 0, found.size, index=index.identity), source):
        sys.stdout.buffer.write(piece)


def states(archive: str, members: str) -> None:
    """Run GET, HEAD and LIST of each member through the service, by what it knows before; tell requests, bytes and CPU time."""
    from indexer.drivers import run
    from indexer.source.route import open_source
    from indexer.source.trace import Trace, TracedSource
    from indexer.urls import index_url
    from object_lambda.mounts import Mount
    from object_lambda.requests import ListRequest, ObjectRequest
    from object_lambda.service import Service
    from object_lambda.wiring import ServiceSettings, new_service

    trace = Trace()
    source = TracedSource(open_source(os.environ), trace)
    mount = Mount("bench", b"", archive, index_url(archive))

    def call(what: str, service: Service, key: bytes) -> None:
        match what:
            case "root":
                run(service.root(mount), source)
            case "get":
                run(service.get(ObjectRequest("bench", key)), source)
            case "head":
                run(service.head(ObjectRequest("bench", key)), source)
            case "list":
                run(service.list(ListRequest("bench", after=key)), source)

    told: dict[str, dict[str, list[list[float]]]] = {}
    for member in members.split(","):
        for what in ("get", "head", "list"):
            before = {"empty": (), "root": ("root",), "page": ("list" if what == "list" else "head",), "frame": (what,)}
            for state, steps in before.items():
                service = new_service([mount], clock=time.monotonic, settings=ServiceSettings(freshness_s=float("inf")))
                for step in steps:
                    call(step, service, member.encode())
                trace.clear()
                began_s = time.process_time()
                call(what, service, member.encode())
                cost = [trace.depth, trace.requests, trace.bytes, time.process_time() - began_s]
                told.setdefault(state, {}).setdefault(what, []).append(cost)
    _say(told)


def remotezip(url: str, member: str) -> None:
    """Read one member with remotezip."""
    from importlib import import_module

    with import_module("remotezip").RemoteZip(url) as archive:
        sys.stdout.buffer.write(archive.read(member))


def fsspec_zip(url: str, member: str) -> None:
    """Read one member with fsspec's zip over HTTP."""
    from importlib import import_module

    with import_module("fsspec").open(f"zip://{member}::{url}", "rb") as file:
        sys.stdout.buffer.write(file.read())


def fsspec_s3_zip(url: str, member: str) -> None:
    """Read one member with fsspec's zip over s3fs."""
    from importlib import import_module

    key = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "key": "bench", "secret": "bench"}
    with import_module("fsspec").open(f"zip://{member}::{url}", "rb", s3=key) as file:
        sys.stdout.buffer.write(file.read())


def ratarmount(url: str, member: str, index: str) -> None:
    """Read one member with ratarmountcore; `index` is its SQLite file, made when it is not there."""
    from contextlib import redirect_stdout
    from importlib import import_module

    with redirect_stdout(sys.stderr):  # it tells its progress there
        source = import_module("ratarmountcore.mountsource.factory").open_mount_source(url, indexFilePath=index, writeIndex=True)
        info = source.lookup(f"/{member}")
        if info is None:
            raise SystemExit("the member is not there")
        with source.open(info) as file:
            body = file.read()
    sys.stdout.buffer.write(body)


def pack(source: str, destination: str, format_name: str, level: str) -> None:
    """Pack, and tell CPU time and members by phase."""
    from archiver.frames import LEVELS
    from archiver.pack import pack as pack_sources
    from archiver.progress import Phase
    from archiver.settings import Format, PackSettings

    class Timed:
        def __init__(self) -> None:
            self.begun: list[tuple[str, float]] = []

        def begin(self, phase: Phase, members: int | None, member_bytes: int | None) -> None:
            self.begun.append((phase.value, time.process_time()))

        def advance(self, members: int, member_bytes: int) -> None:
            """Nothing: only the phases count."""

    timed = Timed()
    settings = PackSettings(
        source=source, destination=destination, format=Format(format_name), level=LEVELS[level], env=dict(os.environ)
    )
    report = pack_sources(settings, timed)
    ends = [at for _, at in timed.begun[1:]] + [time.process_time()]
    phases: dict[str, float] = {}
    for (phase, start), end in zip(timed.begun, ends, strict=True):
        phases[phase] = phases.get(phase, 0.0) + end - start
    _say({**report.as_json(), "phases": phases})


def door(event: str) -> None:
    """Answer one event of S3 Object Lambda; tell the CPU time since the process began and what was imported."""
    os.environ["AWS_LAMBDA_FUNCTION_NAME"] = "bench"
    from object_lambda.olap import handler

    imported_s = time.process_time()
    result = handler(json.loads(event), None)
    _say({"cpu_s": time.process_time(), "imported_s": imported_s, "modules": len(sys.modules), "result": result})


def boto3_client() -> None:
    """What the client of the usual handler takes."""
    import boto3

    boto3.client("s3", region_name="us-east-1")
    _say({"cpu_s": time.process_time(), "modules": len(sys.modules)})


def python() -> None:
    """Nothing: what an interpreter takes."""
    _say({"cpu_s": time.process_time(), "modules": len(sys.modules)})


def _say(answer: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")


CHILDREN: dict[str, Callable[..., None]] = {
    child.__name__: child
    for child in (
        bindery, boto3_client, build, door, fsspec_s3_zip, fsspec_zip, look, pack, python, ratarmount, remotezip, states,
    )
}  # fmt: skip

if __name__ == "__main__":
    CHILDREN[sys.argv[1]](*sys.argv[2:])

"""What the deployed handler loads and takes: start-up is part of latency, and memory is part of the price."""

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from indexer.build import build_index
from indexer.source.route import open_source
from indexer.urls import index_url
from tests.object_lambda.test_olap import put_archive
from tests.servers.ministack import Bucket

MIB = 1 << 20
MEDIUM_BYTES, LARGE_BYTES = 64 * MIB, 200 * MIB
PIECE = os.urandom(16 << 10) * 64  # deflate makes 200 MiB of it into 2

FORBIDDEN = {
    "_pytest",
    "archiver",
    "asyncio",
    "bindery",
    "boto3",
    "botocore",
    "concurrent",
    "fastapi",
    "logging",
    "mangum",
    "multiprocessing",
    "numpy",
    "pathlib",
    "pydantic",
    "requests",
    "rich",
    "starlette",
    "typer",
    "urllib3",
    "uvicorn",
}
"""Top-level modules that no answer of one small member needs. asyncio alone costs 25 ms, logging 10."""

MODULES_MOST = 230
"""Modules loaded after the first GET, those of Python's own start included. Each costs about 0.3 ms, from a cold disk far more."""

CALL = """
import sys
sys.path.insert(0, sys.argv[1])
import json, resource
from object_lambda.olap import handler
result = handler(json.loads(sys.argv[2]), None)
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "result": result,
    "cpu_ms": (used.ru_utime + used.ru_stime) * 1000,
    # Not ru_maxrss, which keeps what this process was before exec: a fork of the test run.
    "rss_mib": int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024,
    "modules": sorted(sys.modules),
}))
"""


class Sink(BaseHTTPRequestHandler):
    """Takes responses, and counts their bytes."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        length = left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, MIB)))
        self.bodies.append(length)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def sink() -> Iterator[str]:
    Sink.bodies = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def call(env: dict[str, str], key: str) -> dict[str, Any]:
    """Run the handler in a process of its own, as Lambda starts it, for one GetObject."""
    event = {
        "getObjectContext": {"inputS3Url": f"http://127.0.0.1/ap/{key}?X-Amz-Signature=0", "outputRoute": "r", "outputToken": "t"},
        "userRequest": {"url": f"/{key}", "headers": {}},
    }
    root = Path(__file__).parents[2]
    # -I -S: neither this environment's editable install nor its .pth files are what a function has; its packages are named alone.
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    started = "import sys; sys.path.append(sys.argv.pop(1));" + CALL
    command = [sys.executable, "-I", "-S", "-c", started, packages, str(root), json.dumps(event)]
    environment = {"AWS_LAMBDA_FUNCTION_NAME": "f", **env}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=True)
    assert run.stderr == ""
    report: dict[str, Any] = json.loads(run.stdout)
    assert report["result"] == {"status_code": 200}
    return report


def test_a_cold_start_loads_only_what_an_answer_needs(s3_bucket: Bucket, sink: str, tmp_path: Path) -> None:
    url = put_archive(s3_bucket, "logs.zip", {f"{number}.log": b"line\n" * 100 for number in range(1000)}, tmp_path)
    env = {
        **s3_bucket.server.env,
        "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": sink,
        "S3ARCHIVEFS_PREFIX_VMAP1": f"logs|{url}",
        "S3ARCHIVEFS_CACHE_DIR": str(tmp_path / "cache"),
    }
    reports = [call(env, "logs/500.log") for _ in range(5)]
    assert Sink.bodies == [500] * 5
    modules = reports[0]["modules"]
    assert sorted({name.partition(".")[0] for name in modules} & FORBIDDEN) == []
    assert len(modules) <= MODULES_MOST
    # Told, not asserted: how fast this machine is today is no property of the code.
    sys.stdout.write(
        f"{len(modules)} modules, {sorted(report['cpu_ms'] for report in reports)[2]:.0f} ms of CPU to the first answer\n"
    )


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_memory_is_the_same_for_a_member_of_64_and_of_200_mib(sink: str, tmp_path: Path, method: int) -> None:
    archive = tmp_path / "large.zip"
    with zipfile.ZipFile(archive, "w", method, compresslevel=1) as packed:
        packed.writestr("small", b"small")
        for name, length in (("medium", MEDIUM_BYTES), ("large", LARGE_BYTES)):
            with packed.open(name, "w") as member:
                for _ in range(length // MIB):
                    member.write(PIECE)
    url = f"file://{archive}"
    index: list[bytes] = []
    build_index(url, open_source({}), index.append, scratch=tmp_path)
    Path(index_url(str(archive))).write_bytes(b"".join(index))
    env = {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_ENDPOINT_URL_S3_OBJECT_LAMBDA": sink,
        "S3ARCHIVEFS_PREFIX_VMAP1": f"v|{url}",
        "S3ARCHIVEFS_CACHE_DIR": str(tmp_path / "cache"),
        "BINDERY_CACHE_BYTES": str(MEDIUM_BYTES),
    }
    small, medium, large = (call(env, f"v/{name}")["rss_mib"] for name in ("small", "medium", "large"))
    assert Sink.bodies == [5, MEDIUM_BYTES, LARGE_BYTES]
    sys.stdout.write(f"{small:.0f} MiB for a small member, {medium:.0f} for 64 MiB, {large:.0f} for 200 MiB\n")
    assert large < medium + 16
    assert large < small + 96

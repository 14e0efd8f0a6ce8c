"""The S3 that everyone reads in the benchmark: ministack behind an nginx that writes down what passes over the wire."""

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from obstore.store import S3Store

from tests.servers.ministack import ACCESS_KEY, REGION, SECRET_KEY, start_ministack
from tests.servers.nginx import PROGRAM
from tests.servers.process import HOST, ServerProcess, free_port

LOG_TIMEOUT_S: Final = 10.0
BUCKET: Final = "bench"

CONFIGURATION: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    log_format cost '$request_method $status $body_bytes_sent "$http_range" $request_uri';
    access_log {log} cost;
    tcp_nodelay on;
    keepalive_requests 1000000;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream s3 {{ server {host}:{upstream}; keepalive 128; }}
    server {{
        listen {host}:{port};
        location / {{
            proxy_pass http://s3;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_request_buffering off;
        }}
    }}
}}
"""
"""Nothing is buffered, so that a client that hangs up early is charged no more than was under way, as by S3."""


@dataclass(slots=True)
class Traffic:
    """The requests of one stretch of time, bytes of bodies that the server sent, and the log's lines."""

    requests: int = 0
    bytes: int = 0
    lines: list[str] = field(default_factory=list)


class CountedServer:
    """A running S3 with one bucket.

    Args:
        folder: For its files; made here.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._ministack = start_ministack(folder)
        self._log = folder / "access.log"
        self.port = free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(folder=folder, host=HOST, port=self.port, upstream=self._ministack.port, log=self._log)
        )
        self._nginx = ServerProcess(
            [PROGRAM, "-c", str(configuration), "-p", str(folder), "-e", "stderr"], env={}, folder=folder, log=folder / "nginx.log"
        )
        try:
            self._nginx.wait_until_answering(f"{self.endpoint}/_ministack/health")
            self._ministack.s3.create_bucket(Bucket=BUCKET)
        except BaseException:
            self.close()
            raise
        self._marks = count(1)
        self.store = S3Store(
            BUCKET,
            config={
                "aws_endpoint_url_s3": self._ministack.endpoint,
                "access_key_id": ACCESS_KEY,
                "secret_access_key": SECRET_KEY,
                "region": REGION,
            },
            client_options={"allow_http": True, "timeout": "300s"},
        )

    @property
    def endpoint(self) -> str:
        """Where it is; requests that go there are counted."""
        return f"http://{HOST}:{self.port}"

    @property
    def env(self) -> dict[str, str]:
        """The variables by which clients of S3, rclone's remote `s3:` among them, get there."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_REGION": REGION,
            "RCLONE_CONFIG_S3_TYPE": "s3",
            "RCLONE_CONFIG_S3_PROVIDER": "Other",
            "RCLONE_CONFIG_S3_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_S3_ACCESS_KEY_ID": ACCESS_KEY,
            "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": SECRET_KEY,
        }

    def http_url(self, key: str) -> str:
        """Where an object is for those who speak plain HTTP."""
        return f"{self.endpoint}/{BUCKET}/{key}"

    def upload(self, path: Path, key: str) -> str:
        """Store a file; returns its URL."""
        self.store.put(key, path)
        return f"s3://{BUCKET}/{key}"

    def close(self) -> None:
        """End it."""
        self._nginx.kill()
        self._ministack.process.kill()

    @contextmanager
    def traffic(self) -> Iterator[Traffic]:
        """Count what is asked meanwhile; the figures are there afterwards."""
        self._mark()
        start = self._log.stat().st_size
        seen = Traffic()
        yield seen
        mark = self._mark()
        with self._log.open("rb") as log:
            log.seek(start)
            seen.lines = [line for line in log.read().decode(errors="replace").splitlines() if mark not in line]
        seen.requests = len(seen.lines)
        seen.bytes = sum(int(line.split(" ", 3)[2]) for line in seen.lines)

    def _mark(self) -> str:
        """Ask for something nobody else asks for and wait until it is logged: all that was asked before is logged by then."""
        mark = f"/{BUCKET}/mark-{next(self._marks)}-"
        try:
            urllib.request.urlopen(f"{self.endpoint}{mark}", timeout=10).close()
        except urllib.error.HTTPError as missing:
            missing.close()
        deadline = time.monotonic() + LOG_TIMEOUT_S
        while mark not in self._tail():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self._log} has no line for {mark}")
            time.sleep(0.005)
        return mark

    def _tail(self) -> str:
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size - 4096))
            return log.read().decode(errors="replace")

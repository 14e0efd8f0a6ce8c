"""nginx: a folder over HTTP with right ranges, ETags and preconditions; the physical limit of a read."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import HOST, ServerProcess, free_port

PROGRAM = "/usr/sbin/nginx"  # Debian's place; often not on PATH

# tcp_nopush off: with it a 64 KiB range on loopback waits for a full segment, 1.7k answers a second instead of 7k.
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush off;
    tcp_nodelay on;
    keepalive_requests 1000000;
    open_file_cache max=10000 inactive=60s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port};
        root {root};
    }}
}}
"""


@dataclass(frozen=True)
class StaticServer:
    """A running nginx; files put under `root` are served at once. A path without its closing slash is never redirected:
    ask for files only (boto3 follows a folder's 301 for ever)."""

    root: Path
    port: int
    process: ServerProcess

    @property
    def endpoint(self) -> str:
        """Where `root` is served; with path-style clients its subfolders are the buckets."""
        return f"http://{HOST}:{self.port}"


def start_nginx(folder: Path) -> StaticServer:
    """Starts nginx with its files under `folder`; the caller kills its process."""
    if shutil.which(PROGRAM) is None:
        raise FileNotFoundError(f"{PROGRAM} is missing: run scripts/system-packages bench as root")
    port = free_port()
    root = folder / "root"
    root.mkdir(parents=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, host=HOST, port=port, root=root))
    process = ServerProcess(
        [PROGRAM, "-c", str(configuration), "-p", str(folder), "-e", "stderr"],
        env={},
        folder=folder,
        log=folder / "nginx.log",
    )
    process.wait_until_answering(f"http://{HOST}:{port}/")
    return StaticServer(root=root, port=port, process=process)


@pytest.fixture(scope="session")
def nginx(server_folder: Path) -> Iterator[StaticServer]:
    """One nginx for each test process."""
    server = start_nginx(server_folder / "nginx")
    try:
        yield server
    finally:
        server.process.kill()

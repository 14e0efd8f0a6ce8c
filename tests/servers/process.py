"""A server program as a child process: started on a free port, awaited until it answers, killed whole at the end."""

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

HOST = "127.0.0.1"
READY_TIMEOUT_S = 30.0  # ministack needs 0.3 s, nginx 0.1 s; a loaded machine needs more
POLL_S = 0.02
LOG_TAIL_BYTES = 4_000


class ServerFailedError(Exception):
    """The program ended or did not answer in time; the message carries the end of its log."""


def free_port() -> int:
    """A port nobody listens on now. Another process may take it before the server does: the start then fails loudly."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """One running server. It leads its own process group, so that `kill` takes its children with it."""

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], folder: Path, log: Path) -> None:
        self.log = log
        self._command = list(command)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as sink:
            self._process = subprocess.Popen(
                self._command,
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def wait_until_answering(self, url: str, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Returns once `url` gets any HTTP answer; else kills the server and raises ServerFailedError."""
        deadline = time.monotonic() + timeout_s
        while not _answers(url):
            status = self._process.poll()
            if status is not None or time.monotonic() > deadline:
                reason = "is silent" if status is None else f"ended with {status}"
                self.kill()
                raise ServerFailedError(f"{self._command[0]} {reason}; its log {self.log} ends:\n{self.log_tail()}")
            time.sleep(POLL_S)

    def kill(self) -> None:
        """SIGKILL to the whole group: there is no state worth a clean end, and SIGTERM leaves ministack lingering."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def log_tail(self) -> str:
        """The last lines the server wrote."""
        return self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False

"""A program in a process of its own, and what it took: CPU time with all its children, peak memory, its output."""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LAUNCHER: Final = Path(__file__).with_name("launch.py")
ROOT: Final = Path(__file__).parent.parent.parent
TIMEOUT_S: Final = 300.0
KEPT_VARIABLES: Final = ("PATH", "LANG", "TMPDIR")


class FailedError(Exception):
    """The program ended with an error or took too long."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of a program took. `rss_bytes` is the largest process among it and its children."""

    cpu_s: float
    wall_s: float
    rss_bytes: int
    stdout: bytes
    stderr: bytes


def environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every program is started with: nothing of the caller's account, certificates or proxies; `home` is empty."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    kept["PATH"] = f"{Path(sys.executable).parent}:{kept.get('PATH', '/usr/bin:/bin')}:/usr/sbin"
    return kept | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true", "PYTHONPATH": str(ROOT)} | dict(extra or {})


def run(command: Sequence[str | Path], *, env: Mapping[str, str], folder: Path | None = None, timeout_s: float = TIMEOUT_S) -> Cost:
    """Run `command` to its end.

    Raises:
        FailedError: It ended with another status than 0, or was killed after `timeout_s`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-run-") as scratch:
        report, out, err = (Path(scratch) / name for name in ("report", "out", "err"))
        with out.open("wb") as stdout, err.open("wb") as stderr:
            launcher = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCHER), str(report), *map(str, command)],
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            try:
                status = launcher.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise FailedError(f"{command[0]} took more than {timeout_s:.0f} s") from None
            finally:
                if launcher.returncode is None:
                    os.killpg(launcher.pid, signal.SIGKILL)
                    launcher.wait()
        if status != 0:
            raise FailedError(
                f"{' '.join(map(str, command[:4]))} ended with {status}: {err.read_bytes()[-600:].decode(errors='replace')}"
            )
        took = json.loads(report.read_text())
        return Cost(took["user_s"] + took["system_s"], took["wall_s"], took["rss_bytes"], out.read_bytes(), err.read_bytes())


def rounds(count: int, once: Callable[[], Cost]) -> list[Cost]:
    """Run something `count` times, one after the other."""
    return [once() for _ in range(count)]


def cpu_ms(costs: Sequence[Cost]) -> str:
    """CPU milliseconds of several runs: the median, and the least in brackets."""
    taken = [cost.cpu_s * 1000 for cost in costs]
    return f"{statistics.median(taken):.0f} ({min(taken):.0f})"


def median_cpu_s(costs: Sequence[Cost]) -> float:
    """The middle one of their CPU times."""
    return statistics.median(cost.cpu_s for cost in costs)


def peak(costs: Sequence[Cost]) -> int:
    """The most memory any of them took, in bytes."""
    return max(cost.rss_bytes for cost in costs)

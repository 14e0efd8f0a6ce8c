"""The page that a run becomes: the machine, the promises, the tables."""

import os
import platform
import re
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.bench import CORPUS_VARIABLE, Bench, where
from tests.bench.table import Answer, promises_table

INTRODUCTION: Final = """What `make bench` printed. CPU time is user and system of a process and of all it started; requests
and bytes are counted by the server where a rival is beside us. Times are the median of several fresh processes, the least
in brackets. Loopback has no latency, so wall time is not told."""

PROGRAMS: Final = {
    "rclone": r"rclone (v[\d.]+)",
    "zip": r"This is (Zip [\d.]+)",
    "tar": r"(tar.* [\d.]+)",
    "zstd": r"(v[\d.]+)",
    "mksquashfs": r"version ([\d.]+)",
    "nginx": r"(nginx/[\d.]+)",
}
"""The programs beside us, and how each tells its version."""
VERSION_OPTIONS: Final = {"rclone": "version", "zip": "-v", "mksquashfs": "-version", "nginx": "-v"}
PACKAGES: Final = ("remotezip", "fsspec", "s3fs", "ratarmount", "ratarmountcore", "boto3", "obstore", "zstandard")


class Report:
    """Collects answers and writes them down."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._answers: list[Answer] = []
        self._began_s = time.monotonic()
        self._yardstick_ms = _yardstick_ms(bench)

    def add(self, answer: Answer) -> None:
        """Take the answer to one question."""
        self._answers.append(answer)

    def text(self) -> str:
        """The page."""
        promises = [promise for answer in self._answers for promise in answer.promises]
        parts = [
            "# Benchmarks",
            INTRODUCTION,
            self._machine(),
            "## Promises",
            promises_table(promises) + "\n",
        ]
        for answer in self._answers:
            parts.append(f"## {answer.title}")
            parts += [table.text() for table in answer.tables]
        return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"

    def _machine(self) -> str:
        from importlib.metadata import PackageNotFoundError
        from importlib.metadata import version as package_version

        packages = []
        for name in PACKAGES:
            try:
                packages.append(f"{name} {package_version(name)}")
            except PackageNotFoundError:
                packages.append(f"{name} absent")
        programs = [_version(name, pattern) for name, pattern in PROGRAMS.items()]
        minutes = (time.monotonic() - self._began_s) / 60
        machine = f"{_processor()}, {os.cpu_count()} cores, {_memory_gb()} GB, Linux {'.'.join(platform.release().split('.')[:2])}"
        took = f"the run took {minutes:.0f} minutes{' (--quick)' if self._bench.quick else ''}"
        idle_ms = _yardstick_ms(self._bench)
        lines = [
            f"- {datetime.now(UTC):%Y-%m-%d}; {machine}, Python {platform.python_version()}; {took}",
            f"- an interpreter that does nothing took {self._yardstick_ms:.1f} ms of CPU at the start, {idle_ms:.1f} ms at the end",
            f"- {', '.join(packages)}",
            f"- {'; '.join(programs)}",
            f"- real log lines: {'yes' if self._bench.corpus else f'no ({CORPUS_VARIABLE} names no folder), our own generator'}",
        ]
        return "\n".join(lines)


def _yardstick_ms(bench: Bench) -> float:
    """CPU of an empty interpreter: on shared cores all CPU times grow with it, and ratios within one run still hold."""
    return statistics.median(bench.run(sys.executable, "-I", "-S", "-c", "pass").cpu_s for _ in range(9)) * 1000


def _processor() -> str:
    names = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line[:10] == "model name"]
    return names[0] if names else platform.machine()


def _memory_gb() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _version(program: str, pattern: str) -> str:
    path = where(program)
    if path is None:
        return f"{program} absent"
    option = VERSION_OPTIONS.get(program, "--version")
    said = subprocess.run([path, option], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    found = re.search(pattern, said.stdout + said.stderr)
    return f"{program} {found[1] if found else '?'}"

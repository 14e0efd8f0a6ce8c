"""`make fuzz`: runs every fuzz target for a while, guided by coverage, and tells what it found.

    python -m tests.fuzz [--seconds S] [--minimise] [TARGET ...]

Inputs that reach new code are kept in `.fuzz/`, so that the next run goes on from there; what fails lies in `.fuzz/findings/`. With
`--minimise` the committed corpus is made anew: the smallest of the golden archives, or their first and last bytes, that together
reach all the code that any of them reaches. Inputs that bear a name, because they once failed, stay.
"""

from __future__ import annotations

import argparse
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, NamedTuple

from tests.fuzz.index_file import resealed
from tests.fuzz.targets import CORPUS, TARGETS

ROOT: Final = Path(__file__).parents[2]
WORK: Final = ROOT / ".fuzz"
FINDINGS: Final = WORK / "findings"
GOLDEN: Final = ROOT / "tests" / "golden"

INPUT_BYTES: Final = 8192
"""Longest input: small archives of every kind are that long, and thousands of them are tried in a second."""

ONE_TIMEOUT_S: Final = 20
"""An input that takes so long is a finding: nothing of 8 KiB may."""

MEMORY_MIB: Final = 1024
"""So is one that takes more memory than this, the instrumented interpreter's own 150 MiB included."""


DIGEST: Final = re.compile("[0-9a-f]{40}")
"""What the fuzzer calls its inputs."""


class Outcome(NamedTuple):
    """What a run of one target gave."""

    target: str
    seconds: float
    executions: int
    covered: int
    findings: list[Path]


def run(target: str, seconds: int) -> Outcome:
    """Fuzz one target in a process of its own: the fuzzer ends the process it runs in."""
    kept = WORK / target
    kept.mkdir(parents=True, exist_ok=True)
    FINDINGS.mkdir(parents=True, exist_ok=True)
    before = set(FINDINGS.iterdir())
    began = time.monotonic()
    said = _fuzzer(
        target,
        f"-max_total_time={seconds}",
        f"-max_len={INPUT_BYTES}",
        f"-timeout={ONE_TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-artifact_prefix={FINDINGS}/{target}-",
        "-print_final_stats=1",
        str(kept),
        str(CORPUS / target),
    )
    taken = time.monotonic() - began
    found = sorted(set(FINDINGS.iterdir()) - before)
    executions = re.search(r"number_of_executed_units:\s*(\d+)", said)
    covered = re.findall(r"\bcov: (\d+)", said)
    if executions is None or found:
        sys.stdout.write(said[-4000:] + "\n")
    return Outcome(target, taken, int(executions[1]) if executions else 0, int(covered[-1]) if covered else 0, found)


def minimise(target: str) -> None:
    """Make the committed corpus of a target anew, from the golden archives."""
    WORK.mkdir(exist_ok=True)
    merged, seeds = WORK / f"{target}.merged", WORK / f"{target}.seeds"
    for folder in (merged, seeds):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for archive in GOLDEN.iterdir():
        data = archive.read_bytes()
        (seeds / archive.name).write_bytes(data[:INPUT_BYTES])
        if len(data) > INPUT_BYTES:
            (seeds / f"{archive.name}.end").write_bytes(data[-INPUT_BYTES:])
    (seeds / "sound.bindery").write_bytes(resealed(b""))
    _fuzzer(target, "-merge=1", f"-max_len={INPUT_BYTES}", str(merged), str(seeds))
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    for path in (CORPUS / target).iterdir():
        if DIGEST.fullmatch(path.name):
            path.unlink()
    shutil.copytree(merged, CORPUS / target, dirs_exist_ok=True)


def _fuzzer(target: str, *arguments: str) -> str:
    """Run the fuzzer to its end; returns what it said."""
    program = WORK / f"{target}.sh"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.fuzz.fuzzer "$0" {target} "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        [program, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode(errors="replace")


def main() -> None:
    """Fuzz, and end with 1 if anything was found."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz")
    arguments.add_argument("--seconds", type=int, default=60, help="for each target")
    arguments.add_argument("--minimise", action="store_true", help="make the committed corpus anew instead")
    arguments.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all if none is named")
    chosen = arguments.parse_args()
    if unknown := sorted(set(chosen.targets) - TARGETS.keys()):
        arguments.error(f"unknown targets: {', '.join(unknown)}")
    outcomes = []
    for target in chosen.targets or TARGETS:
        if chosen.minimise:
            minimise(target)
            continue
        outcomes.append(run(target, chosen.seconds))
        told = outcomes[-1]
        sys.stdout.write(
            f"{told.target:<24}{told.seconds:>7.0f} s{told.executions:>12,} executions{told.covered:>7,} edges"
            f"   {', '.join(finding.name for finding in told.findings) or 'nothing found'}\n"
        )
        sys.stdout.flush()
    sys.exit(any(outcome.findings or not outcome.executions for outcome in outcomes))


if __name__ == "__main__":
    main()

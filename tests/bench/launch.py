"""Runs one command and writes what it took: `python -I -S launch.py REPORT COMMAND...`.

A process of its own, because the kernel counts the memory of whoever started a program to that program's peak (exec keeps the
larger of both): this one takes 10 MB, the benchmark far more.
"""

import json
import os
import sys
import time


def main(report: str, command: list[str]) -> int:
    began_s = time.monotonic()
    pid = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(pid, 0)
    wall_s = time.monotonic() - began_s
    took = {"user_s": used.ru_utime, "system_s": used.ru_stime, "wall_s": wall_s, "rss_bytes": used.ru_maxrss * 1024}
    with open(report, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would be the larger part of this process
        json.dump(took, file)
    return os.waitstatus_to_exitcode(status) & 0xFF


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))

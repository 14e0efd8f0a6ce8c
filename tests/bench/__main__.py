"""`python -m tests.bench`: measure, print, and keep what was printed (`make bench`)."""

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.bench import door, index, listing, pack, read, serving
from tests.bench.bench import Bench
from tests.bench.measure import FailedError
from tests.bench.report import Report

QUESTIONS: Final = {module.__name__.rpartition(".")[2]: module.measure for module in (index, pack, read, listing, door, serving)}


def main() -> None:
    """Run the questions asked for, in their order."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the members, in about three minutes")
    parser.add_argument("--only", action="append", choices=list(QUESTIONS), help="one question; may be given often")
    parser.add_argument("--out", type=Path, help="write the tables here too, as Markdown")
    asked = parser.parse_args()
    # Told to stop, it ends what it started and clears up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    folder = Path(tempfile.mkdtemp(prefix="bindery-bench-"))
    bench = Bench(folder, quick=asked.quick)
    left_out: list[str] = []
    try:
        report = Report(bench)
        for name, measure in QUESTIONS.items():
            if not asked.only or name in asked.only:
                bench.tell(name)
                try:
                    report.add(measure(bench))
                except FailedError as failed:  # the other answers are worth printing all the same
                    bench.tell(f"{name} is left out: {failed}")
                    left_out.append(name)
    finally:
        bench.close()
        shutil.rmtree(folder, ignore_errors=True)
    text = report.text()
    print(text)
    if asked.out is not None:
        asked.out.write_text(text)
    if left_out:
        sys.exit(f"left out: {', '.join(left_out)}")


main()

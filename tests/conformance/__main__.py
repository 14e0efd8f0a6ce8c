"""`python -m tests.conformance`: run every case against a function, and tell which it does not pass."""

import argparse
import sys

from tests.conformance.events import ORIGIN
from tests.conformance.function import local, remote
from tests.conformance.receiver import receiving
from tests.conformance.suite import Suite, cases


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--handler", metavar="MODULE:FUNCTION", help="a function of this Python")
    target.add_argument("--url", help="where events are posted to, such as a runtime interface emulator")
    parser.add_argument("--origin", default=ORIGIN, help="what inputS3Url begins with, for functions that read from it")
    parser.add_argument("--listen", metavar="HOST:PORT", default="127.0.0.1:0", help="where WriteGetObjectResponse is taken")
    parser.add_argument("--only", metavar="TEXT", default="", help="cases whose name has this in it")
    asked = parser.parse_args()
    host, _, port = asked.listen.rpartition(":")
    failed = 0
    chosen = [case for case in cases() if asked.only in case.name]
    with receiving(host, int(port)) as (receiver, endpoint):
        function = local(asked.handler, endpoint) if asked.handler else remote(asked.url)
        suite = Suite(function, receiver, origin=asked.origin)
        for case in chosen:
            if problems := suite.problems(case):
                failed += 1
                sys.stdout.write(f"FAILED {case.name}\n" + "".join(f"       {problem}\n" for problem in problems))
    sys.stdout.write(f"{len(chosen) - failed} of {len(chosen)} cases passed\n")
    sys.exit(failed > 0)


main()

"""One target under the fuzzer, in a process of its own: `python -m tests.fuzz.fuzzer PROGRAM TARGET [option of libFuzzer ...]`.

PROGRAM is what libFuzzer calls, with its options, when it wants a process of its own.
"""

import sys

import atheris

with atheris.instrument_imports(include=["indexer"]):
    from indexer import codecs_rare  # noqa: F401 - imported when first needed, and then it would not be watched
    from indexer.formats import KINDS
    from tests.fuzz.targets import TARGETS

    SCANNERS = [kind.scan for kind in KINDS.values()]

if __name__ == "__main__":
    program, name, *options = sys.argv[1:]
    atheris.Setup([program, *options], TARGETS[name])
    atheris.Fuzz()

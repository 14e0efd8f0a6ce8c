"""Says the library's version, then answers each operation named on standard input with what it found, as JSON."""

import json
import sys
import traceback
from importlib import import_module
from typing import Any

from tests.clients.programs.place import Place


def main() -> None:
    module = import_module(f"tests.clients.programs.{sys.argv[1]}")
    place = Place(**json.loads(sys.argv[2]))
    tell({"version": module.VERSION})
    for line in sys.stdin:
        try:
            tell({"value": module.OPERATIONS[line.strip()](place)})
        except Exception as error:  # noqa: BLE001 - whatever it is, the test is told
            traceback.print_exc()
            tell({"error": f"{type(error).__name__}: {error}"})


def tell(answer: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


main()

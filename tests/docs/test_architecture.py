"""docs/architecture.md speaks of the packages, contracts and code that are there."""

import subprocess
import sys
import tomllib

from tests.docs.pages import ROOT, blocks, table

PAGE = ROOT / "docs" / "architecture.md"
TOP = ("indexer", "archiver", "object_lambda", "bindery")


def test_its_table_names_the_packages_there_are() -> None:
    named = {row[0].strip("`") for row in table(PAGE, "package")}
    made = {f"{path.parent.relative_to(ROOT).as_posix()}/" for top in TOP for path in (ROOT / top).rglob("__init__.py")}
    assert named == made | {"tests/"}


def test_its_table_names_the_contracts_there_are() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = [contract["id"] for contract in settings["tool"]["importlinter"]["contracts"]]
    assert [row[0].strip("`") for row in table(PAGE, "contract")] == contracts


def test_its_example_runs() -> None:
    (example,) = (block for block in blocks(PAGE) if block.info == "python")
    subprocess.run([sys.executable, "-c", example.text], check=True, cwd=ROOT, timeout=60)

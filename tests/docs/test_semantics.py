"""docs/semantics.md and the tests it names agree, both ways. Tests are looked up in the syntax trees, without running them."""

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "semantics.md"
CLAIM = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^#|\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
CLAIMS = [(int(match[1]), match[2]) for match in CLAIM.finditer(PAGE.read_text())]
WRITTEN_FOR_THE_PAGE = "tests/object_lambda/test_semantics_*.py"


@cache
def defined_in(path: str) -> frozenset[str]:
    """The tests of a file, as pytest names them without parameters."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def test_claims_are_numbered_one_after_the_other() -> None:
    assert [number for number, _ in CLAIMS] == list(range(1, len(CLAIMS) + 1))


@pytest.mark.parametrize(("number", "claim"), CLAIMS, ids=[str(number) for number, _ in CLAIMS])
def test_a_claim_names_tests_that_exist(number: int, claim: str) -> None:
    named = TEST.findall(claim)
    assert named, f"claim {number} names no test"
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in defined_in(path)]
    assert not missing


def test_every_test_written_for_the_page_is_named_on_it() -> None:
    named = set(TEST.findall(PAGE.read_text()))
    written = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(WRITTEN_FOR_THE_PAGE))]
    assert written
    assert {(path, name) for path in written for name in defined_in(path)} <= named

"""docs/semantics.md and the tests it names agree, both ways."""

import re

import pytest

from tests.docs.pages import ROOT, TEST, defined_in

PAGE = ROOT / "docs" / "semantics.md"
CLAIM = re.compile(r"^(\d+)\. (.*?)(?=^\d+\. |^#|\Z)", re.MULTILINE | re.DOTALL)
CLAIMS = [(int(match[1]), match[2]) for match in CLAIM.finditer(PAGE.read_text())]
WRITTEN_FOR_THE_PAGE = "tests/object_lambda/test_semantics_*.py"


def test_claims_are_numbered_one_after_the_other() -> None:
    assert [number for number, _ in CLAIMS] == list(range(1, len(CLAIMS) + 1))


@pytest.mark.parametrize(("number", "claim"), CLAIMS, ids=[str(number) for number, _ in CLAIMS])
def test_a_claim_names_its_test(number: int, claim: str) -> None:
    assert TEST.search(claim), f"claim {number} names no test"


def test_every_test_written_for_the_page_is_named_on_it() -> None:
    named = set(TEST.findall(PAGE.read_text()))
    written = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(WRITTEN_FOR_THE_PAGE))]
    assert written
    assert {(path, name) for path in written for name in defined_in(path)} <= named

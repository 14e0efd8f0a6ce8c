"""What the documents point at is there: pages, headings, modules, tests."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import MODULE, ROOT, TEST, anchors, defined_in, links, pages

DECISION = re.compile(r"^(\d{4})-[a-z0-9-]+\.md$")


every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
FOLDERS = ("indexer", "archiver", "object_lambda", "bindery", "tests")


@every_page
def test_a_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    broken = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT) or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@every_page
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    named = TEST.findall(page.read_text())
    assert [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in defined_in(path)] == []


@every_page
def test_the_modules_that_a_page_names_exist(page: Path) -> None:
    known = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}
    names = {path.rpartition("/")[2] for path in known}
    assert [module for module in MODULE.findall(page.read_text()) if module not in known | names] == []


def test_every_document_is_reached_from_the_readme_by_links_to_it_or_to_its_folder() -> None:
    reached, waiting = {ROOT / "README.md"}, [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            found = set(target.glob("*.md")) if target.is_dir() else {target} & set(pages())
            waiting += found - reached
            reached |= found
    assert [page.relative_to(ROOT).as_posix() for page in pages() if page not in reached] == []


def test_decisions_have_a_number_each() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [match[1] for name in names if (match := DECISION.match(name))]
    assert len(numbers) == len(names) == len(set(numbers))
    for name, number in zip(names, numbers, strict=True):
        assert (ROOT / "docs" / "decisions" / name).read_text().startswith((f"# {number}. ", f"# {number}: "))


def test_the_pages_that_the_code_names_exist() -> None:
    sources = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    sources += [ROOT / "pyproject.toml", ROOT / "Makefile", *(ROOT / "scripts").iterdir()]
    named = {name for path in sources for name in re.findall(r"\bdocs/(?:decisions/\d{4}|[a-z-]+\.md)", path.read_text())}
    assert {name for name in named if not any(ROOT.glob(f"{name}*"))} == set()

"""Links between the documents lead somewhere."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, pages

DECISION = re.compile(r"^(\d{4})-[a-z0-9-]+\.md$")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
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

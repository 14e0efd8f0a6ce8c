"""The documents as tests see them: their files, fenced blocks, tables, headings and links."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")
TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
MODULE = re.compile(r"`((?:[\w]+/)*\w+\.py)`")
INLINE_CODE = re.compile(r"`[^`\n]*`")


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the opening fence, its text, and the line it begins at."""

    info: str
    text: str
    line: int


def pages() -> list[Path]:
    """Every document that people read."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page in order."""
    text = page.read_text()
    return [Block(match["info"].strip(), match["text"], text.count("\n", 0, match.start()) + 1) for match in FENCE.finditer(text)]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", page.read_text())


def links(page: Path) -> Iterator[str]:
    """Where the links of a page lead."""
    for match in LINK.finditer(INLINE_CODE.sub("", prose(page))):
        yield match[1]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    found: set[str] = set()
    for match in HEADING.finditer(prose(page)):
        plain = re.sub(r"[^\w\- ]", "", match[1].replace("`", "").lower())
        found.add(plain.strip().replace(" ", "-"))
    return found


@cache
def defined_in(path: str) -> frozenset[str]:
    """The tests of a file, as pytest names them without parameters; read from its syntax tree, without running it."""
    found: set[str] = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.ClassDef):
            found.update(f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def table(page: Path, heading: str) -> list[list[str]]:
    """The rows, without the first two, of the table whose first column is headed `heading`."""
    rows: list[list[str]] = []
    for line in page.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if rows and not cells:
            break
        if rows or (cells and cells[0] == heading):
            rows.append(cells)
    assert rows, f"{page.name} has no table headed {heading!r}"
    return rows[2:]

"""Tables as Markdown, aligned so that they read well on a terminal too, and promises with what was measured of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Table:
    """One table; every row has as many cells as there are columns."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    note: str = ""

    def add(self, *cells: object) -> None:
        """Add a row."""
        if len(cells) != len(self.columns):
            raise ValueError(f"{self.title}: {len(cells)} cells in a table of {len(self.columns)} columns")
        self.rows.append(tuple(map(str, cells)))

    def text(self) -> str:
        """The table as Markdown."""
        return f"### {self.title}\n\n{self.note + chr(10) * 2 if self.note else ''}{grid(self.columns, self.rows)}\n"


@dataclass(frozen=True, slots=True)
class Promise:
    """A target and what was measured; `met` is None where this run could not tell."""

    what: str
    target: str
    measured: str
    met: bool | None

    @property
    def verdict(self) -> str:
        """Whether it is kept, in a word."""
        return {True: "yes", False: "**no**", None: "not measured"}[self.met]


@dataclass(slots=True)
class Answer:
    """What one question found."""

    title: str
    tables: list[Table] = field(default_factory=list)
    promises: list[Promise] = field(default_factory=list)

    def at_most(self, what: str, measured: float, most: float, unit: str) -> None:
        """Add a promise that is kept when the figure is not larger."""
        self.promises.append(Promise(what, f"<= {number(most)} {unit}", f"{number(measured)} {unit}", measured <= most))

    def at_least(self, what: str, measured: float, least: float, unit: str) -> None:
        """Add a promise that is kept when the figure is not smaller."""
        self.promises.append(Promise(what, f">= {number(least)} {unit}", f"{number(measured)} {unit}", measured >= least))


def promises_table(promises: Sequence[Promise]) -> str:
    """All promises as one table."""
    return grid(
        ("promise", "target", "measured", "met"), [(each.what, each.target, each.measured, each.verdict) for each in promises]
    )


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; those of numbers to the right."""
    widths = [max(3, *(len(row[at]) for row in (columns, *rows))) for at in range(len(columns))]
    right = [at > 0 and all(row[at][:1].isdigit() or row[at] in ("", "-") for row in rows) for at in range(len(columns))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if flush else cell.ljust(width) for cell, width, flush in zip(cells, widths, right, strict=True)
        )
        return f"| {' | '.join(padded)} |"

    rule = "|".join("-" * (width + 1) + (":" if flush else "-") for width, flush in zip(widths, right, strict=True))
    return "\n".join([line(columns), f"|{rule}|", *map(line, rows)])


def number(value: float) -> str:
    """A figure with as many digits as mean something: `12,345`, `19.3`, `1.042`."""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def mb(count: float) -> str:
    """Bytes as megabytes (10^6)."""
    return number(count / 1e6)

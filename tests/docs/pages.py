"""Parse the project's Markdown: code blocks, tables, links."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RULE = re.compile(r"^\|( ---+ \|)+$")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced piece of code."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table; `head` are its column names."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def codes(self, column: int = 0) -> list[str]:
        """Return what stands in backticks in a column."""
        return [code for row in self.rows for code in in_backticks(row[column])]


def read(page: str, *, without: Collection[str] = ()) -> str:
    """Return a page; of a folder, its README and the pages that its first table names, in that order."""
    there = DOCS / page
    if not there.is_dir():
        return there.read_text()
    index = (there / "README.md").read_text()
    names = [target for row in tables(index)[0].rows for target in links(row[0]) if "/" not in target]
    return "\n".join([index, *((there / name).read_text() for name in names if name not in without)])


def blocks(text: str) -> list[Block]:
    return [Block(match[1], match[2]) for match in _BLOCK.finditer(text)]


def tables(text: str) -> list[Table]:
    lines = _BLOCK.sub("", text).splitlines()
    found = []
    for number, line in enumerate(lines):
        if _RULE.match(line):
            rows = []
            for below in lines[number + 1 :]:
                if not below.startswith("|"):
                    break
                rows.append(_cells(below))
            found.append(Table(_cells(lines[number - 1]), tuple(rows)))
    return found


def table(text: str, first_column: str) -> Table:
    """Return the only table whose first column has this name."""
    (found,) = [each for each in tables(text) if each.head[0] == first_column]
    return found


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().strip("|").split("|"))


def in_backticks(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def links(text: str) -> Iterator[str]:
    """Yield the targets of links that do not lead elsewhere."""
    for target in _LINK.findall(_BLOCK.sub("", text)):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def anchors(text: str) -> set[str]:
    """Return the anchors of all headings, as GitHub makes them."""
    return {
        re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        for heading in _HEADING.findall(_BLOCK.sub("", text))
    }

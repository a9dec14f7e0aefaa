"""Links between the project's pages have targets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "speakr").rglob("*.md"),
        *(ROOT / "tests").rglob("*.md"),
    ]
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for target in links(page.read_text()):
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        if not there.exists() or (anchor and anchor not in anchors(there.read_text())):
            broken.append(target)
    assert broken == []


def test_the_index_names_every_page_and_every_example() -> None:
    named = {
        (DOCS / target.partition("#")[0]).resolve() for target in links((DOCS / "README.md").read_text())
    }
    assert {*DOCS.glob("*.md")} - {DOCS / "README.md"} <= named
    assert {path for path in (ROOT / "examples").iterdir() if path.is_file()} <= named


def test_every_page_is_reached_from_the_index() -> None:
    reached: set[Path] = set()
    waiting = [DOCS / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached:
            reached.add(page)
            targets = (target.partition("#")[0] for target in links(page.read_text()))
            waiting += [(page.parent / target).resolve() for target in targets if target.endswith(".md")]
    assert {*DOCS.rglob("*.md")} <= reached

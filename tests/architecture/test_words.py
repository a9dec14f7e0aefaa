"""Names and prose use the field's standard terms; words of a private idiom may not come back."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "speakr"

REPLACED = {
    "doorbell": "notifier",
    "bell": "wakeup",
    "rings": "notifications",
    "breathe": "heartbeat",
    "errand": "context",
    "postman": "mailer",
    "mender": "maintenance",
    "mending": "maintenance",
    "seldom": "throttle",
    "plugged": "backends",
    "lifelines": "locks",
    "likeness": "similarity",
    "claimant": "claim_owner",
    "unheard": "missing",
    "complaint": "reason",
    "ledger": "store",
    "told": "reported, sent or recorded",
    "hear": "transcribe",
    "heard": "transcribed",
    "hears": "transcribes",
    "wishes": "options",
    "wish": "option",
    "ear": "engine",
    "house": "app, server or deployment",
    "heeds": "supports",
    "heeded": "supported",
    "nobody": "none",
    "somebody": "other",
    "whoever": "any",
    "downstairs": "down",
}
"""Word that may not be part of a name -> the word to use."""

LIMIT = re.compile(r"_?(MOST|LONGEST|LARGEST|LEAST|FEWEST|SHORTEST|SMALLEST)(_|$)")
"""Constants that bound something start with MAX_ or MIN_."""


PROSE = re.compile(
    r"\b(nobody|somebody|anybody|everybody|whoever|heeds?|heeded|unheeded|downstairs|hears?|heard|ears?|told|house|wishes"
    r"|breathes|lifelines?|mended|furnish(?:ed)?|complaints?|amiss)\b",
    re.IGNORECASE,
)
"""Words that may not be used in pages, docstrings and comments: say who does what."""

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
MODULES = [
    path
    for folder in ("speakr", "evaluation", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def comments_in(source: str) -> Iterator[str]:
    """Yield the docstrings of modules, classes, functions and attributes, and the comments."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield text
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def forbidden_in(text: str) -> list[str]:
    """Return the forbidden words of a text, without those in backticks, which are names."""
    return PROSE.findall(re.sub(r"`[^`\n]+`", "", text))


def names_in(source: str) -> Iterator[str]:
    """Yield what a module defines: classes, functions, arguments, variables and attributes that are assigned."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name):
                yield name
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name


def words_of(name: str) -> set[str]:
    """Split `snake_case` and `CamelCase` into lower-case words."""
    return {word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}


def faults(source: str) -> list[str]:
    """Return what to say about each name that breaks a rule."""
    found = []
    for name in sorted(set(names_in(source))):
        found += [f"{name}: say {REPLACED[word]}" for word in sorted(words_of(name) & REPLACED.keys())]
        if LIMIT.match(name):
            found.append(f"{name}: say MAX_ or MIN_")
    return found


def test_names_are_standard_terms() -> None:
    found = {str(path.relative_to(PACKAGE)): faults(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert {path: some for path, some in found.items() if some} == {}
    assert {path for path in found if words_of(Path(path).stem) & REPLACED.keys()} == set()


def test_each_rule_finds_what_it_forbids() -> None:
    source = "class RedisDoorbell:\n    def breathe(self, errand): self._postman = 1\n_LONGEST_NAME = 3\n"
    assert [fault.partition(":")[0] for fault in faults(source)] == [
        "RedisDoorbell",
        "_LONGEST_NAME",
        "_postman",
        "breathe",
        "errand",
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_use_plain_words(page: Path) -> None:
    assert forbidden_in(page.read_text()) == []


def test_docstrings_and_comments_use_plain_words() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): [
            word for text in comments_in(path.read_text()) for word in forbidden_in(text)
        ]
        for path in MODULES
    }
    assert {path: words for path, words in found.items() if words} == {}


def test_forbidden_words_are_found_in_prose_only() -> None:
    source = (
        '"""Whoever reads this."""\n\nhouse = "told"  # nobody asks\nLIMIT = 1\n"""Seconds `heard` ago."""\n'
    )
    assert [word for text in comments_in(source) for word in forbidden_in(text)] == ["Whoever", "nobody"]

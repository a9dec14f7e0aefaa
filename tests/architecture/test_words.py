"""Identifiers use the field's standard terms; words of a private idiom may not come back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "speakr"

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

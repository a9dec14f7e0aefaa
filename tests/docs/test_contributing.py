"""The guide for contributors names files and registries that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, in_backticks

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()

REGISTRIES = {
    "a transcription connector": ("speech_settings.py", ["CONNECTORS"]),
    "an export format": ("exports/__init__.py", ["EXPORTERS"]),
    "a kind of job": ("domain/jobs.py", ["JobKind", "KINDS"]),
}


def entry(what: str) -> str:
    """Return what the guide says of adding this, be it a row of a table or a paragraph of a list."""
    found = re.search(
        rf"^(?:\| |- \*\*){what}\b.*?(?=^\| |^- \*\*|^$)", GUIDE, re.MULTILINE | re.DOTALL | re.IGNORECASE
    )
    assert found, what
    return found[0]


def defined_in(path: Path) -> set[str]:
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


@pytest.mark.parametrize("what", REGISTRIES)
def test_an_entry_names_its_registry_and_nothing_that_is_gone(what: str) -> None:
    file, names = REGISTRIES[what]
    said = in_backticks(entry(what))
    assert {file, *names} <= set(said)
    assert set(names) <= defined_in(ROOT / "speakr" / file)
    for path in said:
        if "/" in path and "acme" not in path:
            assert (ROOT / path).exists() or (ROOT / "speakr" / path).exists(), path


@pytest.mark.parametrize(
    ("what", "toy"),
    [
        ("a transcription connector", "tests/connectors/toy_engine.py"),
        ("an export format", "tests/exports/toy_format.py"),
        ("a kind of job", "tests/jobs/toy_kind.py"),
    ],
)
def test_an_example_is_one_file_and_one_line(what: str, toy: str) -> None:
    """What registers the example in its test is a single entry of the registry, and no other file knows it."""
    (test,) = (path for path in in_backticks(entry(what)) if "/test_toy_" in path)
    registrations = re.findall(r"monkeypatch\.setitem\((\w+), \"toy\", ", (ROOT / test).read_text())
    assert set(registrations) == {REGISTRIES[what][1][-1]}
    module = toy.removesuffix(".py").replace("/", ".")
    users = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "tests").rglob("*.py")
        if module in path.read_text() or f"import {Path(toy).stem}" in path.read_text()
    }
    assert users - {toy, test, str(Path(__file__).relative_to(ROOT))} == set()

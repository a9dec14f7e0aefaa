"""Parse the Mermaid drawings of the pages: nodes, arrows and messages."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.docs.pages import ROOT, blocks

_MESSAGE = re.compile(r"^ *(\w+)-{1,2}>>(\w+): (.*)$", re.MULTILINE)
_TRANSITION = re.compile(r"^ *(\[\*\]|\w+) --> (\[\*\]|\w+)(?:: (.*))?$", re.MULTILINE)
_LABEL = re.compile(r'\w+\["([^"]+)"\]')
_ENDS = re.compile(r"(\w+)[\[(]*[^-]*? (?:-- .*? )?--> (\w+)")


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line from one state or participant to another, with its label."""

    source: str
    target: str
    label: str


def drawing(page: str, *, kind: str, has: str) -> str:
    """Return the only drawing of a kind (`flowchart`, `stateDiagram-v2` ...) on a page that contains a text."""
    (found,) = [
        block.text
        for block in blocks((ROOT / page).read_text())
        if block.language == "mermaid" and block.text.startswith(kind) and has in block.text
    ]
    return found


def transitions(text: str) -> list[Arrow]:
    """Return the arrows of a state diagram; `[*]` is the start and the end."""
    return [Arrow(source, target, label or "") for source, target, label in _TRANSITION.findall(text)]


def messages(text: str) -> list[Arrow]:
    """Return the messages of a sequence diagram, in order."""
    return [Arrow(*found) for found in _MESSAGE.findall(text)]


def labels(text: str) -> list[str]:
    """Return the quoted labels of a flowchart's nodes, in order."""
    return _LABEL.findall(text)


def ends(text: str) -> list[tuple[str, str]]:
    """Return the nodes at both ends of each line of a flowchart."""
    return [(found[1], found[2]) for line in text.splitlines() if (found := _ENDS.match(line.strip()))]

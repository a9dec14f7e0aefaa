"""Generated long conversations, and models that report on them correctly or not."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass

from speakr.domain.statements import NumberedLine

PEOPLE = ("Alice", "Bob", "Carla", "Dmitri")
THINGS = (
    "budget",
    "backup",
    "contract",
    "website",
    "warehouse",
    "survey",
    "newsletter",
    "server",
    "garden",
    "invoice",
)
DEEDS = ("approved", "reviewed", "moved", "checked", "translated", "printed", "repaired", "ordered")
PLACES = ("Lisbon", "Oslo", "Vienna", "Denver", "Kyoto", "Nairobi")
NUMBERS = ("twelve", "forty five", "three hundred", "17", "2500", "sixty")


@dataclass(frozen=True)
class Fact:
    """The content of one line: person, action, place and amount."""

    line: int
    person: str
    deed: str
    thing: str
    place: str
    number: str

    @property
    def spoken(self) -> str:
        """The fact as a spoken sentence."""
        return f"We {self.deed} the {self.thing} in {self.place} for {self.number} euros."


def long_talk(hours: float, seed: int = 1) -> tuple[list[NumberedLine], list[Fact]]:
    """Return lines of six seconds each, each with its own fact."""
    rng = random.Random(seed)  # noqa: S311 - a talk, no secret
    lines, facts = [], []
    for at in range(int(hours * 600)):
        fact = Fact(at, *(rng.choice(of) for of in (PEOPLE, DEEDS, THINGS, PLACES, NUMBERS)))
        facts.append(fact)
        lines.append(NumberedLine(fact.person, fact.spoken, at * 6.0, at * 6.0 + 5.0))
    return lines, facts


def numbers_shown(material: str) -> list[int]:
    """Return the numbers, from 1, of the lines in a request."""
    return [int(number) for number in re.findall(r"^\[(\d+)\]", material, re.MULTILINE)]


def true_claim(fact: Fact) -> dict[str, object]:
    """Return a true statement about a fact."""
    return {
        "text": f"{fact.person} says the {fact.thing} in {fact.place} was {fact.deed} for {fact.number} euros.",
        "lines": [fact.line + 1],
        "quote": f"{fact.deed} the {fact.thing} in {fact.place}",
    }


LIES = (
    "no such line",
    "invented quote",
    "another number",
    "another place",
    "another person",
    "denied",
    "unrelated",
)


def lie(kind: str, fact: Fact, lines: list[NumberedLine]) -> dict[str, object]:
    """Return a false statement that looks like a true one."""
    claim = true_claim(fact)
    around = " ".join(f"{line.speaker} {line.text}" for line in lines[max(fact.line - 2, 0) : fact.line + 3])
    place = next(p for p in (*PLACES, "Quito") if p not in around)
    person = next(p for p in (*PEOPLE, "Zoltan") if p not in around)
    changed: dict[str, dict[str, object]] = {
        "no such line": {"lines": [len(lines) + 50], "quote": "we agreed on all of it today"},
        "invented quote": {"quote": "everybody agreed to close the office"},
        "another number": {"text": str(claim["text"]).replace(f"for {fact.number} euros", "for 98765 euros")},
        "another place": {"text": str(claim["text"]).replace(fact.place, place)},
        "another person": {"text": str(claim["text"]).replace(fact.person, person)},
        "denied": {"text": str(claim["text"]).replace("was", "was not")},
        "unrelated": {"text": "The hiring of two more designers was stopped because of poor interviews."},
    }
    return claim | changed[kind]


def answer_with(**found: object) -> str:
    """Return an answer in the form of chat models."""
    return f"Here it is:\n```json\n{json.dumps(found)}\n```"

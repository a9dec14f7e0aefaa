"""Find out who speaks by rules: people introduce themselves, and call each other by name.

Evidence is counted for pairs of a name and a label. A name is given only where the evidence is clear: it points
to this label more than to any other, and to this label's other names less.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from speakr.connectors.language.base import IdentifyRequest
from speakr.connectors.language.function_words import ENGLISH_FUNCTION_WORDS
from speakr.connectors.language.lines import one_line
from speakr.connectors.language.sentences import find_words
from speakr.connectors.language.speaker_names import NOT_NAMES, SpokenNames
from speakr.domain.statements import NumberedLine

CERTAIN = 10
CLEAR = 2
HINT = 1

_WORD = r"[^\W\d_]+(?:[-'][^\W\d_]+)*"
_CAPITALISED = rf"(?=[^\W\d_a-zß-öø-ÿ]){_WORD}"
_NAME = rf"(?P<name>{_CAPITALISED}(?: {_CAPITALISED}){{0,2}})"
_ANY_CASE_NAME = rf"(?P<name>{_WORD}(?: {_WORD})?)"
_END = r"(?= *(?:[.,;!?…]|$))"
_GREETING = r"(?i:hi|hello|hey|welcome|good (?:morning|afternoon|evening)|everyone|everybody|all)[,.!]?"


class Whom(Enum):
    """Whose name it is that is said."""

    ONESELF = "oneself"
    NEXT = "next"
    NEIGHBOUR = "neighbour"
    """The speaker before or the one after: whom one thanks has just spoken, whom one greets is about to."""


@dataclass(frozen=True, slots=True)
class _Rule:
    whom: Whom
    pattern: re.Pattern[str]
    needs_known_name: bool = False


_RULES = (
    _Rule(Whom.ONESELF, re.compile(rf"\b(?i:(?:my|the) name is|my name's) {_NAME}")),
    # Some recognisers write no capitals. Without them a name must end where the sentence pauses.
    _Rule(Whom.ONESELF, re.compile(rf"\b(?i:my name is|my name's) {_ANY_CASE_NAME}{_END}")),
    _Rule(Whom.ONESELF, re.compile(rf"\b(?i:this is) {_ANY_CASE_NAME} (?i:speaking)\b")),
    _Rule(Whom.ONESELF, re.compile(rf"(?:^|[.,!?] )(?:(?i:this is) )?{_NAME} (?i:speaking|here){_END}")),
    _Rule(Whom.ONESELF, re.compile(rf"\b{_GREETING} (?i:i'm|i am) {_NAME}{_END}")),
    _Rule(
        Whom.ONESELF,
        re.compile(rf"\b(?i:mein name ist|ich heiße|je m'appelle|me llamo|mi nombre es|mi chiamo) {_NAME}"),
    ),
    # „I'm Canadian“ looks the same, so the name must be one that is expected.
    _Rule(
        Whom.ONESELF,
        re.compile(rf"\b(?i:i'm|i am|this is|ich bin|je suis) {_NAME}"),
        needs_known_name=True,
    ),
    _Rule(
        Whom.NEXT,
        re.compile(
            rf"\b(?i:over to you|go ahead|your turn|(?:what|how) about you|do you think),? {_NAME}{_END}"
        ),
    ),
    _Rule(
        Whom.NEXT,
        re.compile(
            rf"(?:^|[.!?] ){_NAME}, (?i:go ahead|over to you|your turn|please|what|how|(?:can|could|would|will|do|did|are|have) you)\b"
        ),
    ),
    _Rule(
        Whom.NEIGHBOUR,
        re.compile(
            rf"\b(?i:thanks|thank you|hi|hello|hey|good (?:morning|afternoon|evening)|bye),? {_NAME}{_END}"
        ),
    ),
)


def find_names(request: IdentifyRequest) -> dict[str, str | None]:
    """Return a name, or None, for each label."""
    believed = SpokenNames(request)
    evidence: Counter[tuple[str, str]] = Counter()
    for label, proposal, weight in _evidence(request):
        name = believed.accept(proposal)
        if name:
            evidence[name, label] += weight
    return {label: _clearest(label, evidence) for label in request.labels}


def _evidence(request: IdentifyRequest) -> Iterator[tuple[str, str, int]]:
    """Yield label, proposed name and weight of each hint at a speaker's name."""
    known = {word for name in request.known_names for word in find_words(name)}
    before = _other_speakers(request.lines)
    after = _other_speakers(request.lines[::-1])[::-1]
    are_two = len({line.speaker for line in request.lines}) == 2  # noqa: PLR2004 - in a talk of two, „you“ is the other
    for at, line in enumerate(request.lines):
        text = one_line(line.text).replace("’", "'")  # noqa: RUF001 - the apostrophe of typeset text
        for rule in _RULES:
            for match in rule.pattern.finditer(text):
                words = set(find_words(match["name"]))
                if not words <= known and (
                    rule.needs_known_name or words & (ENGLISH_FUNCTION_WORDS | NOT_NAMES)
                ):
                    continue
                if rule.whom is Whom.ONESELF:
                    yield line.speaker, match["name"], CERTAIN
                    continue
                others = {after[at]} if rule.whom is Whom.NEXT else {before[at], after[at]}
                is_clear = are_two or rule.whom is Whom.NEXT
                for other in others - {None}:
                    yield str(other), match["name"], CLEAR if is_clear else HINT


def _other_speakers(lines: Sequence[NumberedLine]) -> list[str | None]:
    """Return for each line who spoke last before it, other than its own speaker."""
    found: list[str | None] = []
    last: str | None = None
    other: str | None = None
    for line in lines:
        if line.speaker != last:
            last, other = line.speaker, last
        found.append(other)
    return found


def _clearest(label: str, evidence: Counter[tuple[str, str]]) -> str | None:
    """Return the name to which most evidence points; None if there is little, or as much for another one."""
    ranked = Counter({name: weight for (name, of), weight in evidence.items() if of == label}).most_common(2)
    if not ranked or ranked[0][1] < CLEAR or (len(ranked) > 1 and ranked[1][1] == ranked[0][1]):
        return None
    name, weight = ranked[0]
    elsewhere = max(
        (other for (said, of), other in evidence.items() if said == name and of != label), default=0
    )
    return name if weight > elsewhere else None

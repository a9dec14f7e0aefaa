"""Dated events and time limits in sentences, without a language model."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from speakr.connectors.language.base import ExtractRequest
from speakr.connectors.language.foreign_dates import find_foreign_dates
from speakr.connectors.language.lines import one_line
from speakr.connectors.language.sentences import Sentence
from speakr.connectors.language.spoken_dates import SpokenDate, find_dates
from speakr.connectors.language.titles import shorten
from speakr.domain.insights import DatedEvent
from speakr.domain.statements import Statement

MAX_TITLE_LENGTH = 100
MAX_EVENTS = 200

_HISTORY = re.compile(
    r"\b(?:was|were|had|did|didn't|met|happened|started|launched|yesterday|ago|used to|went|came|got)\b",
    re.IGNORECASE,
)
_PLAN = re.compile(
    r"\b(?:will|'ll|shall|going to|must|should|need|needs|have to|has to|is|are|let's|let us|can|could|plan|planned|"
    r"planning|schedule|scheduled|due|deadline|until|by|next|tomorrow|moved|postponed|booked|agreed)\b",
    re.IGNORECASE,
)
_PLACE = re.compile(
    r"\b(?:in|at) (?:the )?((?:(?:big|small|main|large) )?(?:conference|meeting|board|class)[ -]?room(?: [A-Z0-9]\w*)?|"
    r"room (?:\d+|[A-Z]\w*|one|two|three|four|five|six|seven|eight|nine|ten)|[A-Z]\w+(?: [A-Z]\w+)* (?:office|building|hall|room))",
)
_FILLER = re.compile(
    r"^(?:(?:okay|ok|so|well|and|but|yes|yeah|right|um|uh|alright|then|great|good)\b[,.]?\s+)+", re.IGNORECASE
)


def speaks_english(request: ExtractRequest) -> bool:
    """Return True if dates follow English grammar; also the default for an unknown language."""
    return not request.spoken_language or request.spoken_language.startswith("en")


def dates_in(text: str, request: ExtractRequest) -> list[SpokenDate]:
    """Return the dates of a sentence that lie ahead of the recording, whatever language it is in."""
    if not speaks_english(request):
        return find_foreign_dates(text, request.moment, (request.spoken_language or "").partition("-")[0])
    if _HISTORY.search(text) and not _PLAN.search(text):
        return []
    return find_dates(text, request.moment)


def find_events(sentences: Iterable[Sentence], request: ExtractRequest) -> list[DatedEvent]:
    """Return the spoken days, each once, in order of time; the sentence is the title."""
    if not speaks_english(request):  # «am 19. Juni» is no two sentences
        sentences = [
            Sentence(text, line.start, ((at, text),))
            for at, line in enumerate(request.lines)
            if (text := one_line(line.text))
        ]
    events: dict[datetime, DatedEvent] = {}
    for sentence in sentences:
        for found in dates_in(sentence.text, request):
            known = events.get(found.start)
            if not found.is_day or (known is not None and len(known.claim.text) >= len(sentence.text)):
                continue
            place = _PLACE.search(sentence.text)
            events[found.start] = DatedEvent(
                claim=Statement(title_of(sentence.text), sentence.sources(), is_verified=True),
                start=found.start,
                end=found.end,
                has_time=found.has_time,
                location=place[1] if place else None,
            )
    return _without_vague(list(events.values()))[:MAX_EVENTS]


def _without_vague(events: list[DatedEvent]) -> list[DatedEvent]:
    """Drop a day without a time of which another sentence tells the time in nearly the same words."""
    kept = []
    for event in events:
        mine = set(event.claim.text.lower().split())
        is_redundant = not event.has_time and any(
            other.has_time
            and other.start.date() == event.start.date()
            and len(mine & set(other.claim.text.lower().split())) * 2 >= len(mine)
            for other in events
        )
        if not is_redundant:
            kept.append(event)
    return sorted(kept, key=lambda event: event.start)


def title_of(text: str) -> str:
    """Return a sentence as a title: without «so, well» before it and the full stop behind."""
    plain = _FILLER.sub("", text).rstrip(".!? ")
    return shorten(plain[:1].upper() + plain[1:], MAX_TITLE_LENGTH)

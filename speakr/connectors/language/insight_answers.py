"""What a model found in the parts of a transcript: read, checked against the transcript, and put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from speakr.connectors.language.appointments import MAX_EVENTS, dates_in
from speakr.connectors.language.base import ExtractRequest
from speakr.connectors.language.chapters import MIN_CHAPTER_SECONDS, find_chapters
from speakr.connectors.language.evidence import Evidence
from speakr.connectors.language.function_words import ENGLISH_FUNCTION_WORDS
from speakr.connectors.language.lexrank import pick_sentences
from speakr.connectors.language.lines import one_line
from speakr.connectors.language.passages import stem
from speakr.connectors.language.sentences import find_words
from speakr.connectors.language.spoken_dates import SpokenDate
from speakr.domain.insights import ActionItem, Chapter, DatedEvent, Topic
from speakr.domain.statements import Statement

MAX_POINTS, MAX_ACTION_ITEMS, MAX_TOPICS, MAX_CHAPTERS = 20, 100, 12, 100
MAX_PER_PART = 50
MAX_TEXT_LENGTH, MAX_NAME_LENGTH = 500, 120
MAX_ATTENDEES = 50
SAME_SHARE = 0.7
"""Two statements that share so many of their words are one."""

Found = Mapping[str, Any]


def read_answer(answer: str) -> Found | None:
    """Return the object a model wrote, whatever it wrote around it; None if there is none."""
    first, last = answer.find("{"), answer.rfind("}")
    try:
        found = json.loads(answer[first : last + 1]) if 0 <= first < last else None
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class FoundInsights:
    """All that was found in a transcript, part by part."""

    def __init__(self, request: ExtractRequest, parts: Sequence[Found]) -> None:
        self._request = request
        self._parts = parts
        spoken, wanted = request.spoken_language, request.language
        self._evidence = Evidence(
            request.lines,
            language=wanted or spoken,
            translated=bool(wanted and spoken and wanted.partition("-")[0] != spoken.partition("-")[0]),
        )

    def key_points(self) -> list[Statement]:
        """Return the key points, of very many those that are most like all the others."""
        claims = _without_doubles(self._claim(item, "text") for item in self._items("key_points"))
        if len(claims) <= MAX_POINTS:
            return claims
        words = [
            [word for word in find_words(claim.text) if word not in ENGLISH_FUNCTION_WORDS]
            for claim in claims
        ]
        return [claims[at] for at in pick_sentences(words, MAX_POINTS)]

    def action_items(self) -> list[ActionItem]:
        """Return what is to be done; `due_at` is worked out here and not by the model."""
        items: list[ActionItem] = []
        for item in self._items("action_items"):
            claim = self._claim(item, "text")
            if not claim.text or any(_are_same(claim.text, other.claim.text) for other in items):
                continue
            owner, due = (
                _text(item.get("owner"), MAX_NAME_LENGTH) or None,
                _text(item.get("due"), MAX_NAME_LENGTH) or None,
            )
            dates = dates_in(due, self._request) if due and self._is_spoken(due, claim) else []
            items.append(
                ActionItem(
                    claim=self._with_owner(claim, owner),
                    owner=owner,
                    due=due,
                    due_at=dates[0].start if dates else None,
                )
            )
        return items[:MAX_ACTION_ITEMS]

    def chapters(self) -> list[Chapter]:
        """Return the model's chapters as far as they are in order and long enough, or else our own."""
        lines = self._request.lines
        found: dict[int, str] = {}
        for item in self._items("chapters"):
            line, title = item.get("line"), _text(item.get("title"), MAX_NAME_LENGTH)
            if isinstance(line, int) and 1 <= line <= len(lines) and title:
                found.setdefault(line - 1, title)
        chapters: list[Chapter] = []
        for line, title in sorted(found.items()):
            if not chapters:
                chapters.append(Chapter(title, 0 if lines[line].start < MIN_CHAPTER_SECONDS else line))
            elif lines[line].start - lines[chapters[-1].line].start >= MIN_CHAPTER_SECONDS:
                chapters.append(Chapter(title, line))
        return chapters[:MAX_CHAPTERS] or find_chapters(lines)

    def topics(self) -> list[Topic]:
        """Return the topics, each once; a topic without a line of its own is none."""
        lines: dict[str, list[int]] = {}
        names: dict[str, str] = {}
        for item in self._items("topics"):
            name = _text(item.get("name"), MAX_NAME_LENGTH)
            if name:
                names.setdefault(name.casefold(), name)
                lines.setdefault(name.casefold(), []).extend(_lines(item.get("lines")))
        most_spoken = sorted(names, key=lambda key: -len(lines[key]))[:MAX_TOPICS]
        claims = [(names[key], self._evidence.check(names[key], lines[key])) for key in most_spoken]
        return [Topic(name, claim.sources, claim.is_verified) for name, claim in claims]

    def events(self) -> list[DatedEvent]:
        """Return what lies ahead, by time. Our own reading of the cited words goes before the model's."""
        events: dict[tuple[datetime, str], DatedEvent] = {}
        for item in self._items("events"):
            claim = self._claim(item, "title")
            event = self._event(item, claim) if claim.text else None
            if event is not None:
                events.setdefault((event.start, claim.text.casefold()), event)
        return sorted(events.values(), key=lambda event: event.start)[:MAX_EVENTS]

    def _event(self, item: Mapping[str, Any], claim: Statement) -> DatedEvent | None:
        stated = _moment(item.get("start"), self._request.moment)
        ours = self._spoken_date(claim, stated, _text(item.get("when"), MAX_NAME_LENGTH))
        if ours is not None:
            start, end, has_time, is_sure = ours.start, ours.end, ours.has_time, ours.is_day
        elif stated is not None and stated.date() >= self._request.moment.date():
            start, end = stated, _moment(item.get("end"), self._request.moment)
            has_time, is_sure = "T" in str(item.get("start")), False
        else:
            return None
        attendees = item.get("attendees")
        return DatedEvent(
            claim=Statement(claim.text, claim.sources, claim.is_verified and is_sure),
            start=start,
            end=end if end is not None and start < end < start + timedelta(days=31) else None,
            has_time=has_time,
            location=_text(item.get("location"), MAX_NAME_LENGTH) or None,
            attendees=[name for each in attendees[:MAX_ATTENDEES] if (name := _text(each, MAX_NAME_LENGTH))]
            if isinstance(attendees, list)
            else (),
        )

    def _spoken_date(self, claim: Statement, stated: datetime | None, when: str) -> SpokenDate | None:
        """Return the date that the cited lines speak of: of several the one the model means."""
        texts = [one_line(self._request.lines[source.line].text) for source in claim.sources]
        spoken = [found for text in texts for found in dates_in(text, self._request)]
        meant = [found for found in spoken if stated is not None and found.start.date() == stated.date()]
        named = [
            found
            for text in texts
            for found in dates_in(text, self._request)
            if when and _are_same(text[found.first : found.last], when)
        ]
        return next(iter([*meant, *named, *spoken]), None)

    def _claim(self, item: Mapping[str, Any], field: str) -> Statement:
        text = _text(item.get(field), MAX_TEXT_LENGTH)
        quote = _text(item.get("quote"), MAX_TEXT_LENGTH)
        return self._evidence.check(text, _lines(item.get("lines")), quote) if text else Statement("")

    def _with_owner(self, claim: Statement, owner: str | None) -> Statement:
        """Doubt a task whose owner is neither named near its lines nor speaks there."""
        if owner is None or not claim.is_verified or self._evidence.is_named(owner, claim.sources):
            return claim
        return Statement(claim.text, claim.sources, is_verified=False)

    def _is_spoken(self, words: str, claim: Statement) -> bool:
        spoken = {
            word for source in claim.sources for word in find_words(self._request.lines[source.line].text)
        }
        return set(find_words(words)) <= spoken

    def _items(self, name: str) -> Iterable[Mapping[str, Any]]:
        for part in self._parts:
            items = part.get(name)
            if isinstance(items, list):
                yield from [item for item in items[:MAX_PER_PART] if isinstance(item, dict)]


def _text(value: object, longest: int) -> str:
    return one_line(value)[:longest].strip() if isinstance(value, str) else ""


def _lines(value: object) -> list[int]:
    """Return the positions (from 0) of cited lines."""
    numbers = value if isinstance(value, list) else [value]
    return [number - 1 for number in numbers[:MAX_PER_PART] if isinstance(number, int)]


def _moment(value: object, base: datetime) -> datetime | None:
    """Read a time as the model wrote it; without an offset it is one of the speakers' time zone."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or base.tzinfo) if moment is not None else None


def _without_doubles(claims: Iterable[Statement]) -> list[Statement]:
    kept: list[Statement] = []
    for claim in claims:
        if claim.text and not any(_are_same(claim.text, other.text) for other in kept):
            kept.append(claim)
    return kept


def _are_same(one: str, other: str) -> bool:
    """Tell whether two texts say the same in nearly the same words."""
    words, others = ({stem(word) for word in find_words(text)} for text in (one, other))
    return len(words & others) >= SAME_SHARE * max(len(words | others), 1)

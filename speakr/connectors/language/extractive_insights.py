"""Key points, tasks, chapters, topics and events without a language model: sentences as they were spoken."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from speakr.connectors.language.appointments import dates_in, find_events, title_of
from speakr.connectors.language.base import ExtractRequest
from speakr.connectors.language.chapters import find_chapters
from speakr.connectors.language.function_words import function_words
from speakr.connectors.language.keyphrases import find_key_phrases
from speakr.connectors.language.lexrank import pick_sentences
from speakr.connectors.language.quotes import quote_from
from speakr.connectors.language.sentences import Sentence, find_words, split_sentences
from speakr.domain.insights import ActionItem, Insights, Topic
from speakr.domain.statements import NumberedLine, Source, Statement

MIN_POINTS, MAX_POINTS = 3, 10
MAX_ACTION_ITEMS = 100
MAX_TOPICS = 8
MAX_TOPIC_SOURCES = 5
MIN_TASK_WORDS = 4

_VERB = r"(?!be\b|have\b|see\b|say\b|know\b|think\b|never\b|not\b|probably\b|always\b)[a-z]{2,}"
_MINE = re.compile(
    rf"\b(?:I'll|I will|I am going to|I'm going to|I can|I have to|I need to|I must|let me) (?:also |then )?({_VERB})",
    re.IGNORECASE,
)
_YOURS = re.compile(
    rf"\b(?:(?:can|could|would|will) you(?: please)?|please|you (?:should|need to|have to|must)|make sure(?: that)?|don't forget to) ({_VERB})",
    re.IGNORECASE,
)
_OURS = re.compile(
    rf"\b(?:we (?:need to|have to|must|should)|somebody (?:should|has to|needs to)|someone (?:should|has to|needs to)) ({_VERB})",
    re.IGNORECASE,
)
_THEIRS = re.compile(
    rf"\b([A-Z][a-z]+),? (?:will|is going to|should|has to|needs to|must|can you|could you|please) ({_VERB})"
)
_NAMED = re.compile(r"\b(?:action item|to-do|todo|task)\b[: ]|\bto do:", re.IGNORECASE)
_NO_NAMES = frozenset(
    {
        "we",
        "you",
        "they",
        "he",
        "she",
        "it",
        "this",
        "that",
        "there",
        "who",
        "what",
        "nobody",
        "everybody",
        "i",
    }
)
_QUESTION_OF_OPINION = re.compile(
    r"\b(?:can|could) you (?:hear|see|say|tell|imagine|explain|believe)\b|\bplease (?:no|note)\b",
    re.IGNORECASE,
)


def find_insights(request: ExtractRequest, engine: str) -> Insights:
    """Extract insights from a transcript by rules."""
    sentences = split_sentences(request.lines)
    words = [find_words(sentence.text) for sentence in sentences]
    stop = function_words(words)
    return Insights(
        engine=engine,
        is_extractive=True,
        lines_read=len(request.lines),
        key_points=_key_points(sentences, words, stop),
        action_items=_action_items(sentences, request),
        chapters=find_chapters(request.lines),
        topics=find_topics(request.lines, sentences, stop),
        events=find_events(sentences, request),
    )


def _key_points(
    sentences: Sequence[Sentence], words: Sequence[Sequence[str]], stop: frozenset[str]
) -> list[Statement]:
    content = [[word for word in each if word not in stop] for each in words]
    count = min(MAX_POINTS, max(MIN_POINTS, math.isqrt(len(sentences))))
    return [
        Statement(sentences[at].text, sentences[at].sources(), is_verified=True)
        for at in pick_sentences(content, count)
    ]


def find_topics(
    lines: Sequence[NumberedLine], sentences: Sequence[Sentence], stop: frozenset[str]
) -> list[Topic]:
    """Return what is spoken about most, with the lines where it is."""
    topics = []
    for phrase in find_key_phrases((sentence.text for sentence in sentences), stop, MAX_TOPICS):
        spoken = r"\W+".join(map(re.escape, phrase.text.split()))
        said = re.compile(rf"\b{spoken}\b", re.IGNORECASE)
        places = [at for at, line in enumerate(lines) if said.search(line.text)][:MAX_TOPIC_SOURCES]
        if places:
            wanted = frozenset(phrase.text.split())
            sources = [Source(at, quote_from(lines[at], wanted)) for at in places]
            topics.append(Topic(phrase.text[:1].upper() + phrase.text[1:], sources))
    return topics


def _action_items(sentences: Sequence[Sentence], request: ExtractRequest) -> list[ActionItem]:
    items: dict[str, ActionItem] = {}
    for sentence in sentences:
        owner = _owner(sentence, request.lines)
        if owner is None or len(sentence.text.split()) < MIN_TASK_WORDS:
            continue
        dates = dates_in(sentence.text, request)
        items.setdefault(
            sentence.text,
            ActionItem(
                claim=Statement(title_of(sentence.text), sentence.sources(), is_verified=True),
                owner=owner or None,
                due=sentence.text[dates[0].first : dates[0].last] if dates else None,
                due_at=dates[0].start if dates else None,
            ),
        )
    return list(items.values())[:MAX_ACTION_ITEMS]


def _owner(sentence: Sentence, lines: Sequence[NumberedLine]) -> str | None:
    """Return the owner of the task in a sentence: a name, empty without one, None if it is not a task."""
    text = sentence.text
    if _QUESTION_OF_OPINION.search(text):
        return None
    theirs = _THEIRS.search(text)
    if theirs and theirs[1].lower() not in _NO_NAMES:
        return theirs[1] if theirs[1].lower() != "please" else ""
    if _MINE.search(text):
        return lines[sentence.line].speaker
    if _YOURS.search(text) or _OURS.search(text) or _NAMED.search(text):
        return ""
    return None

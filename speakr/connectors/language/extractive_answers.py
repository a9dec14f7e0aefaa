"""Answer a question without a language model: show what was said about it, word for word, by whom and when."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from speakr.connectors.language.base import ChatRequest
from speakr.connectors.language.function_words import ASKING_WORDS, ENGLISH_FUNCTION_WORDS, function_words
from speakr.connectors.language.lexrank import pick_sentences
from speakr.connectors.language.lines import full_clock_time, one_line, who
from speakr.connectors.language.passages import rank_lines, stem
from speakr.connectors.language.quotes import quote_from
from speakr.connectors.language.sentences import find_words
from speakr.domain.conversation import Role
from speakr.domain.statements import NumberedLine, Source

NOTICE = "*Extractive answer: passages picked from the transcript on this server, without a language model.*"
NO_MATCH = "Nothing in this recording matches the question: none of its words is spoken here."
NO_MATCH_IN_MANY = "Nothing in the recordings matches the question: none of its words is spoken there."
NO_WORDS = "Nobody says a word in this recording."
OVERVIEW = (
    "The question names nothing to look for, so these are the passages that are most like all the others:"
)
MAX_MATCHES = 4
MAX_QUOTES = 8
MIN_RELATIVE_SCORE = 0.4
"""A line that fits much worse than the best one is not shown."""
SHORT_LINE_WORDS = 4
OVERVIEW_LINES = 4


@dataclass(frozen=True, slots=True)
class _Question:
    """What to look for: stems with the words they come from, and the speakers who are named."""

    words: dict[str, str]
    speakers: frozenset[str]


def answer_from_lines(request: ChatRequest) -> tuple[str, list[Source]]:
    """Return Markdown and its sources."""
    words = [find_words(line.text) for line in request.lines]
    if not any(words):
        return f"{NOTICE}\n\n{NO_WORDS}", []
    is_of_many = any(line.origin for line in request.lines)
    stop = function_words(words)
    question = _understand(request, stop)
    by_named = {at for at, line in enumerate(request.lines) if line.speaker in question.speakers}
    if not question.words:
        among = by_named or range(len(request.lines))
        content = [[word for word in each if word not in stop] for each in words]
        chosen = _overview(content, sorted(among))
        text, sources = _quote(request.lines, chosen, ())
        return f"{NOTICE}\n\n{OVERVIEW}\n\n{text}", sources
    stems = [[stem(word) for word in each] for each in words]
    ranked = rank_lines(stems, question.words, by_named)
    if not ranked:
        return f"{NOTICE}\n\n{NO_MATCH_IN_MANY if is_of_many else NO_MATCH}", []
    best = ranked[0][1]
    matches = [at for at, score in ranked[:MAX_MATCHES] if score >= MIN_RELATIVE_SCORE * best]
    chosen = _with_context(matches, words, request.lines)
    text, sources = _quote(request.lines, chosen, question.words.values())
    spoken = {word for each in stems for word in each}
    missing = [word for stemmed, word in question.words.items() if stemmed not in spoken]
    if missing and not is_of_many:  # of many recordings only some passages are at hand
        text += "\n\nNot spoken in this recording: " + ", ".join(f"“{word}”" for word in missing) + "."
    return f"{NOTICE}\n\n{text}", sources


def _understand(request: ChatRequest, stop: frozenset[str]) -> _Question:
    """Read the newest question that names something: „And when?“ goes on about what was asked before."""
    asked = [request.question, *(turn.text for turn in reversed(request.history) if turn.role is Role.USER)]
    for text in asked:
        found = _read(text, request.lines, stop)
        if found.words or found.speakers:
            return found
    return _Question({}, frozenset())


def _read(text: str, lines: Sequence[NumberedLine], stop: frozenset[str]) -> _Question:
    names = {speaker: set(find_words(speaker)) for speaker in {line.speaker for line in lines}}
    asked = dict.fromkeys(word.removesuffix("'s") for word in find_words(text))
    named = frozenset(speaker for speaker, parts in names.items() if parts & (asked.keys() - ASKING_WORDS))
    empty = stop | ENGLISH_FUNCTION_WORDS | ASKING_WORDS | {part for each in named for part in names[each]}
    return _Question({stem(word): word for word in asked if word not in empty}, named)


def _overview(content: Sequence[Sequence[str]], among: Sequence[int]) -> list[int]:
    chosen = pick_sentences([content[at] for at in among], OVERVIEW_LINES)
    # Small talk may hold no content word at all; then its beginning has to stand for it.
    return [among[at] for at in chosen] or list(among[:OVERVIEW_LINES])


def _with_context(
    matches: Iterable[int], words: Sequence[Sequence[str]], lines: Sequence[NumberedLine]
) -> list[int]:
    """Add the line after a question, for it may be the answer, and those around a line too short to stand alone."""
    chosen: dict[int, None] = {}
    for at in matches:
        is_short = len(words[at]) < SHORT_LINE_WORDS
        asks = one_line(lines[at].text).endswith(("?", "？"))  # noqa: RUF001 - the full-width one of Chinese
        around = [at, *([at + 1] if asks or is_short else []), *([at - 1] if is_short else [])]
        chosen.update(dict.fromkeys(each for each in around if 0 <= each < len(lines)))
    return sorted(list(chosen)[:MAX_QUOTES])


def _quote(
    lines: Sequence[NumberedLine], chosen: Iterable[int], wanted: Collection[str]
) -> tuple[str, list[Source]]:
    sources = [Source(at, quote_from(lines[at], wanted)) for at in chosen if one_line(lines[at].text)]
    bullets = [
        f"- {who(lines[source.line])} at {full_clock_time(lines[source.line].start)}: "
        f"“{source.quote}” [{number}]"
        for number, source in enumerate(sources, start=1)
    ]
    return "\n".join(bullets), sources

"""Check whether the cited lines support a statement.

No model is asked: what can be checked is checked word by word. A quote must stand in the transcript; numbers and
names must be spoken near it; most of what the statement speaks of must be spoken of there; and a statement must not
turn «not» into its opposite. Whatever fails is kept and marked, never dropped: people decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from functools import cached_property

from speakr.connectors.language.function_words import ENGLISH_FUNCTION_WORDS
from speakr.connectors.language.lines import one_line
from speakr.connectors.language.passages import rank_lines, stem
from speakr.connectors.language.quotes import quote_from
from speakr.connectors.language.sentences import find_words
from speakr.connectors.language.spoken_numbers import numbers_in
from speakr.domain.statements import NumberedLine, Source, Statement
from speakr.domain.words import located_words

MAX_SOURCES = 6
MIN_OVERLAP = 0.34
"""Minimum share of a statement's words near the cited lines; models paraphrase."""
MIN_OVERLAP_WHEN_FOUND = 0.6
"""The same for lines that Speakr finds because none were cited."""
SAME_WORDS = 0.6
"""A statement that shares so many words with a line says what that line says, or its opposite."""
MIN_QUOTE_WORDS = 2
MIN_MOVED_QUOTE_WORDS = 4
"""A quote of so many words is believed to come from another line than the one that was cited."""
NEIGHBOURS = 1
_STEM_LETTERS = 5

_NEGATIONS = frozenset(
    """against avoid avoided cancel cancelled canceled cannot decline declined drop dropped fail failed hardly lack
    neither never no nobody none nor not nothing postpone postponed refuse refused reject rejected skip skipped stop
    stopped unable unlikely without""".split()  # noqa: SIM905 - one can read and edit this
)
_AFTER_A_NAME = frozenset(
    """agreed agrees and asked asks believes confirmed explained has is must needs plans prepares promised proposed
    said says sends should suggested takes thinks to wants was will writes""".split()  # noqa: SIM905 - as above
)
_NAME = re.compile(r"\b[A-Z][\w'’-]*[a-z][\w'’-]*")  # noqa: RUF001 - the apostrophe of typeset text
_SENTENCE_START = re.compile(r"(?:^|[.?!:;•\n]\s*|^[-*#>\s]+)[\"'“(*_]*$")
_ONE = re.compile(r"\bone\b(?!\s+(?:hundred|thousand|million))", re.IGNORECASE)
_CAPITALS_MEAN_NOTHING = frozenset({"de", "lb"})
"""Languages that begin every noun with a capital."""


class Evidence:
    """The lines of one transcript, ready to be asked. `translated`: statements are in another language than lines."""

    def __init__(
        self, lines: Sequence[NumberedLine], *, language: str | None = None, translated: bool = False
    ) -> None:
        self._lines = lines
        self._language = language
        self._translated = translated
        self._keys: dict[int, frozenset[str]] = {}

    def check(self, text: str, cited: Iterable[int], quote: str | None = None) -> Statement:
        """Return the statement with those of the cited lines that exist, and whether they bear it out."""
        places = [at for at in dict.fromkeys(cited) if self._says_something(at)][:MAX_SOURCES]
        if quote and find_words(quote):
            found = self._find_quote(quote, places)
            if found is None:
                return Statement(text)
            sources = [found, *(self._source(at, text) for at in places if at != found.line)]
            return Statement(text, tuple(sources), self._bears_out(text, [source.line for source in sources]))
        if not places:
            return Statement(text)
        return Statement(text, tuple(self._source(at, text) for at in places), self._bears_out(text, places))

    def check_or_find(self, text: str, cited: Sequence[int]) -> Statement:
        """Check a statement; look for its lines if it cites none."""
        if cited:
            return self.check(text, cited)
        return self.find(text)

    def find(self, text: str) -> Statement:
        """Return the statement with the lines that are most like it, if they are like enough."""
        wanted = {stem(word) for word in find_words(text)} - ENGLISH_FUNCTION_WORDS
        ranked = rank_lines(self._stems, wanted)[:2]
        for chosen in ([at for at, _ in ranked[:1]], [at for at, _ in ranked]):
            if chosen and self._bears_out(text, chosen, MIN_OVERLAP_WHEN_FOUND):
                return Statement(text, tuple(self._source(at, text) for at in chosen), is_verified=True)
        return Statement(text)

    def is_named(self, name: str, sources: Sequence[Source]) -> bool:
        """Return True if these sources, or lines near them, contain this name or are by that speaker."""
        around = self._around(source.line for source in sources)
        near = {word for at in around for word in find_words(_spoken_text(self._lines[at]))}
        return set(find_words(name)) <= near or name in {self._lines[at].speaker for at in around}

    def _source(self, at: int, text: str) -> Source:
        return Source(at, quote_from(self._lines[at], frozenset(find_words(text))))

    def _says_something(self, at: int) -> bool:
        return 0 <= at < len(self._lines) and bool(self._lines[at].text.strip())

    def _find_quote(self, quote: str, places: Sequence[int]) -> Source | None:
        """Return where a quote stands: in a cited line, beside one, or, if it is long enough, anywhere."""
        wanted = [word for word, _, _ in located_words(quote)]
        if len(wanted) < MIN_QUOTE_WORDS and not any(wanted == self._words[at] for at in places):
            return None
        beside = [at + step for at in places for step in (-1, 1, -2, 2)]
        anywhere = range(len(self._lines)) if len(wanted) >= MIN_MOVED_QUOTE_WORDS else ()
        for at in dict.fromkeys((*places, *beside, *anywhere)):
            if self._says_something(at):
                first = _index_of(wanted, self._words[at])
                if first is not None:
                    return Source(at, self._as_written(at, first, len(wanted)))
        return None

    def _as_written(self, at: int, first: int, count: int) -> str:
        text = one_line(self._lines[at].text)
        words = located_words(text)
        return text[words[first][1] : words[first + count - 1][2]]

    def _bears_out(self, text: str, places: Sequence[int], least_overlap: float = MIN_OVERLAP) -> bool:
        around = self._around(places)
        spoken = " ".join(self._lines[at].text for at in around)
        # A line with a number in it is the one that tells the number; else it may have been said beside it.
        numbers = numbers_in(" ".join(self._lines[at].text for at in places)) or numbers_in(spoken)
        numbers |= numbers_in(" ".join(self._lines[at].origin for at in places))
        if not numbers_in(_ONE.sub("", text)) <= numbers:
            return False
        near = {word for at in around for word in find_words(_spoken_text(self._lines[at]))}
        if any(name not in near for name in self._names(text)):
            return False
        if self._translated:
            return True
        own = _content(text)
        if own and len(own & frozenset().union(*(self._content(at) for at in around))) < least_overlap * len(
            own
        ):
            return False
        return not self._turns_around(text, own, places)

    def _turns_around(self, text: str, own: frozenset[str], places: Sequence[int]) -> bool:
        """Tell whether a statement denies what its lines say, or says what they deny."""
        is_negative = _is_negative(text)
        cited_negative = [_is_negative(self._lines[at].text) for at in places]
        if is_negative:
            return not any(_is_negative(self._lines[at].text) for at in self._around(places))
        return any(
            negative and own and len(own & self._content(at)) >= SAME_WORDS * len(own)
            for at, negative in zip(places, cited_negative, strict=True)
        )

    def _names(self, text: str) -> set[str]:
        """Return, in lower case, the words of a statement that are names."""
        if self._language in _CAPITALS_MEAN_NOTHING:
            return {name for name in find_words(text) if name in self._speakers}
        names = set()
        for match in _NAME.finditer(text):
            words = find_words(match[0].removesuffix("'s").removesuffix("’s"))  # noqa: RUF001 - typeset text
            if not words or words[0] in ENGLISH_FUNCTION_WORDS:
                continue
            if not _SENTENCE_START.search(text[: match.start()]) or self._begins_as_a_name(
                words[0], text[match.end() :]
            ):
                names.add(words[0])
        return names

    def _begins_as_a_name(self, word: str, following: str) -> bool:
        """Return True if a sentence's first word is a name: a known one, or the subject of a verb."""
        if word in self._speakers:
            return True
        next_words = find_words(following[:30])
        return word not in self._vocabulary and bool(next_words) and next_words[0] in _AFTER_A_NAME

    def _around(self, places: Iterable[int]) -> list[int]:
        return sorted(
            {
                beside
                for at in places
                for beside in range(max(at - NEIGHBOURS, 0), min(at + NEIGHBOURS + 1, len(self._lines)))
            }
        )

    def _content(self, at: int) -> frozenset[str]:
        if at not in self._keys:
            self._keys[at] = _content(_spoken_text(self._lines[at]))
        return self._keys[at]

    @cached_property
    def _words(self) -> list[list[str]]:
        return [[word for word, _, _ in located_words(one_line(line.text))] for line in self._lines]

    @cached_property
    def _stems(self) -> list[list[str]]:
        return [[stem(word) for word in find_words(line.text)] for line in self._lines]

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return frozenset(word for line in self._lines for word in find_words(line.text))

    @cached_property
    def _speakers(self) -> frozenset[str]:
        return frozenset(part for line in self._lines for part in find_words(line.speaker))


def _spoken_text(line: NumberedLine) -> str:
    """Return what a line says, and by whom and where."""
    return f"{line.speaker} {line.origin} {line.text}"


def _content(text: str) -> frozenset[str]:
    """Return what a text speaks of: the beginnings of its words without those that carry only grammar."""
    return frozenset(
        stem(word)[:_STEM_LETTERS] for word in find_words(text) if word not in ENGLISH_FUNCTION_WORDS
    )


def _is_negative(text: str) -> bool:
    return any(word in _NEGATIONS or word.endswith("n't") for word in find_words(text))


def _index_of(wanted: Sequence[str], words: Sequence[str]) -> int | None:
    """Return where a run of words begins in others."""
    if not wanted:
        return None
    for first in range(len(words) - len(wanted) + 1):
        if words[first] == wanted[0] and list(words[first : first + len(wanted)]) == list(wanted):
            return first
    return None


def count_read(read: Collection[int], lines: Sequence[NumberedLine]) -> int:
    """Return how many lines an engine has read: those it was shown, and those that say nothing."""
    return sum(1 for at, line in enumerate(lines) if at in read or not line.text.strip())

"""Sentences and words of a transcript, in any language that is written down with letters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from speakr.connectors.language.lines import one_line
from speakr.domain.statements import NumberedLine, Source

MAX_SENTENCE_WORDS = 60
MAX_JOINED_WORDS = 40

_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - the full-width ones end Chinese and Japanese sentences
_AFTER_SENTENCE = re.compile(
    r"(?<=[.?!…])(?<!\bMr\.)(?<!\bMrs\.)(?<!\bMs\.)(?<!\bDr\.)(?<!\bProf\.)\s+|(?<=[。？！])"  # noqa: RUF001 - as above
)
_TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]+|[^\W\d_\u3040-\u30ff\u3400-\u9fff]+(?:['’-][^\W\d_]+)*")  # noqa: RUF001 - the apostrophe of typeset text
_WITHOUT_BLANKS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]{2,}")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, when its first line began (in seconds), and which words of which lines it is made of."""

    text: str
    start: float
    parts: tuple[tuple[int, str], ...] = ()

    @property
    def line(self) -> int:
        """Return the position of the line it begins in."""
        return self.parts[0][0]

    def sources(self) -> tuple[Source, ...]:
        """Return where it was said, in its own words."""
        return tuple(Source(line, words) for line, words in self.parts)


def split_sentences(lines: Iterable[NumberedLine]) -> list[Sentence]:
    """Cut lines into sentences; a sentence begun in one line goes on in the same speaker's next one."""
    sentences: list[Sentence] = []
    speaker: str | None = None
    for at, line in enumerate(lines):
        for text in _AFTER_SENTENCE.split(one_line(line.text)):
            if not text:
                continue
            if sentences and speaker == line.speaker and _goes_on(sentences[-1].text, text):
                begun = sentences[-1]
                sentences[-1] = Sentence(f"{begun.text} {text}", begun.start, (*begun.parts, (at, text)))
            else:
                sentences.extend(Sentence(piece, line.start, ((at, piece),)) for piece in _pieces(text))
            speaker = line.speaker
    return sentences


def _goes_on(text: str, following: str) -> bool:
    words = text.count(" ") + following.count(" ") + 2
    return not text.endswith(_SENTENCE_ENDS) and words <= MAX_JOINED_WORDS


def _pieces(text: str) -> list[str]:
    """Cut what no sentence end cuts, as in text without punctuation."""
    words = text.split(" ")
    return [
        " ".join(words[first : first + MAX_SENTENCE_WORDS])
        for first in range(0, len(words), MAX_SENTENCE_WORDS)
    ]


def find_words(text: str) -> list[str]:
    """Return the words in lower case; Chinese and Japanese, written without blanks, as pairs of characters."""
    words: list[str] = []
    for token in _TOKEN.findall(text.lower()):
        if _WITHOUT_BLANKS.match(token):
            words.extend(token[at : at + 2] for at in range(len(token) - 1))
        else:
            words.append(token.replace("’", "'"))  # noqa: RUF001 - one spelling for both apostrophes
    return words

"""Documents and queries of the search: a recording's words in the index, and a user's query.

The index knows which words a recording has, per field, but not where. For phrases, the normalised text is searched too: there
a phrase is a substring. A phrase lies within one segment, or within one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from speakr.domain.errors import Invalid
from speakr.domain.words import is_character, normalise, pairs_in, words_of

MAX_QUESTION_LENGTH = 500
MAX_TERMS = 20
MIN_PREFIX_LENGTH = 2
"""Minimum length of a prefix; one letter would match a large part of all words."""

_MAX_KEYS = 30
"""Words of one phrase that are looked up in the index; the text decides about the rest."""
_MAX_KEY_BYTES = 1_000_000
"""PostgreSQL keeps no more in a tsvector. That is more than a hundred thousand different words."""
_MAX_LINE_LENGTH = 2000


class Field(StrEnum):
    """The texts of a recording that are searched."""

    TITLE = "title"
    PARTICIPANTS = "participants"
    TRANSCRIPT = "transcript"
    SUMMARY = "summary"
    NOTES = "notes"


class Mode(StrEnum):
    """Mode of a search: words, meaning, or both."""

    WORDS = "words"
    MEANING = "meaning"
    HYBRID = "hybrid"


EVERYBODYS = tuple(field for field in Field if field is not Field.NOTES)
"""Fields that are searched in shared recordings; notes are private to the owner."""

_OPERATORS = re.compile(r"[\"“”„‟«»*]|(?<!\S)-")

_LETTERS: Mapping[Field, str] = {
    Field.TITLE: "t",
    Field.PARTICIPANTS: "p",
    Field.TRANSCRIPT: "x",
    Field.SUMMARY: "s",
    Field.NOTES: "n",
}


def beginnings_of(text: str) -> tuple[Term, ...] | None:
    """Return the words of a text as terms that also match longer words; None without any. Operators do not count."""
    words = _OPERATORS.sub(" ", text).split()[:MAX_TERMS]
    return parse(" ".join(f"{word}*" for word in words)) if words else None


def key_of(field: Field, word: str) -> str:
    """Return the index term of a word in a field."""
    return _LETTERS[field] + word


def key_of_owner(user_id: int) -> str:
    """Return the index term of a recording's owner; a query with it skips recordings of other users."""
    return f"u{user_id}"


# -- documents


def lines_of(text: str | None) -> list[str]:
    """Return a text in the pieces in which it is searched and quoted: its lines, long ones cut at a blank."""
    return [piece for line in (text or "").splitlines() for piece in _cut(line)]


def _cut(line: str) -> Iterable[str]:
    while len(line) > _MAX_LINE_LENGTH:
        end = line.rfind(" ", 1, _MAX_LINE_LENGTH)
        end = _MAX_LINE_LENGTH if end < 0 else end
        yield line[:end]
        line = line[end:]
    yield line


@dataclass(frozen=True, slots=True)
class IndexDocument:
    """A recording as it is searched: per field its normalised lines, and the keys of all words."""

    texts: Mapping[Field, str]
    keys: str


def document(user_id: int, lines: Mapping[Field, Sequence[str]]) -> IndexDocument:
    """Make a document of a recording's lines. Line n of a text is what line n of the field became."""
    texts = {field: "\n".join(map(normalise, lines.get(field, ()))) for field in Field}
    keys = [key_of_owner(user_id)]
    # The transcript comes last: if there are too many words, it loses some.
    for field in sorted(Field, key=lambda field: field is Field.TRANSCRIPT):
        letter, text = _LETTERS[field], texts[field]
        keys += [letter + word for word in dict.fromkeys(text.split())]
        keys += [letter + pair for pair in pairs_in(text)]
    joined = " ".join(keys)
    if len(joined) * 4 > _MAX_KEY_BYTES and len(encoded := joined.encode()) > _MAX_KEY_BYTES:
        joined = encoded[:_MAX_KEY_BYTES].rpartition(b" ")[0].decode()
    return IndexDocument({field: text.strip("\n") and text for field, text in texts.items()}, joined)


# -- questions


@dataclass(frozen=True)
class Term:
    """A search term: a word, or several in a row."""

    words: tuple[str, ...]
    is_prefix: bool = False
    is_excluded: bool = False

    @cached_property
    def needle(self) -> str:
        """The term as a substring of normalised text."""
        return f" {' '.join(self.words)}" + ("" if self.is_prefix else " ")

    @cached_property
    def _all_keys(self) -> tuple[tuple[str, bool], ...]:
        found: list[tuple[str, bool]] = []
        was_paired = False
        for at, word in enumerate(self.words):
            follows = self.words[at + 1] if at + 1 < len(self.words) else ""
            if is_character(word) and is_character(follows):
                found.append((word + follows, False))
                was_paired = True
            elif not was_paired:
                found.append((word, self.is_prefix and not follows))
            else:
                was_paired = False
        return tuple(dict.fromkeys(found))

    @property
    def keys(self) -> Sequence[tuple[str, bool]]:
        """The index terms, all required: words without their field's letter, and whether each is a prefix."""
        return self._all_keys[:_MAX_KEYS]

    @property
    def is_exact(self) -> bool:
        """Whether the index alone can decide."""
        return len(self._all_keys) == 1


_PIECE = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))')
_QUOTES = str.maketrans("“”„‟«»", '""""""')


def parse(question: str) -> tuple[Term, ...]:
    """Read a question: words, "phrases", -exclusions and beginnings*; nothing else has a meaning.

    Raises:
        Invalid: it is empty or too long.

    """
    require(question)
    found: dict[Term, None] = {}
    for piece in _PIECE.finditer(question.translate(_QUOTES)):
        words = tuple(words_of(piece["phrase"] or piece["word"] or ""))
        if words:
            found[Term(words, _is_prefix(piece["word"] or "", words[-1]), piece["minus"] is not None)] = None
    if len(found) > MAX_TERMS:
        raise _too_much(f"has more than {MAX_TERMS} words and phrases")
    return tuple(found)


def require(question: str) -> None:
    """Refuse a question that is empty or too long."""
    if not question.strip():
        raise Invalid("q is required", errors={"q": ["is required"]})
    if len(question) > MAX_QUESTION_LENGTH:
        raise _too_much(f"is longer than {MAX_QUESTION_LENGTH} characters")


def _is_prefix(written: str, last_word: str) -> bool:
    return written.endswith("*") and len(last_word) >= MIN_PREFIX_LENGTH


def _too_much(what: str) -> Invalid:
    return Invalid(f"q {what}", errors={"q": [what]})

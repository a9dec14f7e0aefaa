"""Finding words in texts and putting others in their place."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speakr.domain.errors import Invalid
from speakr.domain.word_alignment import is_spaceless, one_line

_AROUND = 60
"""Characters of an example before and behind what was found."""
_WORD = r"[\w\u0300-\u036f]"


@dataclass(frozen=True, slots=True)
class Example:
    """A place as it is and as it will be."""

    before: str
    after: str


class Replacement:
    """What to look for and what to put there."""

    def __init__(self, find: str, replace: str, *, match_case: bool, whole_words: bool) -> None:
        """Prepare the search.

        Args:
            find: one word or several, within a segment.
            replace: what is put there, which may be nothing.
            match_case: upper and lower case differ.
            whole_words: nothing is found inside of words; scripts without spaces have no such borders.

        """
        words = find.split()
        if not words:
            raise Invalid("Say what to find", errors={"find": ["must not be blank"]})
        pattern = r"\s+".join(re.escape(word) for word in words)
        first, last = words[0][0], words[-1][-1]
        if whole_words and re.match(_WORD, first) and not is_spaceless(first):
            pattern = f"(?<!{_WORD}){pattern}"
        if whole_words and re.match(_WORD, last) and not is_spaceless(last):
            pattern = f"{pattern}(?!{_WORD})"
        self._pattern = re.compile(pattern, 0 if match_case else re.IGNORECASE)
        self._replace = one_line(replace)
        self.described = {"find": " ".join(words), "replace": self._replace}

    def count(self, text: str) -> int:
        """Return how often it is found."""
        return sum(1 for _ in self._pattern.finditer(text))

    def apply(self, text: str) -> str:
        """Return the text with all of them replaced."""
        return self._pattern.sub(lambda _: self._replace, text)

    def example(self, text: str) -> Example | None:
        """Return the first place with some text around it."""
        found = self._pattern.search(text)
        if found is None:
            return None
        first, end = max(found.start() - _AROUND, 0), min(found.end() + _AROUND, len(text))
        after = text[first : found.start()] + self._replace + text[found.end() : end]
        return Example(text[first:end], one_line(after))

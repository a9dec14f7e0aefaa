"""Loops: a generative model that writes the same phrase again and again to its token limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from speakr.domain.transcript import Word

MAX_PHRASE_WORDS: Final = 12
MIN_REPEATS: Final = 3
"""Times that the last phrase of an utterance is written in a row, from which on it counts as a loop."""
HOPELESS_REPEATS: Final = 6
"""Times after which decoding stops; until then the model may still leave the loop, as people do."""
_MIN_TOKENS: Final = 2
_MAX_TOKENS: Final = 32
_MARKS: Final = ".,;:!?…\"'"


def is_looping(tokens: Sequence[int]) -> bool:
    """Return whether the last tokens are one sequence, repeated hopelessly often."""
    for length in range(_MIN_TOKENS, min(_MAX_TOKENS, len(tokens) // HOPELESS_REPEATS) + 1):
        phrase = tokens[-length:]
        if all(
            tokens[-length * times : -length * (times - 1)] == phrase
            for times in range(2, HOPELESS_REPEATS + 1)
        ):
            return True
    return False


def without_loop(words: Sequence[Word]) -> list[Word]:
    """Return the words; where they end in a phrase of two words or more, three times or more, they keep one.

    It is for text that the model did not end: what it ended may be what was said ("bye bye, bye bye, bye bye").
    A part of the phrase after the last whole repetition goes as well. Phrases that are followed by other words stay.
    """
    said = [word.text.casefold().strip(_MARKS) for word in words]
    for length in range(2, min(MAX_PHRASE_WORDS, len(said) // MIN_REPEATS) + 1):
        same = 0
        while same + length < len(said) and said[-1 - same] == said[-1 - same - length]:
            same += 1
        if same + length >= MIN_REPEATS * length:
            return list(words[: len(words) - same])
    return list(words)

"""Whether a text is the English that was spoken, or English that was made up from another language.

A model of one language writes fluent words for any speech, but with low probabilities: of 65 recordings the 55 in
English, far-field meetings included, had a mean of 0.71 or more, and the ten in other languages 0.63 or less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from speakr.domain.transcript import Word

MIN_MEAN_PROBABILITY: Final = 0.65
MIN_MEAN_PROBABILITY_OF_FEW: Final = 0.5
"""Of one or two words, whose mean says little: an English "okay" may have as low a one."""
_FEW: Final = 2


def is_english(words: Sequence[Word]) -> bool:
    """Return whether words that were recognised as English were spoken in English; True if there are none."""
    if not words:
        return True
    mean = sum(word.probability or 0.0 for word in words) / len(words)
    return mean >= (MIN_MEAN_PROBABILITY if len(words) > _FEW else MIN_MEAN_PROBABILITY_OF_FEW)

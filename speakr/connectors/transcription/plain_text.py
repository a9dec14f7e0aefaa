"""Write bare lower-case tokens as readable English: capitals, commas, full stops, question marks.

The embedded recogniser knows neither case nor punctuation. Pauses stand in for punctuation: in read
speech nearly every sentence end has an audible gap, and words inside a sentence have almost none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speakr.domain.transcript import Word

SENTENCE_PAUSE_SECONDS = 0.5
COMMA_PAUSE_SECONDS = 0.25

_QUESTION_OPENERS = frozenset(
    "who what when where why how do does is are can could will would did".split()  # noqa: SIM905 - reads as a sentence
)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january",
    "february",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_ALWAYS_CAPITAL = frozenset(_DAYS + _MONTHS + ("i", "mr", "mrs", "ms", "dr"))
_SOMETIMES_MONTHS = frozenset({"march", "may"})
_BEFORE_A_MONTH = frozenset({"in", "of", "since", "until", "till", "last", "next", "early", "late", "mid"})


def write_text(words: Sequence[Word], spelling: Mapping[str, str] | None = None) -> str:
    """Return the words as sentences; the last one always ends.

    spelling: lower-case word -> spelling, from the user's hotwords.
    """
    sentences: list[str] = []
    sentence: list[str] = []
    for position, word in enumerate(words):
        sentence.append((spelling or {}).get(word.text) or _capitalize(words, position))
        is_last = position == len(words) - 1
        pause = 0.0 if is_last else words[position + 1].start - word.end
        if is_last or pause >= SENTENCE_PAUSE_SECONDS:
            sentences.append(_finish(sentence))
            sentence = []
        elif pause >= COMMA_PAUSE_SECONDS:
            sentence[-1] += ","
    return " ".join(sentences)


def _capitalize(words: Sequence[Word], position: int) -> str:
    token = words[position].text
    stem = token.split("'")[0]
    follows_month_opener = position > 0 and words[position - 1].text in _BEFORE_A_MONTH
    if stem in _ALWAYS_CAPITAL or (stem in _SOMETIMES_MONTHS and follows_month_opener):
        return token.capitalize()
    return token


def _finish(sentence: Sequence[str]) -> str:
    """Close one sentence: capital letter in front, full stop or question mark behind."""
    text = " ".join(sentence)
    is_question = sentence[0].rstrip(",").lower() in _QUESTION_OPENERS
    end = "?" if is_question else "."
    if text.endswith("."):  # abbreviations such as «p.m.» bring their own
        text = text if end == "." else text + end
    else:
        text += end
    return text[0].upper() + text[1:]

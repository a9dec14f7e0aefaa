"""Find implausible stretches of a transcript, whichever engine wrote it.

Generative engines fail in a few known ways: they repeat themselves, write text over silence, write more words than
a person can say, or switch to another language. No reference is needed to detect this. (The same
signs are behind the temperature fallback of Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak
Supervision", section 4.5.)
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from speakr.domain.transcript import Segment, Span

MAX_LOOPED_PHRASE_LENGTH = 8
"""In words."""
MAX_WORD_REPEATS = 5
"""Repetitions that count as a loop: people say “no, no, no, no”, but not six times."""
MAX_PHRASE_REPEATS = 3
MAX_WORDS_PER_SECOND = 8.0
"""The fastest speakers reach about 6 over a sentence."""
MAX_LETTERS_PER_SECOND = 40.0
MIN_WORDS_TO_RATE = 6
MIN_WORDS_PER_SECOND = 0.15
MIN_SLOW_SECONDS = 20.0
MIN_SPEECH_SHARE = 0.2
MIN_SILENT_SECONDS = 0.3
MIN_SCRIPT_LETTERS = 8
MIN_LANGUAGE_WORDS = 6
MIN_LANGUAGE_SHARE = 0.34
"""Share of function words in a sentence of any European language."""

_GRAMMAR = {
    "en": "the of and to in is it that you we for on with this are be have not what do they was at from but so if",
    "de": "der die das und ist nicht ich wir sie es ein eine zu mit auf für den dem von im auch noch wie aber oder wenn",
    "fr": "le la les et est pas je nous vous il un une de du des que qui dans pour avec sur ce mais ou si au",
    "es": "el los las y es no yo que en un una de del por para con se lo su como pero más si está al",
    "it": "il lo gli e è non io che in un una di del per con si su come ma più se sono al della",
}
_WORDS_OF = {language: frozenset(words.split()) for language, words in _GRAMMAR.items()}


class Fault(StrEnum):
    """Faults of a segment."""

    LOOP = "loop"
    TEXT_OVER_SILENCE = "text_over_silence"
    IMPOSSIBLE_RATE = "impossible_rate"
    OTHER_LANGUAGE = "other_language"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A segment, by its position, and its fault."""

    at: int
    span: Span
    fault: Fault


def find_doubts(
    segments: Sequence[Segment], speech: Sequence[Span], *, times_estimated: bool = False
) -> list[Doubt]:
    """Return the faults in order, at most one per segment.

    speech: spans of detected speech, in seconds. With estimated times no span is compared.
    """
    script, language = _usual_script(segments), _usual_language(segments)
    looped = _looped_segments(segments)
    doubts = []
    for at, segment in enumerate(segments):
        fault = None
        if at in looped or _has_loop(_words(segment.text)):
            fault = Fault.LOOP
        elif not times_estimated and _is_over_silence(segment, speech):
            fault = Fault.TEXT_OVER_SILENCE
        elif not times_estimated and _is_impossibly_fast_or_slow(segment):
            fault = Fault.IMPOSSIBLE_RATE
        elif _is_foreign(segment.text, script, language):
            fault = Fault.OTHER_LANGUAGE
        if fault is not None:
            doubts.append(Doubt(at, Span(segment.start, segment.end), fault))
    return doubts


def words_per_minute(segment: Segment) -> float | None:
    """Return the words per minute of a segment; None if it is too short."""
    seconds = segment.end - segment.start
    words = len(segment.text.split())
    return round(60.0 * words / seconds, 1) if seconds > 0 and words else None


def _words(text: str) -> list[str]:
    return [word.strip(".,;:!?…\"'()").casefold() for word in text.split()]


def _has_loop(words: Sequence[str]) -> bool:
    """Return True if a run of words repeats too often."""
    for length in range(1, MAX_LOOPED_PHRASE_LENGTH + 1):
        most = MAX_WORD_REPEATS if length == 1 else MAX_PHRASE_REPEATS
        same = 0
        for at in range(length, len(words)):
            same = same + 1 if words[at] == words[at - length] else 0
            if same >= length * most:
                return True
    return False


def _looped_segments(segments: Sequence[Segment]) -> set[int]:
    """Return runs of segments with the same text that are too long."""
    looped: set[int] = set()
    texts = [_words(segment.text) for segment in segments]
    first = 0
    for at in range(1, len(texts) + 1):
        if at < len(texts) and texts[at] == texts[first] and texts[at]:
            continue
        if at - first > (MAX_PHRASE_REPEATS if len(texts[first]) > 1 else MAX_WORD_REPEATS):
            looped.update(range(first, at))
        first = at
    return looped


def _is_over_silence(segment: Segment, speech: Sequence[Span]) -> bool:
    seconds = segment.end - segment.start
    if seconds < MIN_SILENT_SECONDS or not segment.text.strip():
        return False
    speech_seconds = sum(
        max(0.0, min(segment.end, span.end) - max(segment.start, span.start)) for span in speech
    )
    return speech_seconds < MIN_SPEECH_SHARE * seconds


def _is_impossibly_fast_or_slow(segment: Segment) -> bool:
    seconds = segment.end - segment.start
    words = segment.text.split()
    if len(words) >= MIN_WORDS_TO_RATE and len(words) > MAX_WORDS_PER_SECOND * seconds:
        return True
    if len(segment.text) > MAX_LETTERS_PER_SECOND * max(seconds, 1.0):
        return True
    is_spaced = _script(segment.text) not in {"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER"}
    return is_spaced and seconds >= MIN_SLOW_SECONDS and len(words) < MIN_WORDS_PER_SECOND * seconds


def _is_foreign(text: str, usual_script: str | None, usual_language: str | None) -> bool:
    script = _script(text)
    if usual_script and script and script != usual_script and not {script, usual_script} <= _JAPANESE:
        return True
    language = _language(_words(text))
    return language is not None and usual_language is not None and language != usual_language


_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})


def _script(text: str) -> str | None:
    """Return the script of most letters in a text, if there are enough."""
    letters = Counter(unicodedata.name(letter, "?").partition(" ")[0] for letter in text if letter.isalpha())
    script, count = letters.most_common(1)[0] if letters else ("", 0)
    return script if count >= MIN_SCRIPT_LETTERS and count * 2 > letters.total() else None


def _language(words: Sequence[str]) -> str | None:
    """Return the language of a sentence by its function words, if it is clear."""
    if len(words) < MIN_LANGUAGE_WORDS:
        return None
    hits = {language: sum(word in known for word in words) for language, known in _WORDS_OF.items()}
    best, second = sorted(hits, key=lambda language: -hits[language])[:2]
    is_clear = hits[best] >= MIN_LANGUAGE_SHARE * len(words) and hits[best] >= 2 * hits[second] + 1
    return best if is_clear else None


def _usual_script(segments: Sequence[Segment]) -> str | None:
    return _majority(_script(segment.text) for segment in segments)


def _usual_language(segments: Sequence[Segment]) -> str | None:
    return _majority(_language(_words(segment.text)) for segment in segments)


def _majority(found: Iterable[str | None]) -> str | None:
    """Return the value of more than two thirds of at least three cases."""
    counts = Counter(each for each in found if each is not None)
    if counts.total() < 3:  # noqa: PLR2004 - fewer have no majority worth the name
        return None
    best, count = counts.most_common(1)[0]
    return best if count * 3 > counts.total() * 2 else None

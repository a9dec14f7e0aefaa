"""Read what OpenAI-compatible transcription servers answer, from the richest form to a bare text.

Servers differ: words beside the segments or inside them, with or without probabilities, language as a name
or a code, speakers or none, sometimes only `{"text": ...}`. Whatever is missing is left open or, for times,
estimated and said to be so. Times in an answer count from the start of the chunk.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.words import mean_probability, overlap, spread_words
from speakr.domain.languages import code_of
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Hypothesis, Segment, Span, Word

MAX_SEGMENT_WORDS = 60
PAUSE_BETWEEN_SEGMENTS_SECONDS = 1.0
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - the full-width ones end Chinese and Japanese sentences
_WORD_TEXT_NAMES = ("word", "text")
_WORD_PROBABILITY_NAMES = ("probability", "score", "confidence")


@dataclass(frozen=True, slots=True)
class _Window:
    """The chunk's place in the recording, in seconds."""

    start: float
    end: float

    def place(self, seconds: object) -> float | None:
        """Shift a time of the answer into the recording and keep it inside the chunk; None if it is none."""
        number = _number(seconds)
        return None if number is None else min(max(self.start + number, self.start), self.end)


def read_answer(
    answer: Mapping[str, Any], chunk: AudioChunk, wanted_language: str | None
) -> Hypothesis | None:
    """Return the hypothesis an answer holds; None when it has neither segments nor a text."""
    text, listed = answer.get("text"), answer.get("segments")
    if not isinstance(text, str) and not isinstance(listed, list):
        return None
    window = _Window(chunk.start, chunk.start + chunk.samples.size / SAMPLE_RATE)
    words = _read_words(answer.get("words"), window)
    segments = _read_segments(listed, words, window)
    estimated = False
    if segments:
        estimated = not all(segment.words for segment in segments)
        segments = [_with_words(segment, chunk.spans) for segment in segments]
    else:
        tokens = (text if isinstance(text, str) else _joined_text(listed)).split()
        if len(words) == len(tokens):  # the words come without punctuation, the text has it
            words = [replace(word, text=token) for word, token in zip(words, tokens, strict=True)]
        elif not words:
            words = spread_words(tokens, overlap(chunk.spans, window.start, window.end))
            estimated = bool(words)
        # A pause inside a sentence is only real when the times are.
        segments = _sentences(words, math.inf if estimated else PAUSE_BETWEEN_SEGMENTS_SECONDS)
    return Hypothesis(
        segments=tuple(segments), language=_language(answer) or wanted_language, times_estimated=estimated
    )


def _read_segments(listed: object, words: Sequence[Word], window: _Window) -> list[Segment]:
    """Return the listed segments in order, with their words; none at all when one of them has no times."""
    found: list[tuple[Segment, str]] = []
    for entry in _objects(listed):
        text = str(entry.get("text") or "").strip()
        start, end = window.place(entry.get("start")), window.place(entry.get("end"))
        if not text:
            continue
        if start is None or end is None:
            return []
        own_words = _read_words(entry.get("words"), window)
        logprob = _number(entry.get("avg_logprob"))
        segment = Segment(
            start=start,
            end=max(start, end),
            text=text,
            confidence=None if logprob is None else min(1.0, math.exp(min(logprob, 0.0))),
            words=tuple(own_words),
        )
        found.append((segment, str(entry.get("speaker") or "")))
    found.sort(key=lambda pair: (pair[0].start, pair[0].end))
    segments = _label([segment for segment, _ in found], [speaker for _, speaker in found])
    return segments if any(segment.words for segment in segments) else _share_out(words, segments)


def _label(segments: Sequence[Segment], speakers: Sequence[str]) -> list[Segment]:
    """Replace the provider's speakers by our labels, in order of first appearance."""
    labels: dict[str, str] = {}
    for speaker in speakers:
        labels.setdefault(speaker, f"SPEAKER_{len(labels):02d}")
    if set(labels) <= {""}:
        return [replace(segment, speaker=DEFAULT_SPEAKER_LABEL) for segment in segments]
    return [
        replace(segment, speaker=labels[speaker]) for segment, speaker in zip(segments, speakers, strict=True)
    ]


def _share_out(words: Iterable[Word], segments: Sequence[Segment]) -> list[Segment]:
    """Give each word to the last segment that has begun by the word's middle."""
    if not segments:
        return []
    starts = [segment.start for segment in segments]
    shares: list[list[Word]] = [[] for _ in segments]
    for word in words:
        home = max(0, bisect_right(starts, (word.start + word.end) / 2) - 1)
        shares[home].append(word)
    return [replace(segment, words=tuple(share)) for segment, share in zip(segments, shares, strict=True)]


def _with_words(segment: Segment, spans: Sequence[Span]) -> Segment:
    """Fit a segment's words into it, or estimate them from its text; then its confidence, if still open."""
    if segment.words:
        words = [
            replace(
                word,
                start=min(max(word.start, segment.start), segment.end),
                end=min(max(word.end, segment.start), segment.end),
            )
            for word in segment.words
        ]
    else:
        words = spread_words(segment.text.split(), overlap(spans, segment.start, segment.end))
    confidence = mean_probability(words) if segment.confidence is None else segment.confidence
    return replace(segment, words=tuple(words), confidence=confidence)


def _sentences(words: Sequence[Word], pause_seconds: float) -> list[Segment]:
    """Make segments out of words: a new one after a sentence end, such a pause, or very many words."""
    groups: list[list[Word]] = []
    for word in words:
        last = groups[-1] if groups else []
        if (
            not last
            or last[-1].text.endswith(_SENTENCE_ENDS)
            or word.start - last[-1].end >= pause_seconds
            or len(last) >= MAX_SEGMENT_WORDS
        ):
            groups.append([word])
        else:
            last.append(word)
    return [
        Segment(
            start=group[0].start,
            end=max(word.end for word in group),
            text=" ".join(word.text for word in group),
            confidence=mean_probability(group),
            words=tuple(group),
        )
        for group in groups
    ]


def _read_words(listed: object, window: _Window) -> list[Word]:
    """Return the words that have a text and times, in order; an aligner may leave some without times."""
    words = []
    for entry in _objects(listed):
        text = next((str(entry[name]).strip() for name in _WORD_TEXT_NAMES if entry.get(name)), "")
        start, end = window.place(entry.get("start")), window.place(entry.get("end"))
        if not text or start is None or end is None:
            continue
        known = (_number(entry.get(name)) for name in _WORD_PROBABILITY_NAMES)
        probability = next((min(max(number, 0.0), 1.0) for number in known if number is not None), None)
        words.append(Word(text=text, start=start, end=max(start, end), probability=probability))
    return sorted(words, key=lambda word: (word.start, word.end))


def _objects(listed: object) -> list[Mapping[str, Any]]:
    return [entry for entry in listed if isinstance(entry, Mapping)] if isinstance(listed, list) else []


def _joined_text(listed: object) -> str:
    return " ".join(str(entry.get("text") or "") for entry in _objects(listed))


def _number(value: object) -> float | None:
    """Return a finite JSON number, None for anything else (NaN and Infinity pass Python's JSON reader)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _language(answer: Mapping[str, Any]) -> str | None:
    """Read `language`, or the first of `languages` (a list of objects with a code)."""
    detected = _objects(answer.get("languages"))
    return code_of(answer.get("language")) or (code_of(detected[0].get("code")) if detected else None)

"""Read what OpenAI-compatible transcription servers answer, from the richest form to a bare text.

Servers differ: words beside the segments or inside them, with or without probabilities, language as a name
or a code, speakers or none, segments as objects or as arrays, sometimes only `{"text": ...}`. Whatever is missing is left
open or, for times, estimated and said to be so (`answer_times.py`). Times in an answer count from the start of the chunk.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from speakr.connectors.transcription.answer_speakers import Spoken, SpokenWord, label, speaker_name, steady
from speakr.connectors.transcription.answer_times import Timed, Window, fill, number_in
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.connectors.transcription.words import mean_probability, overlap, spread_words
from speakr.domain.languages import code_of
from speakr.domain.transcript import Hypothesis, Segment, Span, Word

MAX_SEGMENT_WORDS = 60
PAUSE_BETWEEN_SEGMENTS_SECONDS = 1.0
MAX_ESTIMATED_SHARE = 0.5
"""Of words without times: aligners leave out numbers. With more, the times of the chunk count as estimated."""
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - the full-width ones end Chinese and Japanese sentences
_WORD_TEXT_NAMES = ("word", "text")
_WORD_PROBABILITY_NAMES = ("probability", "score", "confidence")


def read_answer(
    answer: Mapping[str, Any], chunk: AudioChunk, wanted_language: str | None
) -> Hypothesis | None:
    """Return the hypothesis an answer holds; None when it has neither segments nor a text."""
    text, listed = answer.get("text"), answer.get("segments")
    if not isinstance(text, str) and not isinstance(listed, list):
        return None
    reader = _Reader(answer, chunk)
    segments = reader.segments()
    if not segments:
        segments = reader.sentences(text if isinstance(text, str) else "")
    return Hypothesis(
        segments=tuple(segments),
        language=_language(answer) or wanted_language,
        times_estimated=reader.is_estimated,
        language_probability=_language_probability(answer),
    )


class _Reader:
    """Reads one answer; `is_estimated` says afterwards whether its times are."""

    def __init__(self, answer: Mapping[str, Any], chunk: AudioChunk) -> None:
        self._spans = chunk.spans
        self._entries = [each for each in map(_entry, _listed(answer.get("segments"))) if each["text"]]
        words = _objects(answer.get("words"))
        window = Window(chunk.start, chunk.start + chunk.samples.size / SAMPLE_RATE)
        times = (
            entry.get(name)
            for entry in (*self._entries, *words, *(word for each in self._entries for word in each["words"]))
            for name in ("start", "end")
        )
        word_count = max(len(words), sum(len(each["text"].split()) for each in self._entries))
        self._window = window.in_units_of(times, word_count)
        self._whole = Span(window.start, window.end)
        self.is_estimated = False
        self._words = self._read_words(words, self._whole)

    def segments(self) -> list[Segment]:
        """Return the listed segments in order, with their words."""
        timed = [
            Timed(each["text"], *self._window.place_both(each.get("start"), each.get("end")))
            for each in self._entries
        ]
        if not any(entry.is_complete for entry in timed) and self._words:
            return []  # the words have times, and sentences can be made of them
        own = [self._own_words(each, entry) for each, entry in zip(self._entries, timed, strict=True)]
        timed = [_spanned(entry, words) for entry, words in zip(timed, own, strict=True)]
        places = fill(timed, self._whole, self._spans)
        self.is_estimated |= not all(entry.is_complete for entry in timed)
        spoken = [
            Spoken(
                Segment(place.start, place.end, each["text"], confidence=_confidence(each), words=words),
                each["speaker"],
                tuple(word.speaker for word in own_words),
            )
            for each, place, own_words in zip(self._entries, places, own, strict=True)
            for words in [tuple(word.word for word in own_words)]
        ]
        spoken.sort(key=lambda each: (each.segment.start, each.segment.end))
        if not any(each.segment.words for each in spoken):
            spoken = _share_out(self._words, spoken)
        self.is_estimated |= not all(each.segment.words for each in spoken)
        return [_with_words(segment, self._spans) for segment in label(spoken)]

    def sentences(self, text: str) -> list[Segment]:
        """Return segments made of the words, or of a text alone."""
        tokens = (text or " ".join(each["text"] for each in self._entries)).split()
        words = self._words
        if len(words) == len(tokens):  # the words come without punctuation, the text has it
            words = [
                replace(each, word=replace(each.word, text=token))
                for each, token in zip(words, tokens, strict=True)
            ]
        elif not words:
            spread = spread_words(tokens, overlap(self._spans, self._whole.start, self._whole.end))
            words = [SpokenWord(word) for word in spread]
            self.is_estimated |= bool(words)
        # A pause inside a sentence is only real when the times are.
        return _sentences(words, math.inf if self.is_estimated else PAUSE_BETWEEN_SEGMENTS_SECONDS)

    def _own_words(self, entry: Mapping[str, Any], timed: Timed) -> list[SpokenWord]:
        start = self._whole.start if timed.start is None else timed.start
        end = self._whole.end if timed.end is None else timed.end
        return self._read_words(entry["words"], Span(start, max(start, end)))

    def _read_words(self, listed: Sequence[Mapping[str, Any]], place: Span) -> list[SpokenWord]:
        """Return the words in order; those without times are put between their neighbours. None if no word has any."""
        timed, kept = [], []
        for entry in listed:
            text = next((str(entry[name]).strip() for name in _WORD_TEXT_NAMES if entry.get(name)), "")
            if not text:
                continue
            kept.append(entry)
            start, end = self._window.place(entry.get("start")), self._window.place(entry.get("end"))
            if start is None or end is None:
                timed.append(Timed(text, None, None))
            else:
                timed.append(Timed(text, start, max(start, end)))
        known = sum(entry.is_complete for entry in timed)
        if not known:
            return []
        self.is_estimated |= len(timed) - known > MAX_ESTIMATED_SHARE * len(timed)
        places = fill(timed, place, ())
        words = [
            SpokenWord(
                Word(entry.text, where.start, where.end, _probability(each)),
                speaker_name(each.get("speaker")),
            )
            for entry, where, each in zip(timed, places, kept, strict=True)
        ]
        return sorted(words, key=lambda each: (each.word.start, each.word.end))


def _spanned(entry: Timed, words: Sequence[SpokenWord]) -> Timed:
    """Return a segment whose missing times are those of its words."""
    if entry.is_complete or not words:
        return entry
    return Timed(entry.text, words[0].word.start, max(each.word.end for each in words))


def _share_out(words: Iterable[SpokenWord], spoken: Sequence[Spoken]) -> list[Spoken]:
    """Give each word to the last segment that has begun by the word's middle."""
    if not spoken:
        return []
    starts = [each.segment.start for each in spoken]
    shares: list[list[SpokenWord]] = [[] for _ in spoken]
    for each in words:
        home = max(0, bisect_right(starts, (each.word.start + each.word.end) / 2) - 1)
        shares[home].append(each)
    return [
        replace(
            each,
            segment=replace(each.segment, words=tuple(word.word for word in share)),
            word_speakers=tuple(word.speaker for word in share),
        )
        for each, share in zip(spoken, shares, strict=True)
    ]


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


def _sentences(spoken: Sequence[SpokenWord], pause_seconds: float) -> list[Segment]:
    """Make segments out of words: a new one after a sentence end, such a pause, another speaker, or very many words."""
    words = [each.word for each in spoken]
    speakers = steady(words, [each.speaker for each in spoken])
    groups: list[list[int]] = []
    for at, word in enumerate(words):
        last = words[at - 1] if groups else None
        if (
            last is None
            or last.text.endswith(_SENTENCE_ENDS)
            or word.start - last.end >= pause_seconds
            or len(groups[-1]) >= MAX_SEGMENT_WORDS
            or speakers[at] != speakers[at - 1]
        ):
            groups.append([at])
        else:
            groups[-1].append(at)
    return label([Spoken(_joined(words[group[0] : group[-1] + 1]), speakers[group[0]]) for group in groups])


def _joined(words: Sequence[Word]) -> Segment:
    return Segment(
        start=words[0].start,
        end=max(word.end for word in words),
        text=" ".join(word.text for word in words),
        confidence=mean_probability(words),
        words=tuple(words),
    )


def _entry(listed: Any) -> dict[str, Any]:
    """Return a segment as an object with `text`, `words` and `speaker`, also if it is an array."""
    if isinstance(listed, list):
        listed = _from_array(listed)
    if not isinstance(listed, Mapping):
        return {"text": "", "words": [], "speaker": ""}
    text = listed.get("text")
    return {
        **listed,
        "text": text.strip() if isinstance(text, str) else str(text or "").strip(),
        "words": [word for word in map(_word_entry, _listed(listed.get("words"))) if word],
        "speaker": speaker_name(listed.get("speaker")),
    }


def _from_array(listed: list[Any]) -> dict[str, Any]:
    """Read `[id, seek, start, end, text, ..., words]`, as older servers with faster-whisper write segments."""
    at = next((index for index, value in enumerate(listed) if isinstance(value, str)), None)
    if at is None:
        return {}
    start, end = (listed[at - 2], listed[at - 1]) if at > 1 else (None, None)
    lists = (value for value in listed[at + 1 :] if isinstance(value, list))
    words = next((value for value in lists if any(isinstance(each, list | Mapping) for each in value)), [])
    return {"text": listed[at], "start": start, "end": end, "words": words}


def _word_entry(listed: Any) -> Mapping[str, Any]:
    """Return a word as an object, also if it is `[start, end, word, probability]`."""
    if isinstance(listed, Mapping):
        return listed
    if not isinstance(listed, list):
        return {}
    names = ("start", "end", "word", "probability")
    return dict(zip(names, itertools.chain(listed, itertools.repeat(None)), strict=False))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [word for word in map(_word_entry, _listed(value)) if word]


def _confidence(entry: Mapping[str, Any]) -> float | None:
    logprob = number_in(entry.get("avg_logprob"))
    return None if logprob is None else min(1.0, math.exp(min(logprob, 0.0)))


def _probability(entry: Mapping[str, Any]) -> float | None:
    known = (number_in(entry.get(name)) for name in _WORD_PROBABILITY_NAMES)
    return next((min(max(number, 0.0), 1.0) for number in known if number is not None), None)


def _language_probability(answer: Mapping[str, Any]) -> float | None:
    known = (number_in(answer.get(name)) for name in ("language_probability", "language_confidence"))
    return next((number for number in known if number is not None and 0.0 <= number <= 1.0), None)


def _language(answer: Mapping[str, Any]) -> str | None:
    """Read `language`, or the first of `languages` (a list of objects with a code)."""
    detected = _objects(answer.get("languages"))
    return code_of(answer.get("language")) or (code_of(detected[0].get("code")) if detected else None)

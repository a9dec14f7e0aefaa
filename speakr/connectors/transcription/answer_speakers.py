"""Speakers in the answers of engines: of segments, of words, or of some of both.

The rules: a segment is split where its words change speaker, but not for one short word amid those of another, because
engines flicker. A segment or word without a speaker has the one before, the first one the next. No person is invented.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Segment, Word, numbered_label

MIN_TURN_SECONDS: Final = 0.3
"""One word that is shorter than this is no turn if the words around it have one other speaker."""
_UNKNOWN: Final = frozenset({"", "unknown", "none", "null", "speaker_unknown", "?"})


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, and its speaker by the engine's name; empty if the engine does not say."""

    word: Word
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A segment, and its speaker by the engine's name; `word_speakers` has one for each word, or is empty."""

    segment: Segment
    speaker: str = ""
    word_speakers: Sequence[str] = ()


def speaker_name(value: object) -> str:
    """Return a speaker as text: engines number them or name them."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    name = str(value).strip()
    return "" if name.casefold() in _UNKNOWN else name


def label(spoken: Sequence[Spoken]) -> list[Segment]:
    """Return the segments with our labels, numbered by first appearance, split where the words change speaker."""
    parts = [part for each in spoken for part in _split(each)]
    speakers = carried_on([speaker for _, speaker in parts])
    labels: dict[str, str] = {}
    for speaker in speakers:
        labels.setdefault(speaker, numbered_label(len(labels)))
    if set(labels) <= {""}:
        labels = {"": DEFAULT_SPEAKER_LABEL}
    return [replace(part, speaker=labels[name]) for (part, _), name in zip(parts, speakers, strict=True)]


def carried_on(speakers: Sequence[str]) -> list[str]:
    """Return the speakers with empty ones replaced by the one before; the first ones by the next."""
    last = next((speaker for speaker in speakers if speaker), "")
    filled = []
    for speaker in speakers:
        last = speaker or last
        filled.append(last)
    return filled


def steady(words: Sequence[Word], speakers: Sequence[str]) -> list[str]:
    """Return the speaker of each word without flickers: one short word amid those of one other speaker."""
    found = carried_on(speakers)
    for at in range(1, len(found) - 1):
        is_alone = found[at - 1] == found[at + 1] != found[at]
        if is_alone and words[at].end - words[at].start < MIN_TURN_SECONDS:
            found[at] = found[at - 1]
    return found


def _split(spoken: Spoken) -> list[tuple[Segment, str]]:
    words = spoken.segment.words
    if not any(spoken.word_speakers):
        return [(spoken.segment, spoken.speaker)]
    speakers = steady(words, spoken.word_speakers)
    runs = [list(run) for _, run in itertools.groupby(range(len(words)), key=lambda at: speakers[at])]
    if len(runs) == 1:
        return [(spoken.segment, speakers[0])]
    texts = _texts(spoken.segment.text, words, runs)
    parts = []
    for run, text in zip(runs, texts, strict=True):
        own = tuple(words[run[0] : run[-1] + 1])
        start = spoken.segment.start if run[0] == 0 else own[0].start
        end = spoken.segment.end if run[-1] == len(words) - 1 else max(word.end for word in own)
        part = replace(spoken.segment, start=start, end=max(start, end), text=text, words=own)
        parts.append((part, speakers[run[0]]))
    return parts


def _texts(text: str, words: Sequence[Word], runs: Sequence[Sequence[int]]) -> list[str]:
    """Cut a text at the first word of each run; if the words are not in it, join them instead."""
    starts, cursor = [], 0
    for word in words:
        found = text.find(word.text, cursor)
        if found < 0:
            return [" ".join(words[at].text for at in run) for run in runs]
        starts.append(found)
        cursor = found + len(word.text)
    cuts = [0, *(starts[run[0]] for run in runs[1:]), len(text)]
    return [text[first:last].strip() for first, last in itertools.pairwise(cuts)]

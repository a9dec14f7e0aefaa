"""Join the speakers of chunks: an engine that gets each chunk alone numbers people separately in each.

Similar voices in two chunks are one person. Two speakers of one chunk never are, because the engine separated them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from speakr.domain.transcript import Segment, numbered_label
from speakr.media.voices.diarization import DetectedVoice
from speakr.media.voices.vectors import normalised
from speakr.media.voices.windows import Windows

SAME_VOICE_COSINE: Final = 0.5
"""Minimum cosine between the means of one voice in two chunks. Means are nearer to each other than single vectors."""


def join(
    chunks: Sequence[Sequence[Segment]], windows: Sequence[Windows]
) -> tuple[list[Segment], Mapping[str, DetectedVoice]]:
    """Return all segments with labels that hold in the whole recording, and how these speakers sound."""
    segments: list[Segment] = []
    voices: dict[str, DetectedVoice] = {}
    count = 0
    for chunk, in_chunk in zip(chunks, windows, strict=True):
        found = {label: _voice(chunk, label, in_chunk) for label in dict.fromkeys(s.speaker for s in chunk)}
        labels = _same(found, voices)
        for label, voice in found.items():
            if label not in labels:
                labels[label] = numbered_label(count)
                count += 1
            if voice is not None:
                voices[labels[label]] = _together(voices.get(labels[label]), voice)
        segments += [replace(segment, speaker=labels[segment.speaker]) for segment in chunk]
    return segments, voices


def _voice(chunk: Sequence[Segment], label: str, in_chunk: Windows) -> DetectedVoice | None:
    """Return how a speaker of one chunk sounds, by the windows whose middles are theirs."""
    middles = in_chunk.middles
    theirs = np.zeros(len(in_chunk), bool)
    for segment in chunk:
        if segment.speaker == label:
            theirs |= (segment.start <= middles) & (middles < segment.end)
    if not theirs.any():
        return None
    seconds = in_chunk.seconds[theirs]
    mean = normalised((in_chunk.vectors[theirs] * seconds[:, None]).sum(axis=0))
    return DetectedVoice(mean, round(float(seconds.sum()), 3))


def _same(found: Mapping[str, DetectedVoice | None], known: Mapping[str, DetectedVoice]) -> dict[str, str]:
    """Pair the speakers of a chunk with those of earlier ones, most similar first, each at most once."""
    pairs = [
        (float(voice.vector @ other.vector), label, name)
        for label, voice in found.items()
        if voice is not None
        for name, other in known.items()
    ]
    labels: dict[str, str] = {}
    for similarity, label, name in sorted(pairs, key=lambda pair: -pair[0]):
        if similarity >= SAME_VOICE_COSINE and label not in labels and name not in labels.values():
            labels[label] = name
    return labels


def _together(one: DetectedVoice | None, other: DetectedVoice) -> DetectedVoice:
    if one is None:
        return other
    mean = normalised(one.vector * np.float32(one.seconds) + other.vector * np.float32(other.seconds))
    return DetectedVoice(mean, round(one.seconds + other.seconds, 3))

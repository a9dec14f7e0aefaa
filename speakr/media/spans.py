"""Turn probabilities of speech into spans of speech.

The thresholds were measured: short silences and small margins cost the fewest words, since an engine that decodes
one utterance at a time makes most errors on joined utterances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from speakr.domain.transcript import Span

FRAME_SECONDS: Final = 0.032

SPEECH_BEGINS: Final = 0.5
SPEECH_GOES_ON: Final = 0.35
"""Hysteresis: the threshold to continue speech is lower than the one to start it."""

MIN_SILENCE_SECONDS: Final = 0.3
MIN_SPEECH_SECONDS: Final = 0.1
MARGIN_SECONDS: Final = 0.1
MAX_SPAN_SECONDS: Final = 20.0
MIN_PART_SECONDS: Final = 5.0
"""A long span is not cut closer than this to its ends."""

Probabilities = npt.NDArray[np.float32]


def spans_of_speech(probabilities: Probabilities, duration: float) -> list[Span]:
    """Return the spans of speech, padded by a margin, none longer than 20 s.

    probabilities: one for each 32 ms, shape (n,); duration: the length of the audio in seconds.
    """
    runs = [run for run in _runs(probabilities) if (run[1] - run[0]) * FRAME_SECONDS >= MIN_SPEECH_SECONDS]
    spans: list[Span] = []
    for padded in _padded(runs, duration):
        spans.extend(_split(padded, probabilities))
    return spans


def _runs(probabilities: Probabilities) -> Iterator[tuple[int, int]]:
    """Yield [first, end) of frames of each run of speech that is ended by enough silence."""
    silence_frames = MIN_SILENCE_SECONDS / FRAME_SECONDS
    first: int | None = None
    end = 0
    for frame, probability in enumerate(probabilities.tolist()):
        if probability >= (SPEECH_BEGINS if first is None else SPEECH_GOES_ON):
            first = frame if first is None else first
            end = frame + 1
        elif first is not None and frame + 1 - end >= silence_frames:
            yield first, end
            first = None
    if first is not None:
        yield first, end


def _padded(runs: Sequence[tuple[int, int]], duration: float) -> list[Span]:
    """Widen runs by the margin; what touches then is one."""
    spans: list[Span] = []
    for first, end in runs:
        start = max(0.0, first * FRAME_SECONDS - MARGIN_SECONDS)
        stop = min(duration, end * FRAME_SECONDS + MARGIN_SECONDS)
        if spans and start <= spans[-1].end:
            start = spans.pop().start
        spans.append(Span(start, stop))
    return spans


def _split(span: Span, probabilities: Probabilities) -> list[Span]:
    """Cut a long span where speech is least probable, again and again until all parts are short enough."""
    if span.duration <= MAX_SPAN_SECONDS:
        return [span]
    margin = min(MIN_PART_SECONDS, span.duration / 4)
    first = round((span.start + margin) / FRAME_SECONDS)
    last = round((span.end - margin) / FRAME_SECONDS)
    quietest = first + int(np.argmin(probabilities[first:last]))
    middle = (quietest + 0.5) * FRAME_SECONDS
    return _split(Span(span.start, middle), probabilities) + _split(Span(middle, span.end), probabilities)

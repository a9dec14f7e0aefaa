"""Cut the audio of a chunk out of the decoded recording."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.domain.transcript import Span
from speakr.jobs.plan import TranscriptionPlan

if TYPE_CHECKING:
    from speakr.media.speech import Samples


def read_pcm(pcm: Path) -> Samples:
    """Map decoded audio into memory: int16, 16 kHz, shape (n,)."""
    from speakr.media import speech  # noqa: PLC0415

    return speech.read_pcm(pcm)


def source_pcm(pcm: Samples, position: int, plan: TranscriptionPlan) -> Samples:
    """Return the samples of the source from which a chunk is cut."""
    source = plan.source_of(position)
    return pcm if source is None else pcm[source.first_sample : source.first_sample + source.samples]


def cut_out(pcm: Samples, pieces: Sequence[Span], position: int, plan: TranscriptionPlan) -> AudioChunk:
    """Return the audio of a chunk, with a little of its neighbours' where it was cut inside speech.

    pcm: that of its source; pieces: its spans of speech; position: its index among the chunks of the plan.
    """
    first, last = pieces[0], pieces[-1]
    start = max(0.0, first.start - (plan.overlap if position in plan.seams else 0.0))
    end = min(pcm.size / SAMPLE_RATE, last.end + (plan.overlap if position + 1 in plan.seams else 0.0))
    spans = list(pieces)
    spans[0] = Span(start, spans[0].end)
    spans[-1] = Span(spans[-1].start, max(end, last.end))
    return AudioChunk(pcm[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], start, tuple(spans))

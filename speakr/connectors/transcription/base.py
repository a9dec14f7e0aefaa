"""What a transcription engine must offer, and what it may say of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from speakr.domain.transcript import Hints, Hypothesis, Segment, Span

if TYPE_CHECKING:  # the web process describes connectors without ever touching samples
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Every chunk handed to a connector is mono, 16 bit, 16 kHz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an engine honours. The first seven are shown by `GET /api/v1/transcription`."""

    diarization: bool = False
    speaker_count_control: bool = False
    hotwords: bool = False
    initial_prompt: bool = False
    timestamps: bool = False
    language_detection: bool = False
    chunking: bool = True
    """We must cut the audio for it; False means it takes a recording of any length whole."""

    target_chunk_seconds: float
    """How much speech we like to hand over at once."""
    max_chunk_seconds: float
    """The longest audio one request may hold."""
    languages: frozenset[str] | None = None
    """ISO 639-1 codes it can hear; None is any."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of one recording, cut at pauses.

    samples: int16, shape (n,), 16 kHz mono; start: its place in the recording, in seconds;
    spans: where there is speech inside it, in the recording's time.
    """

    samples: npt.NDArray[np.int16]
    start: float
    spans: Sequence[Span]

    def cut(self, span: Span) -> npt.NDArray[np.int16]:
        """Return the samples of one of the spans."""
        first = max(0, round((span.start - self.start) * SAMPLE_RATE))
        return self.samples[first : max(first, round((span.end - self.start) * SAMPLE_RATE))]


OnSegment = Callable[[Segment], None]


class TranscriptionConnector(Protocol):
    """One engine. Made once per work horse; it may load its model on the first chunk.

    `transcribe` must depend on its arguments only, never on chunks heard before: a chunk that is
    heard again after a crash must give the same text.
    """

    name: str
    capabilities: Capabilities
    default_model: str | None
    models: Sequence[str]

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Turn one chunk into segments, telling each as soon as it is known.

        `on_segment` may raise `JobCancelled` or `ClaimLost`; let it through.

        Raises:
            ConnectorRejected: asking again cannot help.
            ConnectorUnavailable: asking again later may help.
        """
        ...

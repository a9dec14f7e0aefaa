"""What a transcription engine must offer, and what it may say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

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
    """Supported ISO 639-1 codes; None means all."""
    translation: bool = False
    """It can write English, whatever is spoken."""
    live_chunk_seconds: float | None = None
    """How much speech to hand over at once while a client waits for the first words, for an engine that reports its
    segments at the end of a chunk; None: `target_chunk_seconds`."""
    overlap_seconds: float = 0.0
    """How much of its neighbour a chunk is given where the cut is inside speech; the seam is repaired later."""


SECTION = "Speech engines"
"""The section of the settings pages in which engines' own settings are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What an engine's class says of it in the documentation (Markdown) and among the settings."""

    description: str
    needs: str
    supports: str
    settings: type | None = None
    """A dataclass of `setting`s that are this engine's alone; `Settings.engine_settings` reads it."""


class ChunkContext:
    """Callbacks of an engine to its caller; this implementation does nothing."""

    note: Mapping[str, Any] | None = None
    """What was kept when this very chunk was last worked on, perhaps by a worker that is dead now."""

    def keep(self, note: Mapping[str, Any] | None) -> None:
        """Keep a note where the next try finds it: the id of work that goes on elsewhere."""
        self.note = note

    def recall(self, name: str) -> str | None:  # noqa: ARG002 - this one has no memory
        """Return what any worker remembered under a name, if it is not forgotten yet."""
        return None

    def remember(self, name: str, value: str, seconds: float) -> None:
        """Remember a short text about the engine for so many seconds, for all workers; it may be forgotten sooner."""

    def heartbeat(self) -> None:
        """Report progress. Raises `JobCancelled` or `ClaimLost` if the engine must stop."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of one recording, cut at pauses.

    samples: int16, shape (n,), 16 kHz mono; start: its place in the recording, in seconds;
    spans: where there is speech inside it, in the recording's time; context: for engines that make one wait.
    """

    samples: npt.NDArray[np.int16]
    start: float
    spans: Sequence[Span]
    context: ChunkContext = field(default_factory=ChunkContext, compare=False, repr=False)

    def cut(self, span: Span) -> npt.NDArray[np.int16]:
        """Return the samples of one of the spans."""
        first = max(0, round((span.start - self.start) * SAMPLE_RATE))
        return self.samples[first : max(first, round((span.end - self.start) * SAMPLE_RATE))]


OnSegment = Callable[[Segment], None]


class TranscriptionConnector(Protocol):
    """One engine. Made once per work horse; it may load its model on the first chunk.

    `transcribe` must depend on its arguments only, never on earlier chunks: a chunk that is transcribed again after a
    crash must give the same text.
    """

    name: str
    capabilities: Capabilities
    default_model: str | None
    models: Sequence[str]

    def capabilities_with(self, model: str | None) -> Capabilities:
        """Return the capabilities with this model; chunk lengths suit every model."""
        ...

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Turn one chunk into segments, telling each as soon as it is known.

        `on_segment` may raise `JobCancelled` or `ClaimLost`; let it through.

        Raises:
            ConnectorRejected: asking again cannot help.
            ConnectorUnavailable: asking again later may help.
            ConnectorBusy: the engine is well and wants us to wait.
            ConnectorTooLarge: a shorter chunk may be taken.
        """
        ...


@runtime_checkable
class HasSpare(Protocol):
    """An engine that falls back on another recogniser where its own cannot be used."""

    def limitation(self) -> str | None:
        """Return in a sentence for users why the spare transcribes; None if it does not. It may read files."""
        ...


@runtime_checkable
class KeepsModels(Protocol):
    """An engine whose models are files here."""

    def model_size_bytes(self, model: str) -> int | None:
        """Return the size of a model in bytes, on disk or at the hub; None if unknown."""
        ...

    def is_downloaded(self, model: str) -> bool:
        """Tell whether a model is here."""
        ...

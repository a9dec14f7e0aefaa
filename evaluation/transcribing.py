"""Transcribe a recording as workers do: find speech, cut it into chunks, transcribe each, assemble the result.

The database, claims and a second engine are left out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from evaluation.recordings import Samples
from speakr.connectors.transcription import make_connector
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.connectors.transcription.whisper_base import WhisperBase
from speakr.domain.transcript import Hints, Segment, Span, Word
from speakr.jobs import assembling, chunk_audio, retry_doubtful, voices
from speakr.jobs.plan import TranscriptionPlan
from speakr.media.base import SAMPLE_RATE
from speakr.media.chunks import plan_chunks, seams
from speakr.media.speech import find_speech
from speakr.media.voices import windows
from speakr.media.voices.networks import load
from speakr.model_files.store import shared_folder
from speakr.services.speech import transcripts
from speakr.settings import Settings
from speakr.speech_settings import CONNECTORS


@dataclass
class Cost:
    """CPU seconds of this process by step, elapsed seconds of the engine, and seconds of audio; they add up."""

    speech: float = 0.0
    words: float = 0.0
    voices: float = 0.0
    waited: float = 0.0
    audio: float = 0.0

    @property
    def real_time_factor(self) -> float:
        """CPU seconds per second of audio."""
        return (self.speech + self.words + self.voices) / self.audio if self.audio else 0.0

    @property
    def words_factor(self) -> float:
        """CPU seconds of the engine per second of audio."""
        return self.words / self.audio if self.audio else 0.0

    def __iadd__(self, other: Cost) -> Self:
        self.speech += other.speech
        self.words += other.words
        self.voices += other.voices
        self.waited += other.waited
        self.audio += other.audio
        return self


@dataclass(frozen=True)
class Transcript:
    """Transcript of one recording, and its cost."""

    segments: Sequence[Segment]
    cost: Cost = field(default_factory=Cost)
    language: str | None = None

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(segment.text for segment in self.segments)

    @property
    def words(self) -> list[Word]:
        """All words with their times."""
        return [word for segment in self.segments for word in segment.words]


def make_engine(name: str) -> TranscriptionConnector:
    """Make an engine. The embedded one needs no settings; the others are as the server's settings have them."""
    if name == "embedded":
        # Swear words are scored unmasked.
        return EmbeddedConnector(masks_profanity=False, other_languages=WhisperBase(shared_folder()))
    return make_connector(replace(Settings.from_env(), transcription_connector=name))


ENGINES = tuple(CONNECTORS)


def transcribe_recording(
    engine: TranscriptionConnector,
    samples: Samples,
    hints: Hints | None = None,
    *,
    separates_voices: bool = False,
) -> Transcript:
    """Transcribe a recording. samples: shape (n,), 16 kHz mono; a memory map is read in parts."""
    began = time.process_time()
    spans = find_speech(samples)
    capable = engine.capabilities
    pieces = plan_chunks(spans, capable.target_chunk_seconds, capable.max_chunk_seconds)
    cost = Cost(speech=time.process_time() - began, audio=len(samples) / SAMPLE_RATE)
    plan = plan_of(pieces, seams(pieces), capable.overlap_seconds, cost.audio)
    return transcribe_pieces(
        engine,
        samples,
        pieces,
        plan,
        hints=hints or Hints(),
        cost=cost,
        separates_voices=separates_voices,
    )


def plan_of(
    pieces: Sequence[Sequence[Span]], seam_positions: Sequence[int], overlap: float, seconds: float
) -> TranscriptionPlan:
    """Return the plan of a job that cut a recording like this; there is no blob, for the samples are in memory."""
    return TranscriptionPlan(
        pcm_key="",
        duration_seconds=seconds,
        chunk_count=len(pieces),
        seams=tuple(seam_positions),
        overlap=overlap,
    )


def transcribe_pieces(
    engine: TranscriptionConnector,
    samples: Samples,
    pieces: Sequence[Sequence[Span]],
    plan: TranscriptionPlan,
    *,
    hints: Hints,
    cost: Cost,
    separates_voices: bool = False,
) -> Transcript:
    """Transcribe a recording that has been cut."""
    step = voices.step_for(cost.audio) if separates_voices else None
    results = []
    for position, spans in enumerate(pieces):
        chunk = chunk_audio.cut_out(samples, spans, position, plan)
        began, began_waiting = time.process_time(), time.monotonic()
        recognized = engine.transcribe(chunk, hints, lambda _: None)
        recognized = retry_doubtful.improve(recognized, chunk, engine, hints, lambda: None)
        cost.words += time.process_time() - began
        cost.waited += time.monotonic() - began_waiting
        began = time.process_time()
        vectors = (
            windows.to_json(
                windows.embed_spans(chunk.samples, chunk.start, spans, step, load(shared_folder()))
            )
            if step
            else None
        )
        cost.voices += time.process_time() - began
        results.append(
            {
                "start": spans[0].start,
                "end": spans[-1].end,
                "segments": [transcripts.to_json(segment) for segment in recognized.segments],
                "language": recognized.language,
                "times_estimated": recognized.times_estimated,
                "is_diarized": engine.capabilities_with(hints.model).diarization,
                "voices": vectors,
            }
        )
    began = time.process_time()
    whole = assembling.assemble(results, plan, hints)
    cost.voices += time.process_time() - began
    return Transcript(whole.segments, cost, whole.language)

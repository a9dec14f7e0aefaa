"""Transcribe one chunk with the first engine that is healthy and accepts it.

A chunk that is too large for an engine is halved. What the first engine cannot transcribe at all goes to the second
one, if there is one. The result names the engine, and the user's options that it does not support.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import structlog

from speakr.backends import get_backends
from speakr.connectors.transcription.base import (
    SAMPLE_RATE,
    AudioChunk,
    ChunkContext,
    TranscriptionConnector,
)
from speakr.connectors.transcription.options import ignored_options
from speakr.domain.errors import (
    ConnectorBusy,
    ConnectorPaused,
    ConnectorRejected,
    ConnectorTooLarge,
    ConnectorUnavailable,
)
from speakr.domain.languages import main_language
from speakr.domain.seams import RecognizedChunk, join
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span
from speakr.jobs import engine_memory, retry_doubtful
from speakr.jobs.engine_health import Health
from speakr.jobs.engine_slots import EngineSlots

logger = structlog.get_logger(__name__)

MIN_PIECE_SECONDS: Final = 10.0
LEEWAY_SECONDS: Final = 10.0
"""Seconds by which a chunk may exceed an engine's maximum: the overlaps at its ends."""
BUSY_SECONDS: Final = 10.0
"""Seconds for which an engine is paused that asks callers to wait and does not say how long."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with its slots and its health."""

    connector: TranscriptionConnector
    slots: EngineSlots
    health: Health

    def named(self, model: str | None) -> str:
        """Return the engine's name as stored with recordings, including the model that transcribes."""
        model = model or self.connector.default_model
        return f"{self.connector.name}:{model}" if model else self.connector.name


@dataclass(frozen=True, slots=True)
class ChunkTranscription:
    """The transcription of a chunk, its engine, the options that the engine ignored, and whether it labels speakers."""

    hypothesis: Hypothesis
    engine: str
    ignored: Sequence[str]
    is_diarized: bool


class ProgressListener(Protocol):
    """Receives each segment as soon as it is known, and knows whether the job is still wanted."""

    def begin(self) -> None:
        """Drop what another engine reported for this chunk: an engine starts on it from the beginning."""
        ...

    def on_segment(self, segment: Segment) -> None:
        """Take one segment."""
        ...

    def heartbeat(self) -> None:
        """Continue, or raise `ClaimLost` or `JobCancelled` when the result is no longer wanted."""
        ...


@dataclass(slots=True)
class Notes:
    """The notes of all engines about one chunk, stored as one."""

    by_name: dict[str, Any]
    write: Callable[[Mapping[str, Any]], None]


class _ChunkContext(ChunkContext):
    """The context of one piece of a chunk."""

    def __init__(self, notes: Notes, name: str, heartbeat: Callable[[], None]) -> None:
        self._notes, self._name, self._heartbeat = notes, name, heartbeat
        self.note = notes.by_name.get(name)

    def keep(self, note: Mapping[str, Any] | None) -> None:
        self.note = note
        self._notes.by_name.pop(self._name, None)
        if note is not None:
            self._notes.by_name[self._name] = dict(note)
        self._notes.write(self._notes.by_name)

    def recall(self, name: str) -> str | None:
        return engine_memory.recall(name)

    def remember(self, name: str, value: str, seconds: float) -> None:
        engine_memory.remember(name, value, seconds)

    def heartbeat(self) -> None:
        self._heartbeat()


def make_engines() -> list[Engine]:
    """Return the operator's engine and the second one, if configured. Models load at the first transcription."""
    settings = get_backends().settings
    made = [("first", get_backends().transcriber(), settings.transcription_slots)]
    second = get_backends().fallback()
    if second is not None:
        made.append(("second", second, settings.transcription_fallback_slots))
    return [
        Engine(
            connector, EngineSlots(get_backends().memory, place, slots), Health(get_backends().memory, place)
        )
        for place, connector, slots in made
    ]


def transcribe_chunk(
    engines: Sequence[Engine],
    audio: AudioChunk,
    hints: Hints,
    listener: ProgressListener,
    notes: Notes,
) -> ChunkTranscription:
    """Transcribe a chunk with the first engine that accepts it.

    Raises:
        ConnectorBusy: all engines that accept it ask callers to wait.
        ConnectorUnavailable: a later attempt may succeed.
        ConnectorRejected: no later attempt can succeed.

    """
    failures: list[ConnectorRejected | ConnectorUnavailable] = []
    for place, engine in enumerate(engines):
        rest = engine.health.rest()
        if rest is not None:
            kind = ConnectorBusy if rest.is_requested else ConnectorPaused
            failures.append(kind("The transcription engine is paused.", retry_after_seconds=rest.seconds))
            continue
        if hints.translate and not engine.connector.capabilities.translation:
            failures.append(
                ConnectorRejected("This engine does not translate.", code="translation_unsupported")
            )
            continue
        engine_hints = (
            hints if place == 0 or hints.model in engine.connector.models else replace(hints, model=None)
        )
        try:
            with engine.slots.acquire_slot(listener.heartbeat):
                listener.begin()
                result = _transcribe_with(engine, audio, engine_hints, listener, notes)
                result = retry_doubtful.improve(
                    result, audio, engine.connector, engine_hints, listener.heartbeat
                )
        except (ConnectorRejected, ConnectorUnavailable) as error:
            logger.warning(
                "engine_failed", engine=engine.connector.name, code=error.slug, error=error.message
            )
            failures.append(error)
        else:
            return ChunkTranscription(
                result,
                engine.named(result.model or engine_hints.model),
                ignored_options(engine.connector, hints),
                engine.connector.capabilities_with(engine_hints.model).diarization,
            )
    raise _most_retryable(failures)


def _most_retryable(
    failures: Sequence[ConnectorRejected | ConnectorUnavailable],
) -> ConnectorRejected | ConnectorUnavailable:
    """Return the failure after which a retry is likeliest to help; of several busy engines, the one free soonest."""

    def retry_order(error: ConnectorRejected | ConnectorUnavailable) -> tuple[int, float]:
        if isinstance(error, ConnectorBusy):
            return 0, error.retry_after_seconds or 0.0
        return (1, 0.0) if isinstance(error, ConnectorUnavailable) else (2, 0.0)

    return min(failures, key=retry_order)


def _transcribe_with(
    engine: Engine,
    audio: AudioChunk,
    hints: Hints,
    listener: ProgressListener,
    notes: Notes,
    *,
    path: str = "",
) -> Hypothesis:
    name = f"{engine.connector.name}{path}"
    longest = engine.connector.capabilities.max_chunk_seconds + LEEWAY_SECONDS
    if audio.samples.size > longest * SAMPLE_RATE:  # it was cut for the first engine, and this is the second
        return _transcribe_halves(engine, audio, hints, listener, notes, path=path)
    try:
        piece = replace(audio, context=_ChunkContext(notes, name, listener.heartbeat))
        result = engine.connector.transcribe(piece, hints, listener.on_segment)
    except ConnectorTooLarge:
        engine.health.succeeded()  # the engine is healthy and has stated its limit
        if audio.samples.size < 2 * MIN_PIECE_SECONDS * SAMPLE_RATE:
            raise
        return _transcribe_halves(engine, audio, hints, listener, notes, path=path)
    except ConnectorBusy as error:
        engine.health.asked_to_wait(error.retry_after_seconds or BUSY_SECONDS)
        raise
    except ConnectorUnavailable:
        if not engine.connector.capabilities.is_local:
            engine.health.failed()
        raise
    except ConnectorRejected:
        engine.health.succeeded()  # the refusal concerns this request, or is for the operator to fix
        raise
    engine.health.succeeded()
    return result


def _transcribe_halves(
    engine: Engine,
    audio: AudioChunk,
    hints: Hints,
    listener: ProgressListener,
    notes: Notes,
    *,
    path: str,
) -> Hypothesis:
    """Transcribe the halves of a chunk and join them."""
    end = audio.start + audio.samples.size / SAMPLE_RATE
    cut, is_in_speech = _cutting_point(audio.spans, audio.start, end)
    wanted = engine.connector.capabilities.overlap_seconds if is_in_speech else 0.0
    overlap = min(wanted, (end - audio.start) / 8)  # so that a half is always shorter than its chunk
    halves = (_part(audio, audio.start, cut + overlap), _part(audio, cut - overlap, end))
    result = [
        _transcribe_with(engine, half, hints, listener, notes, path=f"{path}{at}")
        for at, half in enumerate(halves)
    ]
    parts = [
        RecognizedChunk(start, stop, half.segments, half.times_estimated)
        for (start, stop), half in zip(((audio.start, cut), (cut, end)), result, strict=True)
    ]
    language = main_language(
        (half.language, sum(each.end - each.start for each in half.segments)) for half in result
    )
    probabilities = [
        half.language_probability
        for half in result
        if half.language == language and half.language_probability is not None
    ]
    return Hypothesis(
        segments=tuple(join(parts, [overlap])),
        language=language,
        times_estimated=any(half.times_estimated for half in result),
        model=next((half.model for half in result if half.model), None),
        language_probability=sum(probabilities) / len(probabilities) if probabilities else None,
    )


def _cutting_point(spans: Sequence[Span], start: float, end: float) -> tuple[float, bool]:
    """Return the pause nearest to the middle, else the middle itself, and whether that time is inside speech."""
    middle = (start + end) / 2
    pauses = [
        (before.end + after.start) / 2
        for before, after in itertools.pairwise(spans)
        if after.start > before.end
    ]
    near = [time for time in pauses if start + (end - start) / 4 <= time <= end - (end - start) / 4]
    return (min(near, key=lambda time: abs(time - middle)), False) if near else (middle, True)


def _part(audio: AudioChunk, start: float, end: float) -> AudioChunk:
    first, last = (max(0, round((time - audio.start) * SAMPLE_RATE)) for time in (start, end))
    spans = [Span(max(span.start, start), min(span.end, end)) for span in audio.spans]
    return AudioChunk(
        audio.samples[first:last],
        audio.start + first / SAMPLE_RATE,
        tuple(span for span in spans if span.duration > 0),
    )

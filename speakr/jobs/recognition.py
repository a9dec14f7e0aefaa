"""One chunk, and the engines that may hear it: the first that is well and can.

What an engine cannot take in one piece it is given in two. What it cannot do at all goes to the second engine,
if there is one. Who heard what is kept with the result, and so is what of the user's wishes went unheeded.
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
    ConnectorRejected,
    ConnectorTooLarge,
    ConnectorUnavailable,
)
from speakr.domain.seams import RecognizedWord, join
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span
from speakr.jobs import retry_doubtful
from speakr.jobs.engine_health import Health
from speakr.jobs.engine_slots import EngineSlots

logger = structlog.get_logger(__name__)

MIN_PIECE_SECONDS: Final = 10.0
LEEWAY_SECONDS: Final = 10.0
"""By so much a chunk may exceed what an engine takes: the overlaps at its ends."""
BUSY_SECONDS: Final = 10.0
"""How long an engine is left alone that asks us to wait and does not say how long."""


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine with what is counted and known about it."""

    connector: TranscriptionConnector
    slots: EngineSlots
    health: Health

    def named(self, model: str | None) -> str:
        """Return the engine's name as recordings keep it, with the model that hears."""
        model = model or self.connector.default_model
        return f"{self.connector.name}:{model}" if model else self.connector.name


@dataclass(frozen=True, slots=True)
class ChunkTranscription:
    """What was heard, by whom, which wishes that engine did not heed, and whether it tells speakers apart."""

    hypothesis: Hypothesis
    engine: str
    ignored: Sequence[str]
    is_diarized: bool


class ProgressListener(Protocol):
    """Who hears of each segment at once, and knows whether the whole is still wanted."""

    def begin(self) -> None:
        """Forget what another engine has told of this chunk: one begins with it anew."""
        ...

    def on_segment(self, segment: Segment) -> None:
        """One segment is known."""
        ...

    def heartbeat(self) -> None:
        """All is well; raises `ClaimLost` or `JobCancelled` when nobody waits for this any more."""
        ...


@dataclass(slots=True)
class Notes:
    """The notes of all engines about one chunk, kept as one."""

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

    def heartbeat(self) -> None:
        self._heartbeat()


def make_engines() -> list[Engine]:
    """Return the engine the operator chose and, if there is one, the second. Models load when they first hear."""
    settings = get_backends().settings
    made = [("first", get_backends().make_transcriber(), settings.transcription_slots)]
    second = get_backends().make_fallback()
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
    """Have a chunk heard by the first engine that can.

    Raises:
        ConnectorBusy: all that can hear it want us to wait.
        ConnectorUnavailable: asking again later may help.
        ConnectorRejected: asking again cannot help.

    """
    failures: list[ConnectorRejected | ConnectorUnavailable] = []
    for place, engine in enumerate(engines):
        rest = engine.health.rest()
        if rest is not None:
            kind = ConnectorBusy if rest.is_requested else ConnectorUnavailable
            failures.append(
                kind("The transcription engine is given a rest.", retry_after_seconds=rest.seconds)
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
                engine.named(engine_hints.model),
                ignored_options(engine.connector, hints),
                engine.connector.capabilities_with(engine_hints.model).diarization,
            )
    raise _most_retryable(failures)


def _most_retryable(
    failures: Sequence[ConnectorRejected | ConnectorUnavailable],
) -> ConnectorRejected | ConnectorUnavailable:
    """Return the failure after which trying again is likeliest to help: of the busy ones, the one over soonest."""

    def hopelessness(error: ConnectorRejected | ConnectorUnavailable) -> tuple[int, float]:
        if isinstance(error, ConnectorBusy):
            return 0, error.retry_after_seconds or 0.0
        return (1, 0.0) if isinstance(error, ConnectorUnavailable) else (2, 0.0)

    return min(failures, key=hopelessness)


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
        engine.health.succeeded()  # it is well, and it said what it wants
        if audio.samples.size < 2 * MIN_PIECE_SECONDS * SAMPLE_RATE:
            raise
        return _transcribe_halves(engine, audio, hints, listener, notes, path=path)
    except ConnectorBusy as error:
        engine.health.asked_to_wait(error.retry_after_seconds or BUSY_SECONDS)
        raise
    except ConnectorUnavailable:
        engine.health.failed()
        raise
    except ConnectorRejected:
        engine.health.succeeded()  # the refusal is about this request, or for the operator
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
    """Hear the halves of a chunk and put them together."""
    end = audio.start + audio.samples.size / SAMPLE_RATE
    cut, is_in_speech = _cutting_point(audio.spans, audio.start, end)
    wanted = engine.connector.capabilities.overlap_seconds if is_in_speech else 0.0
    overlap = min(wanted, (end - audio.start) / 8)  # so that a half is always shorter than the whole
    halves = (_part(audio, audio.start, cut + overlap), _part(audio, cut - overlap, end))
    result = [
        _transcribe_with(engine, half, hints, listener, notes, path=f"{path}{at}")
        for at, half in enumerate(halves)
    ]
    parts = [
        RecognizedWord(start, stop, half.segments, half.times_estimated)
        for (start, stop), half in zip(((audio.start, cut), (cut, end)), result, strict=True)
    ]
    return Hypothesis(
        segments=tuple(join(parts, [overlap])),
        language=next((half.language for half in result if half.language), None),
        times_estimated=any(half.times_estimated for half in result),
    )


def _cutting_point(spans: Sequence[Span], start: float, end: float) -> tuple[float, bool]:
    """Return the time nearest to the middle where nobody speaks, else the middle; and whether it is in speech."""
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

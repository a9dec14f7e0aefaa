"""Transcribe implausible stretches again, and keep the better result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

import structlog

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext, TranscriptionConnector
from speakr.domain.errors import ConnectorRejected, TransientJobError
from speakr.domain.quality import Doubt, find_doubts
from speakr.domain.transcript import Hints, Hypothesis, Segment, Span
from speakr.jobs import engine_memory

logger = structlog.get_logger(__name__)

MAX_SPANS = 6
"""Per chunk. An engine that is wrong everywhere is wrong the second time too."""
PAD_SECONDS = 0.2


def improve(
    original: Hypothesis,
    chunk: AudioChunk,
    engine: TranscriptionConnector,
    hints: Hints,
    heartbeat: Callable[[], None],
) -> Hypothesis:
    """Return the hypothesis with its doubtful stretches replaced where the second transcription is better.

    Calls `heartbeat` while the engine works; it may raise to stop the work.
    """
    doubts = find_doubts(original.segments, chunk.spans, times_estimated=original.times_estimated)
    if not doubts:
        return original
    segments = list(original.segments)
    retried = repaired = 0.0
    for span in _spans_of(doubts, chunk)[:MAX_SPANS]:
        inside = [segment for segment in segments if _is_in(segment, span)]
        try:
            again = _transcribe_span(span, chunk, engine, hints, heartbeat)
        except (ConnectorRejected, TransientJobError) as error:
            logger.info("second_hearing_failed", code=error.slug)
            break
        retried += span.duration
        others = [segment for segment in segments if segment not in inside]
        better = _is_better(again.segments, inside, others, chunk.spans)
        logger.info("heard_again", start=round(span.start, 1), end=round(span.end, 1), kept=better)
        if better:
            repaired += span.duration
            segments = sorted([*others, *again.segments], key=attrgetter("start", "end"))
    return replace(original, segments=tuple(segments), retried_seconds=retried, repaired_seconds=repaired)


def _spans_of(doubts: Sequence[Doubt], chunk: AudioChunk) -> list[Span]:
    """Return the stretches to transcribe again: whole spans of speech where there are any, merged where they touch."""
    end = chunk.start + len(chunk.samples) / SAMPLE_RATE
    wide = []
    for doubt in doubts:
        touched = [
            span for span in chunk.spans if span.start < doubt.span.end and doubt.span.start < span.end
        ]
        first = min([doubt.span.start - PAD_SECONDS, *(span.start for span in touched)])
        last = max([doubt.span.end + PAD_SECONDS, *(span.end for span in touched)])
        wide.append(Span(max(first, chunk.start), min(last, end)))
    joined: list[Span] = []
    for span in sorted(wide, key=attrgetter("start")):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        elif span.duration > 0:
            joined.append(span)
    return joined


def _transcribe_span(
    span: Span, chunk: AudioChunk, engine: TranscriptionConnector, hints: Hints, heartbeat: Callable[[], None]
) -> Hypothesis:
    speech = [
        Span(max(each.start, span.start), min(each.end, span.end))
        for each in chunk.spans
        if each.start < span.end and span.start < each.end
    ]
    piece = AudioChunk(
        chunk.cut(span), max(span.start, chunk.start), tuple(speech or [span]), _RetryContext(heartbeat)
    )
    # Engines repeat the prompt when a stretch has no speech. Segments are not published, because they may be
    # discarded.
    return engine.transcribe(piece, replace(hints, initial_prompt=None), lambda _segment: heartbeat())


class _RetryContext(ChunkContext):
    """Stores no notes: an interrupted second transcription starts again."""

    def __init__(self, heartbeat: Callable[[], None]) -> None:
        self._heartbeat = heartbeat

    def recall(self, name: str) -> str | None:
        return engine_memory.recall(name)

    def heartbeat(self) -> None:
        self._heartbeat()


def _is_in(segment: Segment, span: Span) -> bool:
    middle = (segment.start + segment.end) / 2
    return span.start <= middle <= span.end


def _is_better(
    again: Sequence[Segment], before: Sequence[Segment], others: Sequence[Segment], speech: Sequence[Span]
) -> bool:
    """Return whether the second transcription has fewer faults or, at equal faults, a higher confidence."""
    faults = [
        len(find_doubts(sorted([*others, *segments], key=attrgetter("start")), speech))
        for segments in (again, before)
    ]
    if faults[0] != faults[1]:
        return faults[0] < faults[1]
    return bool(again) and _confidence(again) > _confidence(before)


def _confidence(segments: Sequence[Segment]) -> float:
    known = [segment.confidence for segment in segments if segment.confidence is not None]
    return sum(known) / len(known) if known else 0.0

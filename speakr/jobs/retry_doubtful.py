"""Transcribe implausible stretches again, and keep the better result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from operator import attrgetter

import structlog

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk, ChunkContext, TranscriptionConnector
from speakr.domain.errors import ConnectorRejected, TransientJobError
from speakr.domain.languages import main_language
from speakr.domain.quality import Doubt, Fault, find_doubts
from speakr.domain.transcript import UNDETERMINED, Hints, Hypothesis, Segment, Span
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
    current = original
    retried = repaired = 0.0
    for span in _spans_of(doubts, original, chunk)[:MAX_SPANS]:
        inside = [doubt for doubt in doubts if _is_in(doubt.span, span)]
        try:
            again = _transcribe_span(
                span, chunk, engine, _hints_for(inside, original, engine, hints), heartbeat
            )
        except (ConnectorRejected, TransientJobError) as error:
            logger.info("second_hearing_failed", code=error.slug)
            break
        retried += span.duration
        better = _with_second(current, again, span, chunk.spans, inside)
        logger.info(
            "heard_again", start=round(span.start, 1), end=round(span.end, 1), kept=better is not None
        )
        if better is not None:
            repaired += span.duration
            current = better
    return replace(current, retried_seconds=retried, repaired_seconds=repaired)


def _spans_of(doubts: Sequence[Doubt], original: Hypothesis, chunk: AudioChunk) -> list[Span]:
    """Return the stretches to transcribe again, in order.

    A stretch cuts neither a span of speech nor a segment; otherwise words of a neighbour would be written twice or be lost.
    Estimated times do not say where a segment is, so then the stretch is the whole chunk.
    """
    end = chunk.start + len(chunk.samples) / SAMPLE_RATE
    if original.times_estimated:
        return [Span(chunk.start, end)]
    speech = _joined(chunk.spans, gap_seconds=0.0)
    blocks = _joined([*speech, *(Span(each.start, each.end) for each in original.segments)])
    edges = [chunk.start, *(edge for block in blocks for edge in (block.start, block.end)), end]
    wide = []
    for at, block in enumerate(blocks):
        if any(_is_in(doubt.span, block) for doubt in doubts):
            first = max(block.start - PAD_SECONDS, edges[2 * at], chunk.start)
            last = min(block.end + PAD_SECONDS, edges[2 * at + 3], end)
            wide.append(Span(first, last))
    return [span for span in wide if span.duration > 0]


def _joined(spans: Sequence[Span], *, gap_seconds: float = -1e-6) -> list[Span]:
    """Return the spans in order; those that are at most so far apart as one. By default they must overlap."""
    joined: list[Span] = []
    for span in sorted(spans, key=attrgetter("start")):
        if joined and span.start - joined[-1].end <= gap_seconds:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _hints_for(
    doubts: Sequence[Doubt], original: Hypothesis, engine: TranscriptionConnector, hints: Hints
) -> Hints:
    """Return the hints for a second transcription.

    It has no prompt, because engines repeat it when a stretch has no speech. It names the language of the chunk, because
    a short stretch says little about it, unless the fault is that the text is in another one.
    """
    language = hints.language
    known = engine.capabilities_with(hints.model).languages
    is_usable = original.language not in {None, UNDETERMINED} and (
        known is None or original.language in known
    )
    if not language and is_usable and all(doubt.fault is not Fault.OTHER_LANGUAGE for doubt in doubts):
        language = original.language
    return replace(hints, initial_prompt=None, language=language)


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
    # Segments are not published, because they may be discarded.
    return engine.transcribe(piece, hints, lambda _segment: heartbeat())


class _RetryContext(ChunkContext):
    """Stores no notes: an interrupted second transcription starts again."""

    def __init__(self, heartbeat: Callable[[], None]) -> None:
        self._heartbeat = heartbeat

    def recall(self, name: str) -> str | None:
        return engine_memory.recall(name)

    def heartbeat(self) -> None:
        self._heartbeat()


def _is_in(part: Segment | Span, span: Span) -> bool:
    return span.start <= (part.start + part.end) / 2 <= span.end


def _with_second(
    current: Hypothesis, again: Hypothesis, span: Span, speech: Sequence[Span], doubts: Sequence[Doubt]
) -> Hypothesis | None:
    """Return the hypothesis with the second transcription of a stretch, or None if the first one is as good.

    doubts: those in the stretch.
    """
    inside = [segment for segment in current.segments if _is_in(segment, span)]
    others = [segment for segment in current.segments if not _is_in(segment, span)]
    if any(segment.text.strip() for segment in again.segments):
        estimated = current.times_estimated or again.times_estimated
        is_better = _is_better(again.segments, inside, others, speech, times_estimated=estimated)
    else:  # nothing is better than an invented text, but not than a doubtful one where there is speech
        invented = [doubt for doubt in doubts if doubt.fault is Fault.TEXT_OVER_SILENCE]
        is_better = len(invented) == len(inside)
    if not is_better:
        return None
    language = main_language(
        [(current.language, _seconds(others)), (again.language, _seconds(again.segments))]
    )
    is_same = language == current.language
    return replace(
        current,
        segments=tuple(sorted([*others, *again.segments], key=attrgetter("start", "end"))),
        times_estimated=(current.times_estimated and bool(others)) or again.times_estimated,
        language=language,
        language_probability=current.language_probability if is_same else again.language_probability,
    )


def _is_better(
    again: Sequence[Segment],
    before: Sequence[Segment],
    others: Sequence[Segment],
    speech: Sequence[Span],
    *,
    times_estimated: bool,
) -> bool:
    """Return whether the second transcription has fewer faults or, at equal faults, a higher confidence."""
    faults = [
        len(
            find_doubts(
                sorted([*others, *segments], key=attrgetter("start")), speech, times_estimated=times_estimated
            )
        )
        for segments in (again, before)
    ]
    if faults[0] != faults[1]:
        return faults[0] < faults[1]
    return _confidence(again) > _confidence(before)


def _seconds(segments: Sequence[Segment]) -> float:
    return sum(segment.end - segment.start for segment in segments)


def _confidence(segments: Sequence[Segment]) -> float:
    known = [segment.confidence for segment in segments if segment.confidence is not None]
    return sum(known) / len(known) if known else 0.0

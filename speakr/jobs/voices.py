"""Separate speakers during a transcription: voice vectors per chunk, then one clustering of all at the end.

Engines that label speakers do so within one chunk; then only their labels are matched across chunks, by voice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from speakr.backends import get_backends
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL, Hints, Segment, Span, numbered_label
from speakr.domain.turns import give_speakers
from speakr.media.voices import weights
from speakr.services.speech.voice_profiles import ProfileVoice

if TYPE_CHECKING:
    from speakr.media.speech import Samples
    from speakr.media.voices.diarization import DetectedVoice as VoiceOfLabel
    from speakr.media.voices.networks import VoiceNetworks

logger = structlog.get_logger(__name__)

WINDOW_SECONDS: Final = 1.6
"""Length of a window, as in `media.voices.windows`."""
MIN_SAMPLE_SECONDS: Final = 0.5
MAX_WINDOWS_PER_SPEAKER: Final = 20
"""Per chunk: 32 seconds of speech, when the engine has labelled the speakers."""

# numpy is imported in the work horse only, like the speech libraries.


@dataclass(frozen=True, slots=True)
class Diarized:
    """Segments with their speakers, the voice vectors of these, and where two people speak at once."""

    segments: Sequence[Segment]
    voices: Sequence[ProfileVoice]
    overlaps: Sequence[Span] = ()


def step_for(duration_seconds: float) -> float:
    """Return the distance between the starts of a recording's windows, in seconds."""
    from speakr.media.voices import windows  # noqa: PLC0415

    return windows.step_for(duration_seconds)


def is_current(kept: Mapping[str, Any] | None) -> bool:
    """Return whether the models of this version made a chunk's voice vectors; also if the chunk holds no speech."""
    from speakr.media.voices import windows  # noqa: PLC0415

    return kept is not None and windows.is_current(kept)


def embed(
    samples: Samples, start: float, spans: Sequence[Span], step_seconds: float
) -> dict[str, Any] | None:
    """Return the voice vectors of a chunk in their stored form, or None when this worker has no model."""
    from speakr.media.voices import windows  # noqa: PLC0415

    loaded = _networks()
    if loaded is None:
        return None
    return windows.to_json(windows.embed_spans(samples, start, spans, step_seconds, loaded))


def _networks() -> VoiceNetworks | None:
    from speakr.media.voices import networks  # noqa: PLC0415

    try:
        return networks.load(get_backends().settings.models_folder)
    except weights.VoiceModelMissing as missing:  # another worker may have it
        logger.warning("speakers_not_told_apart", reason=str(missing))
        return None


def embed_some(samples: Samples, start: float, segments: Sequence[Segment]) -> dict[str, Any] | None:
    """Return a few voice vectors of each speaker that the engine labelled, in the form of `embed`.

    They suffice to match labels across chunks and to recognise people; turns cannot be derived from them.
    """
    from speakr.media.voices import windows  # noqa: PLC0415

    loaded = _networks()
    if loaded is None:
        return None
    regions = _samples_of_speakers(segments)
    made = windows.embed_regions(samples, start, regions, WINDOW_SECONDS, loaded)
    return {**windows.to_json(made), "is_sample": True}


def _samples_of_speakers(segments: Sequence[Segment]) -> list[Span]:
    """Return at most `MAX_WINDOWS_PER_SPEAKER` stretches of a window's length for each speaker, spread over the chunk."""
    by_speaker: dict[str, list[Span]] = {}
    for segment in segments:
        count = int((segment.end - segment.start) / WINDOW_SECONDS)
        theirs = by_speaker.setdefault(segment.speaker, [])
        theirs += [
            Span(segment.start + at * WINDOW_SECONDS, segment.start + (at + 1) * WINDOW_SECONDS)
            for at in range(count)
        ]
        if not count and segment.end - segment.start >= MIN_SAMPLE_SECONDS:
            theirs.append(Span(segment.start, segment.end))
    chosen: list[Span] = []
    for spans in by_speaker.values():
        step = max(1.0, len(spans) / MAX_WINDOWS_PER_SPEAKER)
        chosen += [spans[int(at * step)] for at in range(int(len(spans) / step))]
    return sorted(chosen, key=lambda span: (span.start, span.end))


def separate_speakers(
    chunks: Sequence[Sequence[Segment]],
    kept: Sequence[Mapping[str, Any] | None],
    hints: Hints,
    *,
    is_diarized: bool,
) -> Diarized:
    """Label the segments of a recording with their speakers.

    chunks: the segments of each chunk; kept: what `embed` returned for it; is_diarized: the engine has labelled
    speakers within each chunk.
    """
    from speakr.media.voices import diarization, joining, windows  # noqa: PLC0415

    if is_diarized:
        # Also without any vectors: then no speaker is matched across chunks, and no two of them share a label.
        parts = [windows.from_json([part] if part else []) for part in kept]
        segments, voices = joining.join(chunks, parts)
        return Diarized(segments, _as_kept(voices))
    segments = [segment for chunk in chunks for segment in chunk]
    if not any(kept):
        return Diarized(segments, ())
    all_windows = windows.from_json([part for part in kept if part])
    found = diarization.diarize(all_windows, least=hints.min_speakers, most=hints.max_speakers)
    spoken = give_speakers(segments, found.turns)
    overlaps = dict.fromkeys(Span(turn.start, turn.end) for turn in found.overlaps)
    return Diarized(*_in_order(spoken, found.voices), tuple(overlaps))


def one_speaker(segments: Sequence[Segment]) -> Diarized:
    """Give all speech the same speaker."""
    return Diarized([replace(segment, speaker=DEFAULT_SPEAKER_LABEL) for segment in segments], ())


def _in_order(
    segments: Sequence[Segment], voices: Mapping[str, VoiceOfLabel]
) -> tuple[Sequence[Segment], Sequence[ProfileVoice]]:
    """Order speakers by their first words; drop a voice without words."""
    labels: dict[str, str] = {}
    for segment in segments:
        labels.setdefault(segment.speaker, numbered_label(len(labels)))
    named = [replace(segment, speaker=labels[segment.speaker]) for segment in segments]
    return named, _as_kept({labels[old]: voice for old, voice in voices.items() if old in labels})


def _as_kept(voices: Mapping[str, VoiceOfLabel]) -> list[ProfileVoice]:
    return [
        ProfileVoice(label, voice.vector.astype("<f2").tobytes(), voice.seconds)
        for label, voice in voices.items()
    ]

"""CLIP: transcribe a file that is not kept, or a range of a recording, for a request that waits for the result.

It is prepared, cut and transcribed as TRANSCRIBE does it. A worker that takes the job over continues after the last
finished chunk.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import release
from speakr.domain.clips import ClipResult
from speakr.domain.errors import PermanentJobError
from speakr.domain.transcript import DEFAULT_SPEAKER_LABEL
from speakr.jobs import known_voices, scratch, transcribe
from speakr.jobs.assembling import AssembledTranscript
from speakr.jobs.plan import TranscriptionPlan
from speakr.jobs.preparing import PreparedAudio
from speakr.media.join import FLAC, AudioPart, join
from speakr.services.jobs import claims
from speakr.services.recordings import sources
from speakr.services.speech import clips
from speakr.storage.base import BlobMissing

_LONG_SECONDS: Final = 300.0
"""Length from which other workers are asked to help."""


def run(held: claims.Claim) -> None:
    """Transcribe a clip. Continue where an earlier owner stopped."""
    is_diarized = bool(held.options.get("diarize"))
    plan = (
        transcribe.resume(held)
        if held.plan
        else transcribe.prepare(
            held, _decode, are_speakers_wanted=is_diarized, is_live=bool(held.options.get("live"))
        )
    )
    if plan.duration_seconds > _LONG_SECONDS:
        transcribe.call_helpers(held, plan)
    transcribe.transcribe_all_chunks(held)
    whole, engine = transcribe.assemble(held, plan)
    result = _result(held, plan, whole, engine)
    conflicts.in_unit(lambda: clips.store(held, result))


def _decode(held: claims.Claim, folder: Path) -> PreparedAudio:
    source = clips.source_of(held)
    key = source["key"] if "key" in source else sources.audio_key(source["recording_id"])
    tracks = () if "key" in source else sources.used_tracks(source["recording_id"])
    release()
    try:
        with scratch.reporting_full_disk(), get_backends().storage.local_path(key) as path:
            if "key" in source:
                return transcribe.decode_file(held, path, folder)
            cut = folder / "range"
            join([AudioPart(path, source["start"], source["end"], tracks)], cut, FLAC)
            return transcribe.decode_file(held, cut, folder)
    except BlobMissing:
        raise PermanentJobError("The audio is gone.", code="audio_missing") from None


def _result(
    held: claims.Claim, plan: TranscriptionPlan, whole: AssembledTranscript, engine: str
) -> ClipResult:
    """Return what the request gets: with names instead of labels where a known speaker's voice is similar."""
    segments, labels = list(whole.segments), {}
    if plan.are_speakers_wanted:
        labels = {segment.speaker: segment.speaker for segment in segments}
        labels.update(known_voices.names_of(whole.voices, held.options.get("references") or ()))
    segments = [replace(each, speaker=labels.get(each.speaker, DEFAULT_SPEAKER_LABEL)) for each in segments]
    return ClipResult(
        text=" ".join(text for segment in segments if (text := segment.text.strip())),
        language=whole.language,
        duration_seconds=round(plan.duration_seconds, 3),
        segments=segments,
        speakers=list(dict.fromkeys(labels.values())),
        model=engine,
        language_probability=whole.quality.language_probability,
        ignored_options=list(whole.ignored_options),
    )

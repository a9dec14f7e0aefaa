"""TRANSCRIBE: decode, find speech, cut at pauses, hear every chunk, keep the whole.

The worker that owns the job prepares it, then hears chunks like every helper, and puts the transcript
together when the last one is done. Each finished chunk is a row: whoever dies, nothing is heard twice.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis
import structlog

from speakr.backends import get_backends
from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk
from speakr.db import release, unit_of_work
from speakr.domain.errors import ClaimLost, JobError, PermanentJobError, TransientJobError
from speakr.domain.transcript import Segment, Span
from speakr.jobs import assembling, recognition, scratch, voices, watchdog
from speakr.jobs.plan import TranscriptionPlan
from speakr.media.chunks import plan_chunks, seams
from speakr.media.decode import decode
from speakr.media.voices import weights
from speakr.services.accounts import users
from speakr.services.jobs import blobs, chunks, claims
from speakr.services.recordings import sources
from speakr.services.speech import engines, hints, transcripts
from speakr.storage.base import BlobMissing, StorageFull, put_file

if TYPE_CHECKING:
    from speakr.media.speech import Samples

logger = structlog.get_logger(__name__)

_ASK_WHETHER_WANTED_SECONDS = 1.0

_engines: Sequence[recognition.Engine] | None = None


def _transcribers() -> Sequence[recognition.Engine]:
    """Return this work horse's engines; a model is loaded once."""
    global _engines  # noqa: PLW0603 - a model is too big to load per chunk
    if _engines is None:
        _engines = recognition.make_engines()
    return _engines


# The libraries that hear are loaded in the work horse and not in its parent, which would hold 30 MB for nothing
# while it waits.


def find_speech(pcm: Path) -> list[Span]:
    """Return where somebody speaks in decoded audio."""
    from speakr.media import speech  # noqa: PLC0415

    return speech.find_speech(speech.read_pcm(pcm))


def read_pcm(pcm: Path) -> Samples:
    """Map decoded audio into memory: int16, 16 kHz, shape (n,)."""
    from speakr.media import speech  # noqa: PLC0415

    return speech.read_pcm(pcm)


def run(held: claims.Claim) -> None:
    """Transcribe a recording, going on where an earlier owner stopped."""
    plan = TranscriptionPlan.from_json(held.plan) if held.plan else _prepare(held)
    _call_helpers(held, plan)
    _transcribe_all_chunks(held)
    _keep(held, plan)


def _prepare(held: claims.Claim) -> TranscriptionPlan:
    """Decode the recording, find the speech in it and cut it into chunks."""
    with unit_of_work():
        pcm_key = claims.reserve_blob(held, "pcm")
        claims.report(held, "Decoding", 1)
    with scratch.folder() as folder:
        pcm = folder / "pcm"
        duration_seconds = _decode(held.recording_id, pcm)
        _store_pcm(pcm_key, pcm)
        try:
            with unit_of_work():
                claims.report(held, "Looking for speech", 3)
        except ClaimLost:
            with unit_of_work():
                blobs.drop_late(held.job_id, pcm_key)
            raise
        spans = find_speech(pcm)
    are_speakers_wanted = _are_speakers_wanted(held)
    has_voices = are_speakers_wanted and _can_tell_voices_apart()
    engine = _transcribers()[0].connector.capabilities
    pieces = plan_chunks(spans, engine.target_chunk_seconds, engine.max_chunk_seconds)
    plan = TranscriptionPlan(
        pcm_key=pcm_key,
        duration_seconds=duration_seconds,
        chunk_count=len(pieces),
        seams=tuple(seams(pieces)),
        overlap=engine.overlap_seconds,
        are_speakers_wanted=are_speakers_wanted,
        voice_step_seconds=voices.step_for(duration_seconds) if has_voices else None,
    )
    with unit_of_work():
        claims.cut(held, plan.to_json(), pieces)
    logger.info("recording_cut", chunks=len(pieces), seconds=round(duration_seconds, 1))
    return plan


def _are_speakers_wanted(held: claims.Claim) -> bool:
    wanted = users.preferences(users.get(held.user_id))["diarize"]
    release()
    return bool(wanted)


def _can_tell_voices_apart() -> bool:
    if get_backends().settings.diarization and (reason := weights.unavailable_reason()):
        logger.warning("speakers_not_told_apart", reason=reason)
    return engines.tells_voices_apart()


def _decode(recording_id: int, pcm: Path) -> float:
    key = sources.audio_key(recording_id)
    release()
    try:
        with get_backends().storage.local_path(key) as source:
            return decode(source, pcm, get_backends().settings.max_duration_hours * 3600).duration_seconds
    except BlobMissing:
        raise PermanentJobError("The audio of this recording is gone.", code="audio_missing") from None


def _store_pcm(key: str, pcm: Path) -> None:
    try:
        put_file(get_backends().storage, key, pcm)
    except StorageFull:
        raise TransientJobError("The server's storage is full.", code="out_of_space") from None


def _call_helpers(held: claims.Claim, plan: TranscriptionPlan) -> None:
    others = min(get_backends().settings.worker_count - 1, plan.chunk_count - 1)
    if others > 0:
        with contextlib.suppress(redis.RedisError):  # maintenance requests them later
            get_backends().notifier.notify_helpers(held.job_id, held.fence, others)


def _transcribe_all_chunks(held: claims.Claim) -> None:
    while True:
        with unit_of_work():
            chunk = chunks.claim_next(held.job_id, held.worker)
            claims.report(held, "Transcribing")
            _, undone = chunks.left(held.job_id)
        if chunk is not None:
            _transcribe_or_release(chunk)
        elif undone == 0:
            return
        else:
            _wait_for_helpers(held.job_id)


def _wait_for_helpers(job_id: int) -> None:
    """Wait until a helper's chunk ends, but no longer than until it is time to report again.

    A wake-up that is lost with its helper, or with Redis, delays the next look by a second.
    """
    began = time.monotonic()
    try:
        get_backends().notifier.wait_for_chunk(job_id, _ASK_WHETHER_WANTED_SECONDS)
    except redis.RedisError:
        time.sleep(max(0.0, began + _ASK_WHETHER_WANTED_SECONDS - time.monotonic()))


def _transcribe_or_release(chunk: chunks.ChunkClaim) -> None:
    try:
        run_chunk(chunk)
    except ClaimLost:
        return  # this chunk is somebody else's now; whether the job is still ours shows at the next report
    except JobError:
        release()
        with unit_of_work():
            chunks.give_back(chunk)
        raise


def run_chunk(chunk: chunks.ChunkClaim) -> None:
    """Turn one chunk into text and keep it; segments are told live as they come."""
    try:
        with watchdog.watching(get_backends().settings.transcription_silence_seconds):
            outcome, vectors = _listen(chunk)
    except BlobMissing:  # deleted with its recording, most of the time
        raise PermanentJobError("The audio of this recording is gone.", code="audio_missing") from None
    transcription = outcome.hypothesis
    result = {
        "engine": outcome.engine,
        "ignored": list(outcome.ignored),
        "is_diarized": outcome.is_diarized,
        "start": chunk.spans[0].start,
        "end": chunk.spans[-1].end,
        "segments": [transcripts.to_json(segment) for segment in transcription.segments],
        "language": transcription.language,
        "times_estimated": transcription.times_estimated,
        "voices": vectors,
    }
    with unit_of_work():
        progress = chunks.finish(chunk, result)
    get_backends().live.publish(
        chunk.recording_id, "progress", {"progress": progress, "message": "Transcribing"}
    )


def _listen(chunk: chunks.ChunkClaim) -> tuple[recognition.ChunkTranscription, dict[str, Any] | None]:
    listener = _Listener(chunk)

    def keep_note(note: Mapping[str, Any]) -> None:
        with unit_of_work():
            chunks.keep_note(chunk, note)

    plan = TranscriptionPlan.from_json(chunk.plan)
    with get_backends().storage.local_path(plan.pcm_key) as path:
        audio = cut_out(read_pcm(path), chunk.spans, chunk.position, plan)
        outcome = recognition.transcribe_chunk(
            _transcribers(),
            audio,
            hints.from_json(chunk.options),
            listener,
            recognition.Notes(dict(chunk.note), keep_note),
        )
        step = plan.voice_step_seconds
        return outcome, voices.embed(audio.samples, audio.start, chunk.spans, step) if step else None


def cut_out(pcm: Samples, pieces: Sequence[Span], position: int, plan: TranscriptionPlan) -> AudioChunk:
    """Return a chunk's audio, and a little of its neighbours' where it was cut inside speech.

    pieces: the stretches of speech in it; position: its place among the chunks of the plan.
    """
    first, last = pieces[0], pieces[-1]
    start = max(0.0, first.start - (plan.overlap if position in plan.seams else 0.0))
    end = min(pcm.size / SAMPLE_RATE, last.end + (plan.overlap if position + 1 in plan.seams else 0.0))
    spans = list(pieces)
    spans[0] = Span(start, spans[0].end)
    spans[-1] = Span(spans[-1].start, max(end, last.end))
    return AudioChunk(pcm[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)], start, tuple(spans))


class _Listener:
    """Tells segments live, and asks now and then whether the work is still wanted."""

    def __init__(self, chunk: chunks.ChunkClaim) -> None:
        self._chunk = chunk
        self._count = 0
        self._asked_at = time.monotonic()

    def begin(self) -> None:
        """Count from the start: another engine's segments of this chunk are told anew, under the same ids."""
        self._count = 0

    def on_segment(self, segment: Segment) -> None:
        """Tell a segment to whoever watches."""
        self.heartbeat()
        message = transcripts.to_json(segment)
        del message["words"], message["overlap"]  # what others say at the time is known at the end
        # A chunk that is heard again after a crash tells its segments again, under the same ids.
        message["id"] = f"{self._chunk.position}.{self._count}"
        self._count += 1
        get_backends().live.publish(self._chunk.recording_id, "segment", message)

    def heartbeat(self) -> None:
        """Ask now and then; raise `ClaimLost` when nobody waits for this any more."""
        watchdog.reset(get_backends().settings.transcription_silence_seconds)
        if time.monotonic() - self._asked_at < _ASK_WHETHER_WANTED_SECONDS:
            return
        self._asked_at = time.monotonic()
        wanted = chunks.is_wanted(self._chunk)
        release()
        if not wanted:
            raise ClaimLost("This chunk is not wanted any more.")


def _keep(held: claims.Claim, plan: TranscriptionPlan) -> None:
    with unit_of_work():
        claims.report(held, "Putting the transcript together", 97)
        results = chunks.results(held.job_id)
    whole = assembling.assemble(results, plan, hints.from_json(held.options))
    engine = ", ".join(whole.engines)[:120] or _transcribers()[0].named(held.options.get("model"))
    with unit_of_work():
        claims.keep_plan(held, replace(plan, ignored_options=tuple(whole.ignored_options)).to_json())
        transcripts.store(
            held,
            [transcripts.to_json(segment) for segment in whole.segments],
            language=whole.language,
            engine=engine,
            duration_seconds=plan.duration_seconds,
            voices=whole.voices,
        )

"""TRANSCRIBE: decode, find speech, cut at pauses, transcribe each chunk, store the transcript.

The worker that owns the job prepares it, transcribes chunks like every helper, and assembles the transcript when the
last one is done. Each finished chunk is a row, so no chunk is transcribed twice, whichever process dies.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import redis
import structlog

from speakr import conflicts
from speakr.backends import get_backends
from speakr.connectors.transcription.base import AudioChunk
from speakr.db import release, unit_of_work
from speakr.domain.errors import ClaimLost, JobError, MadeWay, PermanentJobError, TransientJobError
from speakr.domain.jobs import KINDS
from speakr.domain.recordings import Channels
from speakr.domain.transcript import Span
from speakr.jobs import assembling, recognition, scratch, time_left, voices, watchdog
from speakr.jobs.assembling import AssembledTranscript
from speakr.jobs.chunk_audio import cut_out, read_pcm, source_pcm
from speakr.jobs.chunk_listener import ChunkListener
from speakr.jobs.plan import TranscriptionPlan
from speakr.jobs.preparing import Preparation, PreparedAudio, SoundSource, cut_sources
from speakr.media.decode import decode_track
from speakr.media.voices import weights
from speakr.services.accounts import users
from speakr.services.jobs import blobs, chunks, claims, eta, fairness
from speakr.services.recordings import sources
from speakr.services.speech import engines, hints, transcripts
from speakr.storage.base import BlobMissing, StorageFull, put_file

logger = structlog.get_logger(__name__)

_ASK_WHETHER_WANTED_SECONDS = 1.0

Decode = Callable[[claims.Claim, Path], PreparedAudio]
"""Decodes the audio of a job into a folder."""

_engines: Sequence[recognition.Engine] | None = None


def _transcribers() -> Sequence[recognition.Engine]:
    """Return the engines of this work horse; each model is loaded once."""
    global _engines  # noqa: PLW0603 - a model is too big to load per chunk
    if _engines is None:
        _engines = recognition.make_engines()
    return _engines


# The speech libraries are imported in the work horse and not in its parent, where they would occupy 30 MB for
# nothing.


def find_speech(pcm: Path) -> list[Span]:
    """Return the spans of speech in decoded audio."""
    from speakr.media import speech  # noqa: PLC0415

    return speech.find_speech(speech.read_pcm(pcm))


def find_noise(pcm: Path, spans: Sequence[Span]) -> float | None:
    """Return the signal-to-noise ratio of decoded audio in decibels."""
    from speakr.media import noise_level, speech  # noqa: PLC0415

    return noise_level.signal_to_noise_db(speech.read_pcm(pcm), spans)


def run(held: claims.Claim) -> None:
    """Transcribe a recording. Continue where an earlier owner stopped."""
    began = time.monotonic()
    plan = (
        resume(held)
        if held.plan
        else prepare(held, _decode_recording, are_speakers_wanted=_are_speakers_wanted(held))
    )
    call_helpers(held, plan)
    transcribe_all_chunks(held)
    engine = _keep(held, plan)
    if not held.plan:  # otherwise a part of the work was done before
        time_left.learn(engine, seconds=time.monotonic() - began, audio_seconds=plan.duration_seconds)


def resume(held: claims.Claim) -> TranscriptionPlan:
    """Return the plan of an earlier owner, with the time that the rest will take."""
    plan = TranscriptionPlan.from_json(held.plan or {})
    with unit_of_work():
        _, undone = chunks.left(held.job_id)
        rest = plan.duration_seconds * undone / max(plan.chunk_count, 1)
        plan = replace(plan, expected_at=time_left.expected_at(_first_engine(held), rest))
        claims.keep_plan(held, plan.to_json())
    return plan


def _first_engine(held: claims.Claim) -> str:
    return _transcribers()[0].named(held.options.get("model"))


def prepare(
    held: claims.Claim, decode: Decode, *, are_speakers_wanted: bool, is_live: bool = False
) -> TranscriptionPlan:
    """Decode the audio of a job, find the speech in it and cut it into chunks.

    is_live: a client waits for the first words, so the chunks are short.
    """
    with unit_of_work():
        pcm_key = claims.reserve_blob(held, "pcm")
        claims.report(held, "Decoding", 1)
    with scratch.folder() as folder:
        audio = decode(held, folder)
        noise_db = find_noise(audio.sources[0].path, audio.sources[0].spans)
        _store_pcm(pcm_key, folder, audio.sources)
        try:
            _report_decoded(held)
        except ClaimLost:
            with unit_of_work():
                blobs.drop_late(held.job_id, pcm_key)
            raise
    has_voices = are_speakers_wanted and _has_voice_model()
    engine = _transcribers()[0].connector.capabilities
    pieces, planned, joints = cut_sources(
        audio.sources,
        (engine.live_chunk_seconds if is_live else None) or engine.target_chunk_seconds,
        engine.max_chunk_seconds,
    )
    plan = TranscriptionPlan(
        pcm_key=pcm_key,
        duration_seconds=audio.duration_seconds,
        chunk_count=len(pieces),
        seams=tuple(joints),
        overlap=engine.overlap_seconds,
        are_speakers_wanted=are_speakers_wanted,
        voice_step_seconds=voices.step_for(audio.duration_seconds) if has_voices else None,
        sources=tuple(planned),
        tracks=tuple(audio.tracks),
        warnings=tuple(audio.warnings),
        skipped_seconds=audio.skipped_seconds,
        speech_seconds=round(sum(span.duration for source in audio.sources for span in source.spans), 3),
        signal_to_noise_db=noise_db,
        expected_at=time_left.expected_at(_first_engine(held), audio.duration_seconds),
    )
    conflicts.in_unit(lambda: claims.cut(held, plan.to_json(), pieces))
    logger.info(
        "recording_cut", chunks=len(pieces), sources=len(planned), seconds=round(audio.duration_seconds, 1)
    )
    return plan


def _are_speakers_wanted(held: claims.Claim) -> bool:
    wanted = users.preferences(users.get(held.user_id))["diarize"]
    release()
    return bool(wanted)


def _has_voice_model() -> bool:
    if get_backends().settings.diarization and (
        reason := weights.unavailable_reason(get_backends().settings.models_folder)
    ):
        logger.warning("speakers_not_told_apart", reason=reason)
    return engines.tells_voices_apart()


def _decode_recording(held: claims.Claim, folder: Path) -> PreparedAudio:
    key = sources.audio_key(held.recording_id)
    release()
    try:
        with scratch.reporting_full_disk(), get_backends().storage.local_path(key) as source:
            return decode_file(held, source, folder)
    except BlobMissing:
        raise PermanentJobError("The audio of this recording is gone.", code="audio_missing") from None


def decode_file(held: claims.Claim, source: Path, folder: Path) -> PreparedAudio:
    """Decode a file into a folder and find the speech in it, with the options of the job."""
    preparation = Preparation(
        max_seconds=get_backends().settings.max_duration_hours * 3600,
        channels=Channels(held.options.get("channels", Channels.AUTO)),
        decode_track=decode_track,
        find_speech=find_speech,
        on_decoded=lambda: _report_decoded(held),
    )
    return preparation.prepare(source, folder)


def _report_decoded(held: claims.Claim) -> None:
    with unit_of_work():
        claims.report(held, "Looking for speech", 3)


def _store_pcm(key: str, folder: Path, parts: Sequence[SoundSource]) -> None:
    """Store the samples of all sources, one after the other."""
    pcm = folder / "pcm"
    try:
        with scratch.reporting_full_disk(), pcm.open("wb") as whole:
            for part in parts:
                with part.path.open("rb") as file:
                    shutil.copyfileobj(file, whole, 1 << 20)
                part.path.unlink()
        put_file(get_backends().storage, key, pcm)
    except StorageFull:
        raise TransientJobError("The server's storage is full.", code="out_of_space") from None


def call_helpers(held: claims.Claim, plan: TranscriptionPlan) -> None:
    """Ask other workers to transcribe chunks of this job, too."""
    others = min(get_backends().settings.worker_count - 1, plan.chunk_count - 1)
    if others > 0 and not held.is_alone:
        with contextlib.suppress(redis.RedisError):  # maintenance requests them later
            get_backends().notifier.notify_helpers(held.job_id, held.fence, others)


def transcribe_all_chunks(held: claims.Claim) -> None:
    """Transcribe chunks until none is left; those of helpers included."""
    began = time.monotonic()
    is_first = True
    while True:
        if not is_first:
            _make_way_if_due(held, time.monotonic() - began)
        is_first = False
        with unit_of_work():
            claims.report(held, "Transcribing")
            chunk = chunks.claim_next(held.job_id, held.worker)
            _, undone = chunks.left(held.job_id)
        if chunk is not None:
            _transcribe_or_release(chunk)
        elif undone == 0:
            return
        else:
            _wait_for_helpers(held.job_id)


def _make_way_if_due(held: claims.Claim, ran_seconds: float) -> None:
    """Let another user's job run first, between two chunks; what is done stays done."""
    if held.is_alone:
        return  # the machine would stay closed for others
    queue = KINDS[held.kind].queue
    is_due = fairness.must_make_way(held.job_id, held.user_id, queue, ran_seconds=ran_seconds)
    release()
    if is_due:
        raise MadeWay


def _wait_for_helpers(job_id: int) -> None:
    """Wait until a helper's chunk ends, at most until the next heartbeat is due.

    If the wake-up is lost with its helper or with Redis, the owner looks again a second later.
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
        return  # another worker claimed this chunk; the next heartbeat shows whether the job is still ours
    except JobError:
        release()
        with unit_of_work():
            chunks.give_back(chunk)
        raise


def run_chunk(chunk: chunks.ChunkClaim) -> None:
    """Transcribe one chunk and store the result; publish its segments as they come."""
    try:
        with watchdog.watching(get_backends().settings.transcription_silence_seconds):
            outcome, vectors = _listen(chunk)
    except BlobMissing:  # usually deleted together with its recording
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
        "language_probability": transcription.language_probability,
        "retried_seconds": round(transcription.retried_seconds, 3),
        "repaired_seconds": round(transcription.repaired_seconds, 3),
        "voices": vectors,
    }
    progress = conflicts.in_unit(lambda: chunks.finish(chunk, result))
    get_backends().live.publish(
        chunk.topic,
        "progress",
        {
            "progress": progress,
            "message": "Transcribing",
            "eta_seconds": eta.seconds_left(TranscriptionPlan.from_json(chunk.plan).expected_at),
        },
    )


def _listen(chunk: chunks.ChunkClaim) -> tuple[recognition.ChunkTranscription, dict[str, Any] | None]:
    listener = ChunkListener(chunk)

    def keep_note(note: Mapping[str, Any]) -> None:
        with unit_of_work():
            chunks.keep_note(chunk, note)

    plan = TranscriptionPlan.from_json(chunk.plan)
    with get_backends().storage.local_path(plan.pcm_key) as path:
        audio = cut_out(source_pcm(read_pcm(path), chunk.position, plan), chunk.spans, chunk.position, plan)
        outcome = recognition.transcribe_chunk(
            _transcribers(),
            audio,
            hints.from_json(chunk.options),
            listener,
            recognition.Notes(dict(chunk.note), keep_note),
        )
        return outcome, _voices_of(outcome, audio, chunk.spans, plan.voice_step_seconds)


def _voices_of(
    outcome: recognition.ChunkTranscription, audio: AudioChunk, spans: Sequence[Span], step: float | None
) -> dict[str, Any] | None:
    """Return voice vectors: some of each speaker whom the engine labelled, otherwise one every `step` seconds."""
    if step is None:
        return None
    segments = outcome.hypothesis.segments
    if outcome.is_diarized or len({segment.speaker for segment in segments}) > 1:
        return voices.embed_some(audio.samples, audio.start, segments)
    return voices.embed(audio.samples, audio.start, spans, step)


def _with_all_voices(
    held: claims.Claim, plan: TranscriptionPlan, results: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Complete the voice vectors of chunks whose labels turned out not to be enough, because engines differ."""
    found, missing = list(results), assembling.chunks_to_embed(results, plan)
    if not missing or plan.voice_step_seconds is None:
        return found
    with unit_of_work():
        pieces = chunks.spans_of(held.job_id)
    try:
        with get_backends().storage.local_path(plan.pcm_key) as path:
            for at in missing:
                audio = cut_out(source_pcm(read_pcm(path), at, plan), pieces[at], at, plan)
                vectors = voices.embed(audio.samples, audio.start, pieces[at], plan.voice_step_seconds)
                found[at] = {**found[at], "voices": vectors}
    except BlobMissing:
        raise PermanentJobError("The audio of this recording is gone.", code="audio_missing") from None
    return found


def assemble(held: claims.Claim, plan: TranscriptionPlan) -> tuple[AssembledTranscript, str]:
    """Make one transcript from the results of all chunks; return it with the names of its engines."""
    with unit_of_work():
        claims.report(held, "Assembling the transcript", 97)
        results = chunks.results(held.job_id)
    whole = assembling.assemble(_with_all_voices(held, plan, results), plan, hints.from_json(held.options))
    return whole, ", ".join(whole.engines)[:120] or _first_engine(held)


def _keep(held: claims.Claim, plan: TranscriptionPlan) -> str:
    """Store the transcript; return the names of its engines."""
    whole, engine = assemble(held, plan)

    def store() -> None:
        claims.keep_plan(held, replace(plan, ignored_options=tuple(whole.ignored_options)).to_json())
        transcripts.store(
            held,
            [transcripts.to_json(segment) for segment in whole.segments],
            language=whole.language,
            engine=engine,
            duration_seconds=plan.duration_seconds,
            voices=whole.voices,
            about_file=transcripts.AboutFile(plan.tracks, plan.warnings, plan.skipped_seconds),
            ignored_options=whole.ignored_options,
            quality=whole.quality.to_json(),
        )

    conflicts.in_unit(store)
    return engine

"""Transcribe audio for one request without keeping it: a job does the work, the request waits for its result.

    job_id = clips.submit(actor, incoming, ClipOptions(language="en"))
    result = clips.wait(actor, job_id, seconds=30)    # or: for segment in clips.follow(actor, job_id)

The file is a blob of the job, deleted when the job ends. The result is a row, deleted when it is read or after
`KEEP_RESULT`. The options, which may hold a prompt, are erased when the job ends.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Final

import redis
import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from speakr import live
from speakr.backends import get_backends
from speakr.db import after_commit, db, release, unit_of_work
from speakr.domain.clips import MAX_KNOWN_SPEAKERS, ClipOptions, ClipResult, ClipSegment, KnownSpeaker
from speakr.domain.clock import now
from speakr.domain.errors import Busy, Invalid, NotFound, PermanentJobError, SpeakrError, Unavailable
from speakr.domain.jobs import ACTIVE, JobKind, JobState
from speakr.domain.permissions import Actor, Permission
from speakr.domain.transcript import Hints
from speakr.models import Clip, Job, User
from speakr.services.accounts import budgets, usage
from speakr.services.jobs import blobs, claims, processing, requests
from speakr.services.jobs.kinds import Steps
from speakr.services.recordings import access, intake, size_limits
from speakr.services.recordings.intake import delete_blobs
from speakr.services.recordings.uploads import IncomingFile
from speakr.services.speech import engines, hints, transcripts
from speakr.storage.base import new_key, put_bytes

logger = structlog.get_logger(__name__)

__all__ = ["ClipOptions", "ClipResult", "ClipSegment", "KnownSpeaker"]

KEEP_RESULT: Final = timedelta(minutes=10)
MAX_WAITING_PER_WORKER: Final = 8
"""Queued clips per worker, of all users; a further request is refused with `Busy`."""
BUSY_SECONDS: Final = 10.0
"""After which a refused client may try again."""
MIN_RANGE_SECONDS: Final = 0.1

_LOOK_SECONDS = 1.0
_WITHOUT_REDIS_SECONDS = 0.2
_UNUSABLE = frozenset(
    {
        "empty_file",
        "not_media",
        "no_audio_stream",
        "undecodable",
        "too_long",
        "unsupported_format",
        "dictation",
    }
    | {"unusable_media"}
)
_OF_SERVER = frozenset({"provider_rejected", "provider_too_large", "voice_model_missing"})
"""Codes of failures that only the operator can end."""
_PASSING = frozenset(
    {"provider_unavailable", "provider_busy", "temporarily_unavailable", "media_tool_failed", "out_of_space"}
    | {"internal_error"}
)


# -- submitting


def submit(actor: Actor, incoming: IncomingFile, options: ClipOptions) -> int:
    """Queue the transcription of a received file; return the id of the job. Slow: the file is synced and examined.

    Raises:
        UnusableMedia, TooLarge, OutOfSpace: the file cannot be transcribed.
        Invalid: an option is wrong. Forbidden: the audio budget is used up.
        Busy: too many clips wait already.

    """
    _check(options)
    _require_room()
    limits = size_limits.current()
    file = incoming.make_durable()
    try:
        info = intake.look_at(file.key, file.size_bytes, limits)
        return _queue(actor, options, info.duration_seconds or 0.0, {"key": file.key}, [file.key])
    except BaseException:
        delete_blobs([file.key])
        raise


def submit_range(actor: Actor, recording_id: int, start: float, end: float, options: ClipOptions) -> int:
    """Queue the transcription of a range of a stored recording, in seconds; return the id of the job.

    Times of the result count from `start`. Nothing of the recording changes.

    Raises:
        NotFound: the actor may not see the recording.
        Invalid: the range is not inside the recording, or its audio is deleted (`audio_deleted`).
        Forbidden, Busy: as in `submit`.

    """
    _check(options)
    _require_room()
    recording = access.get(actor, recording_id, Permission.VIEW)
    if recording.storage_key is None:
        raise Invalid("Audio has been deleted", code="audio_deleted")
    length = recording.audio_duration
    if not 0 <= start <= end - MIN_RANGE_SECONDS or (length is not None and end > length + 1):
        whole = "" if length is None else f", which is {length:.3f} s long"
        message = f"must be a range of at least {MIN_RANGE_SECONDS} s inside the recording{whole}"
        raise Invalid(f"start and end {message}", errors={"end": [message]})
    source = {"recording_id": recording.id, "start": start, "end": end}
    return _queue(actor, options, end - start, source, [])


def _check(options: ClipOptions) -> None:
    processing.check_speaker_counts(options.min_speakers, options.max_speakers)
    if options.translate and not engines.translates():
        raise Invalid("The speech engine of this server does not translate.", code="translation_unsupported")
    if options.known_speakers and not options.diarize:
        raise Invalid("Known speakers need diarization.", code="speakers_not_wanted")
    if len(options.known_speakers) > MAX_KNOWN_SPEAKERS:
        message = f"at most {MAX_KNOWN_SPEAKERS} speakers"
        raise Invalid(f"known_speaker_names: {message}", errors={"known_speaker_names": [message]})


def _require_room() -> None:
    """Refuse a clip while many wait: a request that waits in vain would only keep others waiting."""
    waiting = db.session.scalar(
        select(func.count()).where(Job.kind == JobKind.CLIP, Job.state == JobState.QUEUED)
    )
    release()
    if (waiting or 0) >= MAX_WAITING_PER_WORKER * max(1, get_backends().settings.worker_count):
        raise busy()


def busy() -> Busy:
    """Return the refusal of a clip that no worker can take soon."""
    return Busy("All workers are busy. Try again later.", retry_after_seconds=BUSY_SECONDS)


def _queue(
    actor: Actor, options: ClipOptions, seconds: float, source: Mapping[str, Any], keys: Sequence[str]
) -> int:
    """Insert the job, its row and its blobs in one transaction."""
    references: list[dict[str, str]] = []
    try:
        for known in options.known_speakers:
            key = new_key("audio")
            put_bytes(get_backends().storage, key, known.audio)
            references.append({"name": known.name, "key": key})
        wanted = {
            **hints.to_json(_hints(options)),
            "diarize": options.diarize,
            "live": options.live,
            "source": dict(source),
            "references": references,
        }
        with unit_of_work() as session:
            budgets.admit_transcription(actor.user_id, seconds=seconds)
            user = session.get_one(User, actor.user_id)
            job, _ = requests.submit(user, JobKind.CLIP, wanted, part=uuid.uuid4().hex)
            session.add(Clip(job_id=job.id, duration_seconds=seconds))
            for key in [*keys, *(each["key"] for each in references)]:
                blobs.adopt(job.id, key)
            return job.id
    except BaseException:
        delete_blobs(each["key"] for each in references)
        raise


def _hints(options: ClipOptions) -> Hints:
    model = options.model if options.model and options.model in engines.offered_models() else None
    release()
    return Hints(
        language=options.language or None,
        min_speakers=options.min_speakers,
        max_speakers=options.max_speakers,
        hotwords=options.hotwords,
        initial_prompt=options.prompt,
        model=model,
        translate=options.translate or None,
    )


# -- waiting


def wait(actor: Actor, job_id: int, seconds: float) -> ClipResult | None:
    """Wait at most so many seconds for a result and delete it; return None if it is not there yet.

    Raises:
        NotFound: the actor has no such clip, or its result was read before.
        Invalid: the audio cannot be used, or the job was cancelled (`cancelled`).
        Unavailable: the work failed; with a time after which to try again if that may help.

    """
    deadline = time.monotonic() + seconds
    after = "0-0"
    while True:
        if not is_active(actor, job_id):
            return _take(actor, job_id)
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        messages = _read(job_id, after, min(left, _LOOK_SECONDS))
        after = messages[-1].id if messages else after


def follow(actor: Actor, job_id: int) -> Iterator[ClipSegment]:
    """Yield the segments of a clip as they are recognised, each once; end when the work has ended.

    Their speakers are not known yet, and words at cuts may still change: `wait` has the final text.
    """
    return (each for each in follow_with_pauses(actor, job_id) if each is not None)


def follow_with_pauses(actor: Actor, job_id: int) -> Iterator[ClipSegment | None]:
    """Yield segments as `follow` does, and None about once a second while there is none."""
    seen: set[str] = set()
    after = "0-0"
    while True:
        is_last = not is_active(
            actor, job_id
        )  # before the read: what was published before the end is read below
        messages = _read(job_id, after, 0.001 if is_last else _LOOK_SECONDS)
        for message in messages:
            after = message.id
            # A chunk that is transcribed again repeats its segments under the same ids.
            if message.kind == "segment" and message.data["id"] not in seen:
                seen.add(message.data["id"])
                yield transcripts.from_json({**message.data, "words": (), "overlap": False})
        if is_last and not messages:
            return
        if not messages:
            yield None


def is_active(actor: Actor, job_id: int) -> bool:
    """Tell whether a clip is queued or running. Raises `NotFound`."""
    release()
    try:
        return _load(actor, job_id).state in ACTIVE
    finally:
        release()


def has_started(actor: Actor, job_id: int) -> bool:
    """Tell whether a worker has begun a clip, or it has ended. Raises `NotFound`."""
    release()
    try:
        job = _load(actor, job_id)
        return job.started_at is not None or job.state not in ACTIVE
    finally:
        release()


def cancel(actor: Actor, job_id: int) -> None:
    """Stop the work on a clip whose result is not wanted any more, and forget the result if there is one."""
    with unit_of_work() as session:
        if _load(actor, job_id).state in ACTIVE:
            requests.cancel(actor, job_id)
        else:
            session.execute(delete(Clip).where(Clip.job_id == job_id))


def abandon(actor: Actor, job_id: int) -> None:
    """Cancel a clip when its request has failed already; never raise. A result that stays behind expires."""
    try:
        cancel(actor, job_id)
    except (SpeakrError, SQLAlchemyError):
        logger.warning("clip_not_cancelled", job_id=job_id)


def _load(actor: Actor, job_id: int) -> Job:
    job = requests.get(actor, job_id)
    if job.kind != JobKind.CLIP:
        raise NotFound("Job not found")
    return job


def _read(job_id: int, after: str, seconds: float) -> Sequence[live.LiveMessage]:
    try:
        return get_backends().live.read(live.of_job(job_id), after, seconds)
    except redis.RedisError:
        time.sleep(min(seconds, _WITHOUT_REDIS_SECONDS))  # the rows show the end a little later
        return ()


def _take(actor: Actor, job_id: int) -> ClipResult:
    with unit_of_work() as session:
        job = _load(actor, job_id)
        if job.state is not JobState.SUCCEEDED:
            raise _failure(job)
        row = session.execute(delete(Clip).where(Clip.job_id == job_id).returning(Clip.result)).first()
        if row is None or row.result is None:
            raise NotFound("The result was read before, or has expired.")
        after_commit(lambda: get_backends().live.forget(live.of_job(job_id)))
        return _from_json(row.result)


def _failure(job: Job) -> Exception:
    code, message = job.error_code or "job_failed", job.error_message or "Processing failed."
    if job.state is JobState.CANCELLED:
        return Invalid("The transcription was cancelled.", code="cancelled")
    if code in _UNUSABLE:
        return Invalid(message, code=code)
    if code in _PASSING:
        error = Busy(message, retry_after_seconds=BUSY_SECONDS)
        error.slug = code
        return error
    return Unavailable(message, code=code) if code in _OF_SERVER else PermanentJobError(message, code=code)


# -- what the job does


def source_of(held: claims.Claim) -> Mapping[str, Any]:
    """Return what to transcribe: {key}, or {recording_id, start, end}."""
    source: Mapping[str, Any] = held.options["source"]
    return source


def store(held: claims.Claim, result: ClipResult) -> None:
    """End the job and store its result, in a unit of work. Raises `ClaimLost`."""
    job = claims.succeed(held)
    _forget_options(job)
    db.session.execute(
        update(Clip)
        .where(Clip.job_id == job.id)
        .values(result=_to_json(result), duration_seconds=result.duration_seconds, finished_at=now())
    )
    usage.add(job.user_id, transcribed_seconds=result.duration_seconds)


def _forget_options(job: Job) -> None:
    """Erase the options of an ended job, and wake the requests that wait for it."""
    job.options = {}
    job.plan = None
    feed, topic = get_backends().live, live.of_job(job.id)
    after_commit(lambda: feed.publish(topic, "end", {}))


def _end(job: Job) -> None:
    _forget_options(job)
    db.session.execute(delete(Clip).where(Clip.job_id == job.id))


STEPS = Steps(on_failed=_end, on_cancelled=_end)


def forget_old() -> None:
    """Delete results that were not read in time; maintenance calls this in a unit of work."""
    db.session.execute(delete(Clip).where(Clip.finished_at < now() - KEEP_RESULT))


def _to_json(result: ClipResult) -> dict[str, Any]:
    return {**asdict(result), "segments": [transcripts.to_json(segment) for segment in result.segments]}


def _from_json(stored: Mapping[str, Any]) -> ClipResult:
    return ClipResult(
        **{**stored, "segments": [transcripts.from_json(segment) for segment in stored["segments"]]}
    )

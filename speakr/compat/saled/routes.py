"""The routes: transcription jobs are recordings of the user; texts that are posted are not kept with any."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, request

from speakr import __version__
from speakr.compat.saled.schemas import answers, forms
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.services.accounts import opaque_ids
from speakr.services.jobs import progress
from speakr.services.jobs.progress import Progress
from speakr.services.recordings import access, uploads
from speakr.services.speech import engines, transcripts
from speakr.web.identity import actor, needs, public
from speakr.web.multipart import receive_upload
from speakr.web.rate_limits import RateClass
from speakr.web.sockets import Connection, socket_route
from speakr.web.transcription_feed import Gone, Recognised, follow_transcription

blp = Blueprint("saled", __name__)

_MAX_JOBS = 100


@blp.get("/health")
@public
def health() -> dict[str, Any]:
    """Tell that the server answers."""
    return {"status": "healthy", "timestamp": time.time()}


@blp.get("/")
@public
def root() -> dict[str, Any]:
    """Describe the service."""
    parts = ("transcribe", "summary", "chat", "retranslate")
    return {
        "name": "Speakr",
        "version": __version__,
        "endpoints": {part: f"/saled/api/{part}" for part in parts},
    }


@blp.get("/api/transcribe/models")
@needs(Scope.READ, RateClass.GET)
def list_models() -> dict[str, Any]:
    """List the models."""
    return {"models": answers.models(engines.transcription().all_models, forms.USUAL_MODELS)}


@blp.post("/api/transcribe/")
@needs(Scope.WRITE, RateClass.PROCESSING)
def transcribe() -> dict[str, Any]:
    """Upload audio as a new recording; its transcription is queued."""
    with uploads.begin() as incoming:
        form = forms.upload_form(receive_upload(request, incoming))
        recording, _ = incoming.complete(actor(), form)
    job_id = opaque_ids.encode(answers.RECORDING, recording.id)
    return {"job_id": job_id, "status": "processing", "message": "Transcription started"}


@blp.get("/api/transcribe/jobs")
@needs(Scope.READ, RateClass.GET)
def list_jobs() -> dict[str, Any]:
    """List the newest jobs, which are the user's newest recordings."""
    jobs = [answers.status(made) for made in progress.newest(actor(), _MAX_JOBS)]
    return {"jobs": jobs, "count": len(jobs)}


@blp.get("/api/transcribe/status/<job_id>")
@needs(Scope.READ, RateClass.STATUS)
def show_status(job_id: str) -> dict[str, Any]:
    """Return the state of a job; also of an unknown one."""
    try:
        return answers.status(_find(job_id))
    except NotFound:
        return answers.unknown(job_id)


@blp.get("/api/transcribe/result/<job_id>")
@needs(Scope.READ, RateClass.GET)
def show_result(job_id: str) -> dict[str, Any]:
    """Return the transcript."""
    made = _find(job_id)
    if not made.is_transcribed:
        raise NotFound(f"The result is not ready: {answers.message_of(made)}")
    recording = access.get(actor(), made.recording_id, Permission.VIEW)
    segments = _segments(recording.id)
    return {
        "segments": segments,
        "text": " ".join(each["text"] for each in segments),
        "language": recording.language or "",
        "audio_duration": float(recording.audio_duration or 0.0),
    }


@blp.get("/api/transcribe/debug/<job_id>")
@needs(Scope.READ, RateClass.GET)
def debug(job_id: str) -> dict[str, Any]:
    """Return what is stored of a job."""
    made = _find(job_id)
    return answers.debug(made, _segments(made.recording_id) if made.is_transcribed else [])


@socket_route(blp, "/api/transcribe/live/<job_id>")
@needs(Scope.READ, RateClass.GET)
def live(connection: Connection, job_id: str) -> None:
    """Send status frames and segments of one job until its transcription is over."""
    number = opaque_ids.decode(answers.RECORDING, job_id) or 0
    try:
        for update in follow_transcription(actor(), number, connection.keep):
            if isinstance(update, Recognised):
                connection.send(answers.segment(update.segment))
            else:
                connection.send(
                    answers.unknown_frame() if isinstance(update, Gone) else answers.frame(update)
                )
    except NotFound:
        connection.send(answers.unknown_frame())


def _find(job_id: str) -> Progress:
    """Return the transcription with this id. Raises `NotFound` also for another user's."""
    try:
        return progress.of_recording(actor(), opaque_ids.decode(answers.RECORDING, job_id) or 0)
    except NotFound:
        raise NotFound(answers.UNKNOWN_JOB) from None


def _segments(recording_id: int) -> list[dict[str, Any]]:
    """Return the segments with words of a recording that the caller may see."""
    kept = (transcripts.to_json(each) for each in transcripts.labelled_segments_of(recording_id))
    return [answers.segment(each) for each in kept if each["text"].strip()]

"""The routes: transcription jobs are recordings of the user; texts that are posted are not kept with any."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

from flask import Blueprint, request

from speakr import __version__
from speakr.compat.saled import schemas_answers as answers
from speakr.compat.saled import schemas_bodies as bodies
from speakr.compat.saled import schemas_forms as forms
from speakr.db import unit_of_work
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.services.jobs import progress
from speakr.services.jobs.progress import Progress
from speakr.services.language import language_model, posted_chat, posted_summaries
from speakr.services.recordings import access, uploads
from speakr.services.speech import engines, transcripts
from speakr.services.speech.clips import submit_range
from speakr.web import clips
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
    endpoints = {part: f"/saled/api/{part}" for part in parts}
    return {"name": "Speakr", "version": __version__, "endpoints": endpoints}


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
    job_id = answers.job_id_of(recording.id)
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
    return answers.result(_segments(made), recording.language, recording.audio_duration)


@blp.get("/api/transcribe/debug/<job_id>")
@needs(Scope.READ, RateClass.GET)
def debug(job_id: str) -> dict[str, Any]:
    """Return what is stored of a job."""
    made = _find(job_id)
    return answers.debug(made, _segments(made))


@socket_route(blp, "/api/transcribe/live/<job_id>")
@needs(Scope.READ, RateClass.GET)
def live(connection: Connection, job_id: str) -> None:
    """Send status frames and segments of one job until its transcription is over."""
    number = answers.recording_of(job_id)
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
        return progress.of_recording(actor(), answers.recording_of(job_id))
    except NotFound:
        raise NotFound(answers.UNKNOWN_JOB) from None


def _segments(made: Progress) -> list[dict[str, Any]]:
    """Return the segments with words of a recording that the caller may see, or what is stored of them so far."""
    if not made.is_transcribed:
        return answers.segments(progress.segments_so_far(made))
    return answers.segments(map(transcripts.to_json, transcripts.labelled_segments_of(made.recording_id)))


@blp.post("/api/summary/")
@needs(Scope.PROCESS, RateClass.PROCESSING)
@bodies.takes(bodies.SummaryIn)
def summarise(body: dict[str, Any]) -> dict[str, Any]:
    """Queue a summary of a posted text."""
    lines = bodies.lines_of(body)
    with unit_of_work():
        job_id = answers.summary_id_of(
            posted_summaries.create(actor(), lines, body["format"], body["max_length"])
        )
    return {"job_id": job_id, "status": "processing", "message": "Summary started"}


@blp.get("/api/summary/<job_id>")
@needs(Scope.READ, RateClass.GET)
def show_summary(job_id: str) -> dict[str, Any]:
    """Return a summary."""
    return answers.summary(posted_summaries.get(actor(), answers.summary_of(job_id)))


@blp.get("/api/summary/status/<job_id>")
@needs(Scope.READ, RateClass.STATUS)
def show_summary_status(job_id: str) -> dict[str, Any]:
    """Return the state of a summary."""
    return answers.summary_status(posted_summaries.get(actor(), answers.summary_of(job_id)))


@blp.get("/api/chat/models")
@needs(Scope.READ, RateClass.GET)
def list_chat_models() -> dict[str, Any]:
    """List the language model, which is one per server."""
    return {"models": [asdict(language_model.describe())]}


@blp.post("/api/chat/")
@needs(Scope.PROCESS, RateClass.PROCESSING)
@bodies.takes(bodies.ChatIn)
def chat(body: dict[str, Any]) -> dict[str, Any]:
    """Answer a question about a posted text."""
    question, history, notes = bodies.conversation_of(body)
    answer = posted_chat.ask(
        actor(), bodies.lines_of(body), question, history, notes=notes, **bodies.sampling_of(body)
    )
    return answers.chat(answer)


@blp.post("/api/retranslate/segment")
@needs(Scope.PROCESS, RateClass.PROCESSING)
def retranscribe_clip() -> dict[str, Any]:
    """Transcribe a posted clip of a segment."""
    clip = forms.ClipForm()
    result = clips.result_of(clips.receive(clip.read))
    return answers.clip(clip.segment_id, result)


@blp.post("/api/retranslate/segment-from-full")
@needs(Scope.PROCESS, RateClass.PROCESSING)
@bodies.takes(bodies.RangeIn)
def retranscribe_range(body: dict[str, Any]) -> dict[str, Any]:
    """Transcribe a range of an uploaded file again; its transcript stays."""
    made = _find(request.args.get("job_id", ""))
    options = forms.clip_options(body["model_name"], body["language"])
    job_id = submit_range(actor(), made.recording_id, body["start_time"], body["end_time"], options)
    return answers.clip(body["segment_id"], clips.result_of(job_id))

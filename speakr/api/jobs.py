"""Jobs of recordings: queue, list, cancel, retry."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.jobs import JobListOut, JobListQuery, JobOut, QueuedOut, SummarizeIn, TranscribeIn
from speakr.db import unit_of_work
from speakr.domain.jobs import JobState
from speakr.domain.permissions import Scope
from speakr.services.jobs import processing
from speakr.services.jobs import requests as jobs
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("jobs", "Background work on recordings")


def queued(job: Any, is_new: bool, what: str) -> dict[str, Any]:  # noqa: FBT001 - every caller has just got it
    """Return the response to a request that queued work (`QueuedOut`)."""
    message = f"{what} queued" if is_new else f"{what} was already queued"
    return {"success": True, "job_id": str(job.id), "status": "QUEUED", "message": message}


@blp.route("/recordings/<id:recording_id>/transcribe")
class Transcribe(MethodView):
    """A new transcription of a recording."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="transcribeRecording")
    @blp.arguments(TranscribeIn, required=False)
    @blp.response(200, QueuedOut)
    def post(self, asked: dict[str, Any], recording_id: int) -> Any:
        """Queue a transcription; the present text stays until the new one is complete."""
        with unit_of_work():
            job, is_new = processing.transcribe(actor(), recording_id, asked)
            return queued(job, is_new, "Transcription")


@blp.route("/recordings/<id:recording_id>/summarize")
class Summarize(MethodView):
    """A new summary of a recording."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="summarizeRecording")
    @blp.arguments(SummarizeIn, required=False)
    @blp.response(200, QueuedOut)
    def post(self, asked: dict[str, Any], recording_id: int) -> Any:
        """Queue a summary; the present one stays until the new one is complete."""
        with unit_of_work():
            job, is_new = processing.summarize(actor(), recording_id, asked.get("custom_prompt"))
            return queued(job, is_new, "Summarization")


@blp.route("/jobs")
class Jobs(MethodView):
    """All of a user's jobs."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listJobs")
    @blp.arguments(JobListQuery, location="query")
    @blp.response(200, JobListOut)
    def get(self, query: dict[str, Any]) -> Any:
        """List jobs, newest first."""
        found = jobs.list_for(
            actor(),
            recording_id=query.get("recording_id"),
            state=JobState(query["state"]) if "state" in query else None,
            limit=query["limit"],
        )
        return {"jobs": found, "limit": query["limit"]}


@blp.route("/jobs/<id:job_id>")
class Job(MethodView):
    """One job."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getJob")
    @blp.response(200, JobOut)
    def get(self, job_id: int) -> Any:
        """Return a job."""
        return jobs.get(actor(), job_id)


@blp.route("/jobs/<id:job_id>/cancel")
class CancelJob(MethodView):
    """Cancellation of a job."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @blp.doc(operationId="cancelJob")
    @blp.response(200, JobOut)
    def post(self, job_id: int) -> Any:
        """Cancel a job: at once while it is queued, within seconds while it runs."""
        with unit_of_work():
            return jobs.cancel(actor(), job_id)


@blp.route("/jobs/<id:job_id>/retry")
class RetryJob(MethodView):
    """A retry of a job."""

    @needs(Scope.PROCESS, RateClass.PROCESSING)
    @idempotent
    @blp.doc(operationId="retryJob")
    @blp.response(202, JobOut)
    def post(self, job_id: int) -> Any:
        """Queue the work of a failed or cancelled job again, with the same options."""
        with unit_of_work():
            return processing.retry(actor(), job_id)

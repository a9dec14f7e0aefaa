"""Transcript, summary and notes of a recording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from flask.views import MethodView

from speakr.api.at_version import at_version
from speakr.api.blueprint import noun
from speakr.api.if_match import if_match
from speakr.api.schemas.transcript_corrections import TranscriptEditedOut, TranscriptIn
from speakr.api.schemas.transcripts import (
    NotesIn,
    NotesOut,
    NotesSavedOut,
    SummaryIn,
    SummaryOut,
    SummarySavedOut,
    TranscriptOut,
    TranscriptQuery,
)
from speakr.api.transcript_shapes import as_json, edited
from speakr.db import unit_of_work
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.domain.transcript import is_long
from speakr.offload import drop, run_cpu
from speakr.services import exports, long_reads
from speakr.services.corrections import corrections, history
from speakr.services.language import summaries
from speakr.services.recordings import access, editing, holding
from speakr.services.speech import paragraphs, transcripts
from speakr.web.downloads import content_disposition
from speakr.web.identity import actor, needs
from speakr.web.json import json_response, written_response
from speakr.web.rate_limits import RateClass

blp = noun("transcripts", "The texts of a recording")


@blp.route("/recordings/<id:recording_id>/transcript")
class Transcript(MethodView):
    """The transcript of a recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getTranscript")
    @blp.arguments(TranscriptQuery, location="query")
    @blp.response(200, TranscriptOut)
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """Return the transcript in the format that `format` names.

        The response is JSON for every format of text, unless the client's `Accept` prefers plain text. A binary format
        is sent as a file.
        """
        name = exports.format_named(query["format"])
        recording = access.get(actor(), recording_id, Permission.VIEW)
        if not recording.is_transcribed:
            raise NotFound("No transcription available", code="no_transcription")
        with long_reads.whole_transcript(recording.id):
            return _shown(recording, name, query)

    @needs(Scope.WRITE, RateClass.WRITE)
    @at_version(lambda ids: Transcript().get(recording_id=ids["recording_id"]))
    @blp.doc(operationId="correctTranscript")
    @blp.arguments(TranscriptIn)
    @blp.response(200, TranscriptEditedOut)
    def put(self, body: dict[str, Any], recording_id: int, revision: int | None) -> Any:
        """Replace the text, or the segments. Words that stay keep their times and speakers."""
        return edited(corrections.replace(actor(), recording_id, body, revision=revision))


def _shown(recording: Any, name: str, query: dict[str, Any]) -> Response:
    is_json = name == exports.DATA
    with_words = is_json and query["words"].lower() == "true"
    revision, segments = _version(recording, query["version"], with_words=with_words)
    long = is_long(segments)
    if is_json:
        body = run_cpu(lambda: as_json(revision, segments, with_words=with_words), is_long=long)
        drop(segments)
        return written_response(body)
    if name == "text" and query["style"] == "paragraphs":
        # An earlier version, and the recognised one, are formatted as recognised.
        present = recording.id if query["version"] == history.CURRENT else None
        content = paragraphs.format_segments(segments, recording_id=present)
        return _as_text(name, content, "text/plain")
    export = exports.export(actor(), name, segments, paragraphs=query["paragraphs"].lower() == "true")
    if export.is_binary:
        return _as_file(export, f"transcript-{recording.id}.{export.extension}")
    content = run_cpu(lambda: "".join(str(piece) for piece in export.pieces), is_long=long)
    drop(segments)
    return _as_text(name, content, export.media_type)


def _as_text(name: str, content: str, media_type: str) -> Response:
    if _prefers_text():
        return Response(content, mimetype=media_type)
    return json_response({"format": name, "content": content})


def _version(recording: Any, version: str, *, with_words: bool) -> tuple[int, Sequence[Any]]:
    """Return a transcript and its revision. Words are many, so they are read from the database only if they are shown."""
    if version == history.CURRENT and not with_words:
        return recording.transcript_revision, transcripts.rows_of(recording.id)
    return history.read(actor(), recording.id, version)


def _as_file(export: exports.Export, filename: str) -> Response:
    response = Response(export.pieces, mimetype=export.media_type)
    response.headers["Content-Disposition"] = content_disposition(filename, as_attachment=True)
    return response


def _prefers_text() -> bool:
    """Return whether the caller prefers text to JSON; browsers and n8n, which accept anything, do not."""
    accepted = request.accept_mimetypes
    return max(accepted["text/plain"], accepted["text/vtt"]) > accepted["application/json"]


@blp.route("/recordings/<id:recording_id>/summary")
class Summary(MethodView):
    """The summary, in Markdown."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getSummary")
    @blp.response(200, SummaryOut)
    def get(self, recording_id: int) -> Any:
        """Return the summary."""
        recording = access.get(actor(), recording_id, Permission.VIEW, texts=("summary",))
        evidence = summaries.evidence_of(recording)
        return {"summary": recording.summary, "has_summary": recording.has_summary, **evidence}

    @needs(Scope.WRITE, RateClass.WRITE)
    @if_match(holding.lock_row)
    @blp.doc(operationId="replaceSummary")
    @blp.arguments(SummaryIn)
    @blp.response(200, SummarySavedOut)
    def put(self, body: dict[str, Any], recording_id: int) -> Any:
        """Replace the summary."""
        with unit_of_work():
            recording = editing.update(actor(), recording_id, {"summary": body["summary"]})
            return {"success": True, "summary": recording.summary}


@blp.route("/recordings/<id:recording_id>/notes")
class Notes(MethodView):
    """The owner's notes."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getNotes")
    @blp.response(200, NotesOut)
    def get(self, recording_id: int) -> Any:
        """Return the notes."""
        who = actor()
        recording = access.get(who, recording_id, Permission.VIEW, texts=("notes",))
        notes = recording.notes if recording.user_id == who.user_id else None
        return {"notes": notes, "has_notes": bool(notes)}

    @needs(Scope.WRITE, RateClass.WRITE)
    @if_match(holding.lock_row)
    @blp.doc(operationId="replaceNotes")
    @blp.arguments(NotesIn)
    @blp.response(200, NotesSavedOut)
    def put(self, body: dict[str, Any], recording_id: int) -> Any:
        """Replace the notes."""
        with unit_of_work():
            recording = editing.update(actor(), recording_id, {"notes": body["notes"]})
            return {"success": True, "notes": recording.notes}

"""Clio's notes: a note is a recording of the user, with its transcript as formatted text."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from speakr.compat.clio import schemas_notes as shapes
from speakr.compat.clio.noun import USER_RATE, noun
from speakr.db import unit_of_work
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.permissions import Permission, Scope
from speakr.services import long_reads
from speakr.services.corrections import corrections
from speakr.services.jobs import processing
from speakr.services.recordings import access, editing, listing, removal, tagging, uploads
from speakr.services.recordings.intake import UploadForm
from speakr.services.search import numbered_pages
from speakr.services.speech import paragraphs, transcripts
from speakr.web.audio_form import naming_field, receive_audio
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.multipart import multipart_body
from speakr.web.pages import page_url
from speakr.web.wire import moment

AUDIO_FIELD, MIN_BYTES, MAX_MB = "audio_file", 1024, 50
_SHOWN_SEGMENTS = 20
"""Of each note in a list."""
_MAX_PAGE = 1_000_000

blp = noun("notes", "Audio with its text")


@blp.route("/notes/")
class Notes(MethodView):
    """All notes of a user."""

    @needs(Scope.READ, USER_RATE)
    @blp.doc(operationId="clioListNotes")
    @blp.arguments(shapes.NoteQuery, location="query")
    @blp.response(200, shapes.NoteListOut)
    def get(self, query: dict[str, Any]) -> Response:
        """List notes, newest first by default."""
        page, size = _number(query["page"]), min(_number(query["page_size"]) or 20, shapes.MAX_PAGE_SIZE)
        filters, order, terms = shapes.filters_of(query), shapes.order_of(query), shapes.terms_of(query)
        if not page or page > _MAX_PAGE:
            raise NotFound("Invalid page.")
        found = numbered_pages.page_of(actor(), filters, order, terms=terms, page=page, per_page=size)
        if page > 1 and not found.rows:
            raise NotFound("Invalid page.")
        texts = paragraphs.beginnings([row.id for row in found.rows], segments=_SHOWN_SEGMENTS)
        who = actor()
        return json_response(
            {
                "count": found.total,
                "next": page_url(page + 1) if page * size < found.total else None,
                "previous": page_url(page - 1) if page > 1 else None,
                "results": [
                    shapes.note_item(
                        row, who.username, found.tags.get(row.id, ()), texts.get(row.id, ""), who.user_id
                    )
                    for row in found.rows
                ],
            }
        )

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioCreateNote", **multipart_body(shapes.NoteForm))
    @blp.response(201, shapes.NoteCreatedOut)
    def post(self) -> Response:
        """Upload audio of 1 KiB to 50 MB; its transcription is queued. Without a title, the first words become it."""
        with uploads.begin(max_mb=MAX_MB) as incoming:
            received = receive_audio(request, incoming, file_field=AUDIO_FIELD, min_bytes=MIN_BYTES)
            tag_ids = _tag_ids(received.fields.getlist("tag_ids"))
            form = UploadForm(
                filename=received.require_file().filename,
                title=_title(received.fields.get("title", "")),
                takes_title_from_words=True,
                tag_ids=[tag.id for tag in tagging.required(actor(), tag_ids)],
            )
            with naming_field(AUDIO_FIELD):
                recording, _ = incoming.complete(actor(), form)
        message = "Voice note created successfully. Transcription in progress."
        return json_response({"success": True, "message": message, "data": _shown(recording)}, 201)


@blp.route("/notes/<id:note_id>/")
class Note(MethodView):
    """One note."""

    @needs(Scope.READ, USER_RATE)
    @blp.doc(operationId="clioGetNote")
    @blp.response(200, shapes.NoteOut)
    def get(self, note_id: int) -> Response:
        """Return a note with its text and segments."""
        return json_response(_shown(_own(note_id)))

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioReplaceNote")
    @blp.arguments(shapes.NoteUpdateIn)
    @blp.response(200, shapes.NoteOut)
    def put(self, body: dict[str, Any], note_id: int) -> Response:
        """Change the fields that are sent, as PATCH does."""
        return _changed(note_id, body)

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioUpdateNote")
    @blp.arguments(shapes.NoteUpdateIn)
    @blp.response(200, shapes.NoteOut)
    def patch(self, body: dict[str, Any], note_id: int) -> Response:
        """Change title, text, favourite or tags. Words of the text that stay keep their times."""
        return _changed(note_id, body)

    @needs(Scope.WRITE, USER_RATE)
    @blp.doc(operationId="clioDeleteNote")
    @blp.response(200, shapes.DoneOut)
    def delete(self, note_id: int) -> Any:
        """Delete a note with its audio."""
        _own(note_id)
        with unit_of_work():
            removal.delete(actor(), note_id)
        return {"success": True, "message": "Voice note deleted successfully"}


@blp.route("/notes/<id:note_id>/retranscribe/")
class Retranscribe(MethodView):
    """Another transcription of a note."""

    @needs(Scope.PROCESS, USER_RATE)
    @blp.doc(operationId="clioRetranscribeNote")
    @blp.arguments(shapes.RetranscribeIn)
    @blp.response(200, shapes.RetranscribedOut)
    def post(self, body: dict[str, Any], note_id: int) -> Any:
        """Transcribe a note again; title, favourite and tags stay. If it fails, the earlier text is back."""
        language = shapes.language_of(body["language"])
        with unit_of_work():
            recording = _own(note_id)
            _require_finished(recording)
            _, is_new = processing.transcribe(actor(), note_id, {"language": language or ""})
            if not is_new:
                raise _in_work()
        data = {"id": recording.id, "title": recording.title, "transcription": "", "status": "processing"}
        data |= {
            "language_detected": body["language"],
            "error_message": "",
            "updated_at": moment(recording.updated_at),
        }
        return {"success": True, "message": "Re-transcription started successfully", "data": data}


def _own(note_id: int) -> Any:
    """Return a recording of the user; those that others share are no notes."""
    recording = access.get(actor(), note_id, Permission.VIEW)
    if recording.user_id != actor().user_id:
        raise NotFound("Recording not found")
    return recording


def _require_finished(recording: Any) -> None:
    if shapes.status_of(recording) == "processing":
        raise _in_work()


def _in_work() -> Invalid:
    rule = "Note must be in 'failed' or 'completed' status to retranscribe"
    return Invalid("Cannot retranscribe note that is currently processing", errors={"status": [rule]})


def _shown(recording: Any) -> dict[str, Any]:
    """Return a note (`NoteOut`)."""
    is_ready = shapes.status_of(recording) != "processing"
    with long_reads.whole_transcript(recording.id):
        segments = transcripts.rows_of(recording.id) if is_ready else []
        text = paragraphs.format_segments(segments, recording_id=recording.id)
    who, tags = actor(), listing.tags_of([recording.id])[recording.id]
    item = shapes.note_item(recording, who.username, tags, text, who.user_id)
    shown = [shapes.segment_json(each) for each in segments]
    return item | {
        "transcription": text,
        "error_message": recording.error_message or "",
        "segments": shown,
    }


def _changed(note_id: int, body: dict[str, Any]) -> Response:
    recording = _own(note_id)
    if "tag_ids" in body:
        tagging.required(actor(), body["tag_ids"])  # before anything is changed
    if "transcription" in body and body["transcription"] != _shown(recording)["transcription"]:
        if not recording.is_transcribed or shapes.status_of(recording) == "processing":
            message = "The note has no text yet."
            raise Invalid(message, errors={"transcription": [message]})
        corrections.replace(actor(), note_id, {"text": body["transcription"]}, revision=None)
    changes = {name: body[name] for name in ("title",) if name in body}
    if "title" in changes:
        changes["title"] = _title(changes["title"]) or recording.title
    if "is_favorite" in body:
        changes["is_highlighted"] = body["is_favorite"]
    with unit_of_work():
        if "tag_ids" in body:
            tagging.replace(actor(), note_id, body["tag_ids"])
        if changes:
            editing.update(actor(), note_id, changes)
    return json_response(_shown(_own(note_id)))


def _title(text: str) -> str | None:
    """Return a title as Speakr stores it: up to 200 characters."""
    if len(text) > 255:  # noqa: PLR2004 - Clio's limit
        raise Invalid("The title is too long.", errors={"title": ["has at most 255 characters"]})
    return text.strip()[:200] or None


def _tag_ids(texts: list[str]) -> list[int]:
    parts = [part.strip() for each in texts for part in each.split(",") if part.strip()]
    numbers = [_number(part) for part in parts]
    if not all(numbers):
        raise Invalid("Tags are named by their ids.", errors={"tag_ids": ["must be ids"]})
    return numbers


def _number(text: str) -> int:
    """Return a number of up to nine digits, or 0."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0  # noqa: PLR2004

"""Clio's notes and tags: a note is a recording of the user, with its transcript as formatted text."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from speakr.compat.clio import schemas_notes as shapes
from speakr.compat.clio.noun import MEDIA, PREFIX, PROCESS, READ, USER_RATE, WRITE, noun
from speakr.db import unit_of_work
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services.corrections import whole_edits
from speakr.services.jobs import processing
from speakr.services.recordings import access, listing, removal, tagging, uploads
from speakr.services.recordings.intake import UploadForm
from speakr.services.search import numbered_pages
from speakr.services.speech import clips as services_clips
from speakr.services.speech import formatted_texts, paragraphs
from speakr.web import pages, signed_media
from speakr.web.audio_form import naming_field, receive_audio, title_of
from speakr.web.clips import result_of
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.multipart import multipart_body
from speakr.web.numbers import tag_ids_in, whole_number
from speakr.web.tag_routes import TagRoutes

_FILE: Any = {"file_field": "audio_file", "min_bytes": 1024}
_MAX_MB, _MAX_TITLE = 50, 255
_SHOWN_SEGMENTS = 20
"""Of each note in a list."""
_NOTE = "/notes/<id:note_id>/"

blp, clips = noun("notes", "Audio with its text"), noun("transcribe", "Transcription without a note")
media = noun("media", "The audio of notes", prefix=f"{PREFIX}{MEDIA.path}")
tags = noun("tags", "Labels for notes")
TagRoutes(
    rate=USER_RATE,
    created=shapes.TagIn,
    changed=shapes.TagUpdateIn,
    shown=shapes.TagOut,
    operation_prefix="clio",
).add(tags)


@blp.operation(
    "GET",
    "/notes/",
    READ,
    takes=shapes.NoteQuery,
    location="query",
    gives=shapes.NoteListOut,
    name="clioListNotes",
)
def list_notes(query: dict[str, Any]) -> Response:
    """List notes, newest first by default."""
    who, size = actor(), min(whole_number(query["page_size"]) or 20, shapes.MAX_PAGE_SIZE)
    filters, order, terms = shapes.filters_of(query), shapes.sorts_of(query), shapes.terms_of(query)
    page = pages.page_number(query["page"])
    found = numbered_pages.page_of(who, filters, order, terms=terms, page=page, per_page=size)
    texts = paragraphs.beginnings([row.id for row in found.rows], segments=_SHOWN_SEGMENTS)

    def show(row: Any) -> dict[str, Any]:
        return shapes.note_item(
            row, who.username, found.tags.get(row.id, ()), texts.get(row.id, ""), who.user_id
        )

    return json_response(pages.counted_page(found, page, size, show))


@blp.operation(
    "POST",
    "/notes/",
    WRITE,
    gives=shapes.NoteCreatedOut,
    status=201,
    name="clioCreateNote",
    **multipart_body(shapes.NoteForm),
)
def create_note() -> Response:
    """Upload audio of 1 KiB to 50 MB; its transcription is queued. Without a title, the first words become it."""
    with uploads.begin(max_mb=_MAX_MB) as incoming:
        received = receive_audio(request, incoming, **_FILE)
        tag_ids = tag_ids_in(received.fields.getlist("tag_ids"), field="tag_ids")
        form = UploadForm(
            filename=received.require_file().filename,
            title=title_of(received.fields.get("title", ""), _MAX_TITLE),
            takes_title_from_words=True,
            tag_ids=[tag.id for tag in tagging.required(actor(), tag_ids)],
        )
        with naming_field("audio_file"):
            recording, _ = incoming.complete(actor(), form)
    message = "Voice note created successfully. Transcription in progress."
    return json_response({"success": True, "message": message, "data": _shown(recording)}, 201)


@blp.operation("GET", _NOTE, READ, gives=shapes.NoteOut, name="clioGetNote")
def get_note(note_id: int) -> Response:
    """Return a note with its text and segments."""
    return json_response(_shown(access.own(actor(), note_id)))


@blp.operation("PUT", _NOTE, WRITE, takes=shapes.NoteUpdateIn, gives=shapes.NoteOut, name="clioReplaceNote")
def replace_note(body: dict[str, Any], note_id: int) -> Response:
    """Change the fields that are sent, as PATCH does."""
    return _changed(note_id, body)


@blp.operation("PATCH", _NOTE, WRITE, takes=shapes.NoteUpdateIn, gives=shapes.NoteOut, name="clioUpdateNote")
def update_note(body: dict[str, Any], note_id: int) -> Response:
    """Change title, text, favourite or tags. Words of the text that stay keep their times."""
    return _changed(note_id, body)


@blp.operation("DELETE", _NOTE, WRITE, gives=shapes.DoneOut, name="clioDeleteNote")
def delete_note(note_id: int) -> Any:
    """Delete a note with its audio."""
    access.own(actor(), note_id)
    with unit_of_work():
        removal.delete(actor(), note_id)
    return {"success": True, "message": "Voice note deleted successfully"}


@blp.operation(
    "POST",
    f"{_NOTE}retranscribe/",
    PROCESS,
    takes=shapes.RetranscribeIn,
    gives=shapes.RetranscribedOut,
    name="clioRetranscribeNote",
)
def retranscribe(body: dict[str, Any], note_id: int) -> Any:
    """Transcribe a note again; title, favourite and tags stay. If it fails, the earlier text is back."""
    language = shapes.language_of(body["language"])
    with unit_of_work():
        recording = access.own(actor(), note_id)
        at_work = shapes.status_of(recording) == "processing"
        if at_work or not processing.transcribe(actor(), note_id, {"language": language or ""})[1]:
            rule = "Note must be in 'failed' or 'completed' status to retranscribe"
            raise Invalid("Cannot retranscribe note that is currently processing", errors={"status": [rule]})
    data = shapes.started(recording, body["language"])
    return {"success": True, "message": "Re-transcription started successfully", "data": data}


@clips.operation(
    "POST",
    "/transcribe/",
    PROCESS,
    gives=shapes.TranscribedOut,
    name="clioTranscribe",
    **multipart_body(shapes.TranscribeForm),
)
def transcribe() -> Any:
    """Transcribe audio of 1 KiB to 50 MB and answer with its text. 503 with `Retry-After` if no worker is free."""
    with uploads.begin(max_mb=_MAX_MB) as incoming:
        received = receive_audio(request, incoming, **_FILE)
        language = shapes.language_of(received.fields.get("language") or "auto")
        with naming_field("audio_file"):
            job_id = services_clips.submit(actor(), incoming, ClipOptions(language=language))
    with naming_field("audio_file"):
        result = result_of(job_id)
    return {"success": True, "data": shapes.clip_json(result, paragraphs.format_segments(result.segments))}


@media.route(signed_media.ROUTE, methods=["GET"])
@needs(Scope.READ, None)
@media.doc(operationId="clioGetAudio")
@media.response(200, {"type": "string", "format": "binary"}, content_type="audio/*")
@media.alt_response(206, schema={"type": "string", "format": "binary"}, content_type="audio/*")
def get_audio(user_id: int, recording_id: int, name: str) -> Response:
    """Play the audio, all of it or a range. Needs the signature in the address, a cookie or a token."""
    return signed_media.send(user_id, recording_id, name)


def _shown(recording: Any) -> dict[str, Any]:
    """Return a note (`NoteOut`)."""
    who, found = actor(), formatted_texts.formatted(recording)
    labels = listing.tags_of([recording.id])[recording.id]
    item = shapes.note_item(recording, who.username, labels, found.text, who.user_id)
    return item | shapes.details(recording, found)


def _changed(note_id: int, body: dict[str, Any]) -> Response:
    fields = {"is_highlighted": body["is_favorite"]} if "is_favorite" in body else {}
    if title := title_of(body.get("title", ""), _MAX_TITLE):
        fields["title"] = title
    changed = whole_edits.change(
        actor(), note_id, fields, text=body.get("transcription"), tag_ids=body.get("tag_ids")
    )
    return json_response(_shown(changed))

"""Clio's notes: a note is a recording of the user, with its transcript as formatted text."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request

from speakr.compat.clio import schemas_notes as shapes
from speakr.compat.clio import schemas_routes as routes
from speakr.db import unit_of_work
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.services.corrections import whole_edits
from speakr.services.jobs import processing
from speakr.services.recordings import access, listing, removal, tagging, uploads
from speakr.services.recordings.intake import UploadForm
from speakr.services.search import numbered_pages
from speakr.services.speech import formatted_texts, paragraphs
from speakr.web import clips, pages, signed_media
from speakr.web.audio_form import naming_field, receive_audio, title_of
from speakr.web.identity import actor
from speakr.web.json import json_response
from speakr.web.numbers import tag_ids_in, whole_number

AUDIO_FIELD: Final = "audio_file"
_MIN_BYTES, _MAX_MB, _MAX_TITLE = 1024, 50, 255
_SHOWN_SEGMENTS = 20
"""Of each note in a list."""


@routes.LIST_NOTES
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


@routes.CREATE_NOTE
def create_note() -> Response:
    """Upload audio of 1 KiB to 50 MB; its transcription is queued. Without a title, the first words become it."""
    with uploads.begin(max_mb=_MAX_MB) as incoming:
        received = receive_audio(request, incoming, file_field=AUDIO_FIELD, min_bytes=_MIN_BYTES)
        tag_ids = tag_ids_in(received.fields.getlist("tag_ids"), field="tag_ids")
        form = UploadForm(
            filename=received.require_file().filename,
            title=title_of(received.fields.get("title", ""), _MAX_TITLE),
            takes_title_from_words=True,
            tag_ids=[tag.id for tag in tagging.required(actor(), tag_ids)],
        )
        with naming_field(AUDIO_FIELD):
            recording, _ = incoming.complete(actor(), form)
    message = "Voice note created successfully. Transcription in progress."
    return json_response({"success": True, "message": message, "data": _shown(recording)}, 201)


@routes.GET_NOTE
def get_note(note_id: int) -> Response:
    """Return a note with its text and segments."""
    return json_response(_shown(access.own(actor(), note_id)))


@routes.REPLACE_NOTE
def replace_note(body: dict[str, Any], note_id: int) -> Response:
    """Change the fields that are sent, as PATCH does."""
    return _changed(note_id, body)


@routes.UPDATE_NOTE
def update_note(body: dict[str, Any], note_id: int) -> Response:
    """Change title, text, favourite or tags. Words of the text that stay keep their times."""
    return _changed(note_id, body)


@routes.DELETE_NOTE
def delete_note(note_id: int) -> Any:
    """Delete a note with its audio."""
    access.own(actor(), note_id)
    with unit_of_work():
        removal.delete(actor(), note_id)
    return {"success": True, "message": "Voice note deleted successfully"}


@routes.RETRANSCRIBE_NOTE
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


@routes.TRANSCRIBE
def transcribe() -> Any:
    """Transcribe audio of 1 KiB to 50 MB and answer with its text. 503 with `Retry-After` if no worker is free."""

    def options(fields: Any) -> ClipOptions:
        return ClipOptions(language=shapes.language_of(fields.get("language") or "auto"))

    result = clips.transcribe_audio(options, file_field=AUDIO_FIELD, min_bytes=_MIN_BYTES, max_mb=_MAX_MB)
    return {"success": True, "data": shapes.clip_json(result, paragraphs.format_segments(result.segments))}


@routes.GET_AUDIO
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

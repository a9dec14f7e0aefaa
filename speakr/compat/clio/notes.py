"""Clio's notes: a note is a recording of the user, with its transcript as formatted text."""

from __future__ import annotations

from typing import Any, Final

from flask import Response

from speakr.compat.clio import schemas_notes as shapes
from speakr.compat.clio.noun import MEDIA, PREFIX, PROCESS, READ, USER_RATE, WRITE, noun
from speakr.db import unit_of_work
from speakr.domain.clips import ClipOptions
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services.corrections import whole_edits
from speakr.services.jobs import processing
from speakr.services.recordings import access, listing, removal, tagging
from speakr.services.recordings.intake import UploadForm
from speakr.services.search import numbered_pages
from speakr.services.speech import formatted_texts, paragraphs
from speakr.web import audio_form, clips, pages, signed_media
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.numbers import tag_ids_in, whole_number
from speakr.web.tag_routes import TagRoutes

FILE: Final[Any] = {"file_field": "audio_file", "min_bytes": 1024, "max_mb": 50}
_MAX_TITLE = 255
_SHOWN_SEGMENTS = 20
"""Of each note in a list."""
_NOTE = "/notes/<id:note_id>/"

blp = noun("notes", "Audio with its text, and tags")
media = noun("media", "The audio of notes", prefix=f"{PREFIX}{MEDIA.path}")
TagRoutes(rate=USER_RATE, created=shapes.TagIn, changed=shapes.TagUpdateIn, shown=shapes.TagOut).add(blp)


@blp.operation("GET /notes/", READ, takes=shapes.NoteQuery, location="query", gives=shapes.NoteListOut)
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


@blp.operation("POST /notes/", WRITE, form=shapes.NoteForm, gives=shapes.NoteCreatedOut, status=201)
def create_note() -> Response:
    """Upload audio of 1 KiB to 50 MB; its transcription is queued. Without a title, the first words become it."""

    def read(fields: Any, filename: str) -> UploadForm:
        tag_ids = tag_ids_in(fields.getlist("tag_ids"), field="tag_ids")
        return UploadForm(
            filename=filename,
            title=audio_form.title_of(fields.get("title", ""), _MAX_TITLE),
            takes_title_from_words=True,
            tag_ids=[tag.id for tag in tagging.required(actor(), tag_ids)],
        )

    note = _shown(audio_form.create_recording(read, **FILE))
    message = "Voice note created successfully. Transcription in progress."
    return json_response({"success": True, "message": message, "data": note}, 201)


@blp.operation(f"GET {_NOTE}", READ, gives=shapes.NoteOut)
def get_note(note_id: int) -> Response:
    """Return a note with its text and segments."""
    return json_response(_shown(access.own(actor(), note_id)))


@blp.operation(f"PUT,PATCH {_NOTE}", WRITE, takes=shapes.NoteUpdateIn, gives=shapes.NoteOut)
def change_note(body: dict[str, Any], note_id: int) -> Response:
    """Change title, text, favourite or tags, as far as they are sent. Words of the text that stay keep their times."""
    fields = {"is_highlighted": body["is_favorite"]} if "is_favorite" in body else {}
    if title := audio_form.title_of(body.get("title", ""), _MAX_TITLE):
        fields["title"] = title
    text, tag_ids = body.get("transcription"), body.get("tag_ids")
    return json_response(_shown(whole_edits.change(actor(), note_id, fields, text=text, tag_ids=tag_ids)))


@blp.operation(f"DELETE {_NOTE}", WRITE, gives=shapes.DoneOut)
def delete_note(note_id: int) -> Any:
    """Delete a note with its audio."""
    with unit_of_work():
        removal.delete(actor(), access.own(actor(), note_id).id)
    return {"success": True, "message": "Voice note deleted successfully"}


@blp.operation(
    f"POST {_NOTE}retranscribe/", PROCESS, takes=shapes.RetranscribeIn, gives=shapes.RetranscribedOut
)
def retranscribe_note(body: dict[str, Any], note_id: int) -> Any:
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


@blp.operation("POST /transcribe/", PROCESS, form=shapes.TranscribeForm, gives=shapes.TranscribedOut)
def transcribe() -> Any:
    """Transcribe audio of 1 KiB to 50 MB and answer with its text. 503 with `Retry-After` if no worker is free."""

    def options(fields: Any) -> ClipOptions:
        return ClipOptions(language=shapes.language_of(fields.get("language") or "auto"))

    result = clips.transcribe_audio(options, **FILE)
    return {"success": True, "data": shapes.clip_json(result, paragraphs.format_segments(result.segments))}


@media.operation(f"GET {signed_media.ROUTE}", needs(Scope.READ, None), **signed_media.DESCRIBED)
def get_audio(user_id: int, recording_id: int, name: str) -> Response:
    """Play the audio, all of it or a range. Needs the signature in the address, a cookie or a token."""
    return signed_media.send(user_id, recording_id, name)


def _shown(recording: Any) -> dict[str, Any]:
    """Return a note (`NoteOut`)."""
    who, found = actor(), formatted_texts.formatted(recording)
    labels = listing.tags_of([recording.id])[recording.id]
    item = shapes.note_item(recording, who.username, labels, found.text, who.user_id)
    return item | shapes.details(recording, found)

"""Recordings: list, return, change, delete."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api import presenters
from speakr.api.blueprint import noun
from speakr.api.if_match import if_match
from speakr.api.schemas.common import SuccessOut
from speakr.api.schemas.recordings import (
    MAX_PER_PAGE,
    RecordingDetailOut,
    RecordingDetailQuery,
    RecordingListOut,
    RecordingListQuery,
    RecordingUpdatedOut,
    RecordingUpdateIn,
    StatusOut,
)
from speakr.db import unit_of_work
from speakr.domain.clock import parse_iso
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Permission, Scope
from speakr.domain.transcript import is_long
from speakr.offload import run_cpu
from speakr.services import long_reads
from speakr.services.jobs import eta
from speakr.services.jobs import requests as jobs
from speakr.services.language import templates
from speakr.services.recordings import access, details, editing, folders, holding, listing, removal
from speakr.services.speech import transcripts
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.pages import CursorPlace, page_response
from speakr.web.rate_limits import RateClass
from speakr.web.wire import moment

blp = noun("recordings", "Uploaded audio with its texts")

_TEXTS = ("transcription", "summary", "notes")


def _when(name: str, text: str | None, *, is_end: bool = False) -> datetime | None:
    """Parse a date filter; as an end, a date means the end of that day and a time without a fraction that of its second."""
    if not text:
        return None
    try:
        # An unescaped + in a query string arrives as a blank.
        moment = parse_iso(text.strip().replace(" ", "+") if "T" in text else text)
        return _end_of(moment, text) if is_end else moment
    except (ValueError, OverflowError):
        raise Invalid(
            f"{name} is not an ISO 8601 date or time.", errors={name: ["must be an ISO 8601 date or time"]}
        ) from None


def _end_of(moment: datetime, text: str) -> datetime:
    if "T" not in text and ":" not in text:
        return moment + timedelta(days=1, microseconds=-1)
    # Times are shown in seconds and kept in microseconds.
    return moment if "." in text or "," in text else moment + timedelta(seconds=1, microseconds=-1)


def _transcription(row: Any) -> str | None:
    """Return the transcript as text, formatted with the caller's template; None without a transcript."""
    if not row.has_transcription:
        return None
    with long_reads.whole_transcript(row.id):
        return _rendered(row.id)


def _rendered(recording_id: int) -> str | None:
    segments = transcripts.rows_of(recording_id)
    if not segments:
        return None
    template = templates.transcript_template(actor())
    return run_cpu(lambda: template.render(segments), is_long=is_long(segments))


def filters_of(query: dict[str, Any]) -> listing.Filters:
    """Return the filters of a query with the fields of `RecordingListQuery`."""
    folder: str | None = query.get("folder_id")
    if folder is not None:
        folders.require()
    status = query["status"].lower()
    return listing.Filters(
        status=status if status in listing.STATUS_FILTERS else None,
        created_from=_when("date_from", query.get("date_from")),
        created_to=_when("date_to", query.get("date_to"), is_end=True),
        tag_id=query.get("tag_id"),
        tag_name=query.get("tag"),
        folder=None
        if folder is None
        else listing.UNFILED
        if folder.lower() == listing.UNFILED
        else int(folder),
        text=(query.get("q") or query.get("search") or "").strip() or None,
        is_inbox=query.get("inbox"),
        is_starred=query.get("starred"),
        language=query.get("language") or None,
        updated_since=_when("updated_since", query.get("updated_since")),
        ids=None if "ids" not in query else [int(number) for number in query["ids"].split(",")],
    )


@blp.route("/recordings")
class Recordings(MethodView):
    """All of a user's recordings."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listRecordings")
    @blp.arguments(RecordingListQuery, location="query")
    @blp.response(200, RecordingListOut)
    def get(self, query: dict[str, Any]) -> Response:
        """List your own recordings, newest first by default.

        `page` or `cursor` selects a page. With `cursor`, the `next_cursor` of the previous page, the list neither
        repeats nor omits a recording while others come and go. `shared=true` lists what other users share with you.
        """
        number, per_page, cursor = query["page"], min(query["per_page"], MAX_PER_PAGE), query.get("cursor")
        is_shared = query.get("shared", False)
        page = listing.list_page(
            actor(),
            filters_of(query),
            sort_by=query["sort_by"] if query["sort_by"] in listing.SORT_COLUMNS else "created_at",
            descending=query["sort_order"].lower() != "asc",
            page=number,
            per_page=per_page,
            cursor=cursor,
            shared=is_shared,
        )
        items = [
            presenters.recording_item(row, page.tags.get(row.id, ()), page.folders, is_owner=not is_shared)
            for row in page.rows
        ]
        return page_response(
            {"recordings": items},
            CursorPlace(
                page=number,
                per_page=per_page,
                total=page.total,
                cursor=cursor,
                next_cursor=page.next_cursor,
            ),
        )


@blp.route("/recordings/<id:recording_id>")
class Recording(MethodView):
    """One recording."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="getRecording")
    @blp.arguments(RecordingDetailQuery, location="query")
    @blp.response(200, RecordingDetailOut)
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """Return a recording, with its texts unless format=minimal."""
        asked = {name.strip().lower() for name in query["include"].split(",")}
        texts = (
            () if query["format"].lower() == "minimal" else tuple(name for name in _TEXTS if name in asked)
        )
        found = details.look_at(actor(), recording_id, with_texts="summary" in texts or "notes" in texts)
        row = found.row
        detail = presenters.recording_detail(
            row, found.tags, row.folder_name, found.events, found.copies, is_owner=found.is_owner
        )
        shown = {
            "transcription": _transcription(row) if "transcription" in texts else None,
            "summary": row.summary if "summary" in texts else None,
            "notes": row.notes if "notes" in texts and found.is_owner else None,
        }
        return json_response(detail | {name: shown[name] for name in texts})

    @needs(Scope.WRITE, RateClass.WRITE)
    @if_match(holding.lock_row)
    @blp.doc(operationId="updateRecording")
    @blp.arguments(RecordingUpdateIn)
    @blp.response(200, RecordingUpdatedOut)
    def patch(self, changes: dict[str, Any], recording_id: int) -> Any:
        """Change some fields of a recording."""
        with unit_of_work():
            recording = editing.update(actor(), recording_id, changes)
            shown = presenters.editable_fields(recording, is_owner=recording.user_id == actor().user_id)
            return {"success": True, "recording": shown}

    @needs(Scope.WRITE, RateClass.WRITE)
    @blp.doc(operationId="deleteRecording")
    @blp.response(200, SuccessOut)
    def delete(self, recording_id: int) -> Any:
        """Delete a recording with its audio, texts and jobs."""
        with unit_of_work():
            removal.delete(actor(), recording_id)
        return {"success": True, "message": "Recording deleted"}


@blp.route("/recordings/<id:recording_id>/status")
class RecordingStatus(MethodView):
    """The state of a recording."""

    @needs(Scope.READ, RateClass.STATUS)
    @blp.doc(operationId="getRecordingStatus")
    @blp.response(200, StatusOut)
    def get(self, recording_id: int) -> Response:
        """Return the status of a recording, its place in the queue and its progress."""
        return json_response(status_body(actor(), recording_id))


def status_body(who: Any, recording_id: int) -> dict[str, Any]:
    """Return the status of a recording (`StatusOut`)."""
    row = access.get(who, recording_id, Permission.VIEW)
    job = jobs.newest(row.id)
    return {
        "id": row.id,
        "status": row.status.value,
        "queue_position": jobs.queue_position(row.id),
        "error_message": row.error_message,
        "completed_at": moment(row.completed_at),
        "progress": job.progress if job else 0,
        "message": job.message if job else None,
        "error_code": row.error_code,
        "eta_seconds": eta.of_job(job),
    }

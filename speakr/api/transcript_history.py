"""The history of a transcript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from flask import Response
from flask.views import MethodView

from speakr.api.at_version import at_version
from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.transcript_corrections import (
    HistoryOut,
    HistoryQuery,
    RevisionDiffOut,
    TranscriptEditedOut,
)
from speakr.api.transcript_segments import read_transcript
from speakr.api.transcript_shapes import edited
from speakr.domain.permissions import Permission, Scope
from speakr.offload import drop, run_cpu
from speakr.services import long_reads
from speakr.services.corrections import history
from speakr.services.recordings import access
from speakr.web.identity import actor, needs
from speakr.web.json import json_response, written_response
from speakr.web.rate_limits import RateClass
from speakr.web.wire import moment

blp = noun("transcript_history", "Revisions of a transcript: list, compare, restore, undo")

_TRANSCRIPT = "/recordings/<id:recording_id>/transcript"


@blp.route(f"{_TRANSCRIPT}/history")
class History(MethodView):
    """All changes."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="listTranscriptRevisions")
    @blp.arguments(HistoryQuery, location="query")
    @blp.response(200, HistoryOut)
    def get(self, query: dict[str, Any], recording_id: int) -> Response:
        """List the changes of a transcript, newest first."""
        found = history.look_at(actor(), recording_id, page=query["page"], per_page=query["per_page"])
        return json_response(
            {
                "revision": found.revision,
                "undo_to": found.undo_to,
                "redo_to": found.redo_to,
                "total": found.total,
                "revisions": [
                    {
                        "revision": entry.number,
                        "kind": entry.kind.value,
                        "username": entry.username,
                        "created_at": moment(entry.created_at),
                        "segments_changed": entry.segments_changed,
                        "words_added": entry.words_added,
                        "words_removed": entry.words_removed,
                        "details": entry.details,
                    }
                    for entry in found.entries
                ],
            }
        )


@blp.route(f"{_TRANSCRIPT}/history/<number:number>/diff")
class RevisionDiff(MethodView):
    """One change, word by word."""

    @needs(Scope.READ, RateClass.GET)
    @blp.doc(operationId="diffTranscriptRevision")
    @blp.response(200, RevisionDiffOut)
    def get(self, recording_id: int, number: int) -> Response:
        """Return what a revision changed."""
        recording = access.get(actor(), recording_id, Permission.VIEW)
        with long_reads.whole_transcript(recording.id):
            return written_response(_compared(recording_id, number))


def _compared(recording_id: int, number: int) -> bytes:
    changes = history.diff(actor(), recording_id, number)
    body = run_cpu(lambda: _as_json(number, changes))
    for change in changes:
        drop(change.before, change.after, change.words)
    return body


def _as_json(number: int, changes: Sequence[history.Change]) -> bytes:
    """Return a comparison (`RevisionDiffOut`) as JSON."""
    # Each call of `dumps` keeps the interpreter until it ends, so it writes one change.
    parts = (
        orjson.dumps(
            {
                "segment_index": change.segment_index,
                "before": _spoken(change.before),
                "after": _spoken(change.after),
                "words": [word._asdict() for word in change.words],
            }
        )
        for change in changes
    )
    return b'{"revision":%d,"changes":[%s]}\n' % (number, b",".join(parts))


def _spoken(segments: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "speaker": segment.speaker,
            "sentence": segment.text,
            "start_time": segment.start,
            "end_time": segment.end,
        }
        for segment in segments
    ]


@blp.route(f"{_TRANSCRIPT}/history/<number:number>/restore")
class RestoreRevision(MethodView):
    """The text of an earlier revision."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="restoreTranscriptRevision")
    @blp.response(200, TranscriptEditedOut)
    def post(self, recording_id: int, number: int, revision: int | None) -> Any:
        """Restore the text of a revision, as a new one."""
        return edited(history.restore(actor(), recording_id, number, revision=revision))


@blp.route(f"{_TRANSCRIPT}/undo")
class Undo(MethodView):
    """The text before the last change."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="undoTranscriptChange")
    @blp.response(200, TranscriptEditedOut)
    def post(self, recording_id: int, revision: int | None) -> Any:
        """Undo the last change that has not been undone."""
        return edited(history.undo(actor(), recording_id, revision=revision))


@blp.route(f"{_TRANSCRIPT}/redo")
class Redo(MethodView):
    """The text before the last undo."""

    @needs(Scope.WRITE, RateClass.WRITE)
    @idempotent
    @at_version(read_transcript)
    @blp.doc(operationId="redoTranscriptChange")
    @blp.response(200, TranscriptEditedOut)
    def post(self, recording_id: int, revision: int | None) -> Any:
        """Redo the last undone change."""
        return edited(history.redo(actor(), recording_id, revision=revision))

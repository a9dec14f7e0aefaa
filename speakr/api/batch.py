"""Requests about many recordings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.idempotent import idempotent
from speakr.api.schemas.batch import BatchDeletedOut, BatchIn, BatchQueuedOut, BatchUpdatedOut, BatchUpdateIn
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Scope
from speakr.services.recordings import batch
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.rate_limits import RateClass

blp = noun("batch", "One request for many recordings; each succeeds or fails by itself")


def _ids(body: dict[str, Any]) -> list[int]:
    return list(dict.fromkeys(body["recording_ids"]))


def _answer(done: str, outcomes: Sequence[batch.BatchItemResult]) -> Response:
    results: list[dict[str, Any]] = []
    for outcome in outcomes:
        result: dict[str, Any] = {"id": outcome.recording_id, "success": outcome.error is None}
        if outcome.error is not None:
            result["error"] = outcome.error
        if outcome.job_id is not None:
            result["job_id"] = str(outcome.job_id)
        results.append(result)
    failed = sum(1 for outcome in outcomes if outcome.error is not None)
    return json_response({"success": True, done: len(results) - failed, "failed": failed, "results": results})


@blp.route("/recordings/batch")
class Batch(MethodView):
    """Many recordings."""

    @needs(Scope.WRITE, RateClass.BATCH)
    @blp.doc(operationId="batchUpdateRecordings")
    @blp.arguments(BatchUpdateIn)
    @blp.response(200, BatchUpdatedOut)
    def patch(self, body: dict[str, Any]) -> Response:
        """Change inbox and star marks, tags or folder of many recordings."""
        if not body["updates"]:
            raise Invalid("No data provided", code="empty_body", errors={"updates": ["is empty"]})
        return _answer("updated", batch.update(actor(), _ids(body), body["updates"]))

    @needs(Scope.WRITE, RateClass.BATCH)
    @blp.doc(operationId="batchDeleteRecordings")
    @blp.arguments(BatchIn)
    @blp.response(200, BatchDeletedOut)
    def delete(self, body: dict[str, Any]) -> Response:
        """Delete many recordings."""
        return _answer("deleted", batch.delete_all(actor(), _ids(body)))


@blp.route("/recordings/batch/transcribe")
class BatchTranscribe(MethodView):
    """Many transcriptions."""

    @needs(Scope.PROCESS, RateClass.BATCH)
    @idempotent
    @blp.doc(operationId="batchTranscribeRecordings")
    @blp.arguments(BatchIn)
    @blp.response(200, BatchQueuedOut)
    def post(self, body: dict[str, Any]) -> Response:
        """Queue a transcription of many recordings."""
        return _answer("queued", batch.transcribe(actor(), _ids(body)))

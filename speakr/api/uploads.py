"""Uploading a recording: bytes into storage, a look at them, rows, and 202."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from flask.views import MethodView
from werkzeug.datastructures import MultiDict

from speakr.api import idempotent
from speakr.api.blueprint import noun
from speakr.api.schemas.fields import BIGGEST_ID, QueryBoolean
from speakr.api.schemas.recordings import LONG_TEXT, UploadForm, UploadOut
from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.domain.clock import parse_iso
from speakr.domain.errors import Invalid, OutOfSpace, TooLarge
from speakr.domain.permissions import Scope
from speakr.domain.transcript import Hints
from speakr.services import idempotency, processing
from speakr.services.recordings import intake
from speakr.storage.base import StorageFull, new_key
from speakr.web.identity import actor, needs
from speakr.web.json import json_response
from speakr.web.multipart import ReceivedFile, ReceivedUpload, clean_text, multipart_body, receive_upload
from speakr.web.rate_limits import RateClass
from speakr.web.wire import moment

blp = noun("uploads", "Taking recordings in")

_OPERATION = "uploadRecording"
_MAX_TAGS = 100
_PROLONG_EVERY_SECONDS = 10.0
"""Well within `idempotency.HOLD`, however slowly the bytes arrive."""
_MAX_SPEAKERS = 100

# The documented bounds of prompt variables.
_MAX_VARIABLES = 50
_MAX_VARIABLE_LENGTH = 8_000
_MAX_VARIABLES_LENGTH = 32_000
_VARIABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")


@blp.route("/recordings/upload")
class Upload(MethodView):
    """The way in."""

    @needs(Scope.WRITE, RateClass.PROCESSING)
    @idempotent.takes_key
    @blp.doc(operationId=_OPERATION, **multipart_body(UploadForm))
    @blp.response(202, UploadOut)
    def post(self) -> Response:
        """Upload audio or video; transcription is queued at once.

        With an `Idempotency-Key` header the same upload sent again gets the same answer and is stored once.
        """
        key = request.headers.get(idempotent.HEADER)
        if key is None:
            return _take_in(_Key(None))
        with idempotent.holding(key, _OPERATION) as held:
            return _take_in(_Key(held))


@dataclass(slots=True)
class _Key:
    """The request's idempotency key, if it brought one."""

    held: idempotency.Held | None
    prolonged_at: float = field(default_factory=time.monotonic)

    def prolong(self, _received_bytes: int) -> None:
        """Keep the key while bytes arrive."""
        if self.held is None or time.monotonic() - self.prolonged_at < _PROLONG_EVERY_SECONDS:
            return
        self.prolonged_at = time.monotonic()
        with unit_of_work():
            idempotency.prolong(self.held)


def _take_in(key: _Key) -> Response:
    storage_key = new_key("audio")
    with _receive(storage_key, key) as upload:
        file = upload.require_file()
        fingerprint = _fingerprint(file, upload.fields)
        if key.held is not None and key.held.answer is not None:
            idempotency.check_same(key.held, fingerprint)
            return idempotent.replay(key.held.answer)
        form = _read_form(upload.fields, file.filename)
        try:
            file.sink.commit()
        except StorageFull:
            raise OutOfSpace("The server's storage is full; try again later.") from None
    return _store(key, storage_key, file, form, fingerprint)


def _receive(storage_key: str, key: _Key) -> ReceivedUpload:
    most_bytes = intake.most_upload_bytes()
    release()  # the bytes may take minutes to arrive
    try:
        return receive_upload(
            request,
            open_sink=lambda: get_backends().storage.create(storage_key),
            max_bytes=most_bytes,
            on_progress=key.prolong,
        )
    except TooLarge as error:
        # The bytes alone do not tell sound from a film; over the higher of the two limits they are neither.
        raise intake.over_every_limit() if error.slug == TooLarge.code else error from None


def _store(
    key: _Key, storage_key: str, file: ReceivedFile, form: intake.UploadForm, fingerprint: str
) -> Response:
    storage = get_backends().storage
    try:
        media = intake.examine(
            storage_key, sha256=file.sha256, size_bytes=file.size_bytes, keep_audio_only=form.keep_audio_only
        )
    except BaseException:
        storage.delete(storage_key)
        raise
    try:
        with unit_of_work():
            recording, duplicate = intake.create(actor(), media, form)
            body = _answer(recording, duplicate)
            if key.held is not None:
                idempotency.complete(key.held, fingerprint, 202, body)
    except BaseException:
        storage.delete(media.key)
        raise
    return json_response(body, 202)


def _answer(recording: Any, duplicate: intake.Duplicate | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": recording.id,
        "title": recording.title,
        "status": recording.status.value,
        "created_at": moment(recording.created_at),
        "meeting_date": moment(recording.meeting_date),
        "file_size": recording.file_size,
        "original_filename": recording.original_filename,
        "mime_type": recording.mime_type,
        "notes": recording.notes,
        "keep_audio_only": recording.keep_audio_only,
    }
    if duplicate is not None:
        body["duplicate_warning"] = {
            "existing_recording_id": duplicate.recording_id,
            "existing_title": duplicate.title,
            "existing_created_at": moment(duplicate.created_at),
        }
    return body


def _fingerprint(file: ReceivedFile, fields: MultiDict[str, str]) -> str:
    request_key = json.dumps(
        [file.sha256, file.filename, sorted(fields.items(multi=True))], ensure_ascii=True
    )
    return hashlib.sha256(request_key.encode()).hexdigest()


# -- the form


def _read_form(fields: MultiDict[str, str], filename: str) -> intake.UploadForm:
    """Read the fields; non-numeric values are ignored, as documented, but a wrong date is an error."""
    least, most = (
        _integer(fields, "min_speakers", _MAX_SPEAKERS),
        _integer(fields, "max_speakers", _MAX_SPEAKERS),
    )
    processing.check_speaker_counts(least, most)
    indexed, plain = _indexed_tag_ids(fields), _plain_tag_ids(fields)
    return intake.UploadForm(
        filename=filename,
        title=_text(fields, "title", 200),
        notes=_text(fields, "notes", LONG_TEXT),
        meeting_date=_meeting_date(fields),
        file_last_modified=_last_modified(fields),
        tag_ids=indexed or plain,
        fallback_tag_ids=plain if indexed else (),
        tag_names=[clean_text(name, 50) for name in fields.getlist("tags")[:_MAX_TAGS]],
        folder_id=_integer(fields, "folder_id", BIGGEST_ID),
        keep_audio_only=QueryBoolean.WORDS.get((fields.get("keep_audio_only") or "").strip().lower(), False),
        hints=Hints(
            language=(_text(fields, "language", 16) or "").strip() or None,
            min_speakers=least,
            max_speakers=most,
            hotwords=_text(fields, "hotwords", 10_000),
            initial_prompt=_text(fields, "initial_prompt", 10_000),
            model=_text(fields, "transcription_model", 120),
        ),
        is_language_given="language" in fields,
        prompt_variables=_prompt_variables(fields.get("prompt_variables")),
    )


def _text(fields: MultiDict[str, str], name: str, longest: int) -> str | None:
    value = fields.get(name)
    return clean_text(value, longest) or None if value is not None else None


def _integer(fields: MultiDict[str, str], name: str, biggest: int) -> int | None:
    return _as_integer(fields.get(name), biggest)


def _as_integer(text: str | None, biggest: int) -> int | None:
    text = (text or "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(biggest)):
        return None
    number = int(text)
    return number if 1 <= number <= biggest else None


def _indexed_tag_ids(fields: MultiDict[str, str]) -> list[int]:
    """Read tag_ids[0], tag_ids[1] ... up to the first gap."""
    found = []
    for index in range(_MAX_TAGS):
        value = fields.get(f"tag_ids[{index}]")
        if value is None:
            break
        found.append(value)
    return _numbers(found)


def _plain_tag_ids(fields: MultiDict[str, str]) -> list[int]:
    """Read tag_ids repeated, and tag_id."""
    return _numbers([*fields.getlist("tag_ids")[:_MAX_TAGS], *fields.getlist("tag_id")[:1]])


def _numbers(texts: Sequence[str]) -> list[int]:
    found = [_as_integer(text, BIGGEST_ID) for text in texts]
    return list(dict.fromkeys(number for number in found if number is not None))


def _meeting_date(fields: MultiDict[str, str]) -> datetime | None:
    value = (fields.get("meeting_date") or "").strip()
    if not value:
        return None
    try:
        return parse_iso(value)
    except (ValueError, OverflowError):
        raise Invalid(
            "Invalid meeting_date format", errors={"meeting_date": ["must be an ISO 8601 time"]}
        ) from None


def _last_modified(fields: MultiDict[str, str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(fields.get("file_last_modified") or "") / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _prompt_variables(text: str | None) -> Mapping[str, str]:
    """Read the JSON object of variables; whatever is not as documented is dropped."""
    try:
        given = json.loads(text or "{}")
    except (ValueError, RecursionError):  # the latter: of brackets upon brackets
        return {}
    if not isinstance(given, dict):
        return {}
    kept: dict[str, str] = {}
    for name, value in given.items():
        if not _VARIABLE_NAME.match(name) or isinstance(value, dict | list) or value is None:
            continue
        cleaned = clean_text(str(value), _MAX_VARIABLE_LENGTH)
        if (
            len(kept) < _MAX_VARIABLES
            and sum(map(len, kept.values())) + len(cleaned) <= _MAX_VARIABLES_LENGTH
        ):
            kept[name] = cleaned
    return kept

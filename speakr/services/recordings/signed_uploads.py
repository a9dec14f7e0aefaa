"""Signed uploads: one PUT to a signed address, with no other credential, brings the file of one recording.

The signature says who may write until when; the row says that it happens once. A PUT that fails or is cut leaves the
row as it was, so the address can be used again until it expires.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, update

from speakr.db import db, one_commit, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Invalid, SpeakrError, TooLarge
from speakr.domain.permissions import Actor
from speakr.domain.uploads import UploadState
from speakr.models import Recording, Upload, UploadSource
from speakr.services.accounts import budgets, signed_urls
from speakr.services.recordings import resumable, resumable_finishing, stored_forms, uploads
from speakr.services.recordings.intake import Duplicate, UploadForm
from speakr.services.recordings.resumable import LOCK, Claim
from speakr.services.recordings.uploads import IncomingFile

METHOD = "PUT"
MAX_LIFETIME = signed_urls.MAX_LIFETIME
_RENEW_EVERY_SECONDS = LOCK.total_seconds() / 3


@dataclass(frozen=True, slots=True)
class SignedUpload:
    """An opened upload. `path` is its signed address without scheme and host."""

    upload_id: int
    path: str
    expires_at: datetime


def create(
    actor: Actor, form: UploadForm, *, size_bytes: int | None, content_type: str | None, lifetime: timedelta
) -> SignedUpload:
    """Open an upload and sign its address. Run in a unit of work.

    Raises:
        TooLarge, OutOfSpace: a file of this size cannot be stored.
        Forbidden: a quota or budget is used up.
        Conflict: `too_many_uploads` of this user are open.

    """
    resumable.require_space(size_bytes or 0)
    budgets.admit_upload(actor.user_id, size_bytes=size_bytes or 1, seconds=0.0)
    resumable.require_few_open(actor.user_id)
    upload = Upload(
        user_id=actor.user_id,
        state=UploadState.WAITING,
        size_bytes=size_bytes or 0,
        filename=form.filename,
        fields=[],
        expires_at=now() + lifetime,
    )
    db.session.add(upload)
    db.session.flush()  # to know upload.id
    stored = stored_forms.to_json(form)
    db.session.add(UploadSource(upload_id=upload.id, form=stored, content_type=content_type))
    path = f"/api/v1/uploads/{upload.id}/content"
    signed = signed_urls.sign_url(path, user_id=actor.user_id, lifetime=lifetime, method=METHOD)
    return SignedUpload(upload.id, signed, upload.expires_at)


def receive(
    actor: Actor,
    upload_id: int,
    *,
    content_type: str | None,
    declared_bytes: int | None,
    open_body: Callable[[int], Iterable[bytes]],
) -> tuple[Recording, Duplicate | None]:
    """Store the body of a PUT and make the recording.

    `open_body` is called with the largest size that the body may have.

    Raises:
        NotFound, UploadLocked: there is no such upload, or another PUT is at work.
        Conflict: `upload_finished`, `upload_kind_mismatch`, or `upload_taken_over` by another PUT.
        Invalid: `unsupported_media_type`, or `incomplete_upload`.
        SpeakrError: as of any upload.

    """
    with unit_of_work():
        claim, form = _claim(actor, upload_id, content_type)
    try:
        with uploads.begin() as incoming:
            _require_size(claim, declared_bytes)
            _store(claim, incoming, open_body)
            _change(claim, held_until=now() + resumable_finishing.lock_for(incoming.size_bytes))
            with one_commit():
                recording, duplicate = incoming.complete(actor, form)
                _complete(claim, recording, incoming.size_bytes)
    except BaseException as error:
        _give_back(claim, error)
        raise
    return recording, duplicate


def _claim(actor: Actor, upload_id: int, content_type: str | None) -> tuple[Claim, UploadForm]:
    """Take the right to write, by one compare-and-set."""
    upload = resumable.get(actor, upload_id)
    source = db.session.get(UploadSource, upload_id)
    if upload.state is UploadState.COMPLETED:
        raise Conflict("This upload is complete.", code="upload_finished", recording_id=upload.recording_id)
    if source is None or upload.state is not UploadState.WAITING:
        raise resumable.wrong_way()
    if source.content_type is not None and content_type != source.content_type:
        raise Invalid(f"Send the file as {source.content_type}.", code="unsupported_media_type")
    moment = now()
    fence = db.session.scalar(
        update(Upload)
        .where(
            Upload.id == upload_id,
            Upload.state == UploadState.WAITING,
            or_(Upload.held_until.is_(None), Upload.held_until <= moment),
        )
        .values(
            fence=Upload.fence + 1,
            held_until=moment + LOCK,
            expires_at=max(
                upload.expires_at, resumable.expiry()
            ),  # the row outlives its address while bytes arrive
        )
        .returning(Upload.fence)
        .execution_options(synchronize_session=False)
    )
    if fence is None:
        raise resumable.locked(upload)
    form = stored_forms.from_json(source.form, upload.filename)
    return Claim(upload_id, fence, upload.size_bytes, 0, (), UploadState.WAITING), form


def _store(claim: Claim, incoming: IncomingFile, open_body: Callable[[int], Iterable[bytes]]) -> None:
    """Write the blocks of the body; the lock is renewed while they arrive."""
    incoming.open()
    renewed_at = time.monotonic()
    for block in open_body(claim.size_bytes or incoming.max_bytes):
        incoming.write(block)
        if claim.size_bytes and incoming.size_bytes > claim.size_bytes:
            raise _overflow()
        if time.monotonic() - renewed_at > _RENEW_EVERY_SECONDS:
            _change(claim, held_until=now() + LOCK)
            renewed_at = time.monotonic()
    _require_size(claim, incoming.size_bytes)


def _require_size(claim: Claim, size_bytes: int | None) -> None:
    """Refuse a body of another size than the one that was signed."""
    if size_bytes is None or not claim.size_bytes or size_bytes == claim.size_bytes:
        return
    if size_bytes > claim.size_bytes:
        raise _overflow()
    raise Invalid("The upload stopped before it was complete.", code="incomplete_upload")


def _overflow() -> TooLarge:
    return TooLarge("There are more bytes than the upload was opened for.", code="upload_overflow")


def _complete(claim: Claim, recording: Recording, size_bytes: int) -> None:
    _change(
        claim,
        state=UploadState.COMPLETED,
        recording_id=recording.id,
        size_bytes=size_bytes,
        received_bytes=size_bytes,
        held_until=None,
        error=None,
        expires_at=resumable.expiry(),
    )


def _give_back(claim: Claim, error: BaseException) -> None:
    """Let the next PUT try, and keep the reason for those who look at the upload."""
    reason = {"error": resumable.describe_error(error)} if isinstance(error, SpeakrError) else {}
    with contextlib.suppress(Conflict):  # the first reason is the better one
        _change(claim, held_until=None, **reason)


def _change(claim: Claim, **values: object) -> None:
    """Change the row if the claim holds. Raises `Conflict`."""
    with unit_of_work():
        changed = db.session.execute(
            update(Upload)
            .where(claim.holds())
            .values(**values)
            .returning(Upload.id)
            .execution_options(synchronize_session=False)
        ).first()
        if changed is None:
            raise Conflict("Another request goes on with this upload.", code="upload_taken_over")

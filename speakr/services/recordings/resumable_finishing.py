"""Turn a complete resumable upload into exactly one recording, even if the process dies.

Examining may take minutes and can be repeated. One transaction decides: it moves the upload from RECEIVING to
COMPLETED under the fence of its claim and writes the recording's rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta

from sqlalchemy import delete, update

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.errors import Conflict, NotFound, SpeakrError, TooLarge, UnusableMedia
from speakr.domain.permissions import Actor
from speakr.domain.uploads import UploadState
from speakr.models import Upload, UploadPart
from speakr.services.recordings import intake, resumable, size_limits
from speakr.services.recordings.intake import StoredFile, StoredMedia, UploadForm
from speakr.services.recordings.resumable import Claim
from speakr.services.recordings.space import reporting_full_storage
from speakr.storage.base import BlobMissing

_MIN_LOCK_SECONDS = 10.0
_SLOWEST_BYTES_PER_SECOND = 20 * 1024 * 1024
"""A slower finish loses its lock. Another request may then do the same work, and only one of the two results counts."""


def is_unfinished(upload: Upload) -> bool:
    """Tell whether all bytes have been received and the upload is neither completed nor failed."""
    return upload.state is UploadState.RECEIVING and upload.received_bytes == upload.size_bytes


def finish(actor: Actor, upload_id: int, read_form: Callable[[Upload], UploadForm]) -> Upload:
    """Create the recording of an upload whose bytes have all been received; return the completed upload.

    This is slow; no transaction may be open.

    Raises:
        UnusableMedia, TooLarge: the upload has failed and its bytes are deleted.
        UploadLocked: another request is finishing it.
        SpeakrError: a temporary failure, such as full storage; the client may try again.

    """
    upload = resumable.get(actor, upload_id)
    if not is_unfinished(upload):
        resumable.require_not_failed(upload)
        return upload
    form = read_form(upload)
    size_bytes = upload.size_bytes
    release()
    with unit_of_work():
        claim = resumable.claim(actor, upload_id, size_bytes, lock=lock_for(size_bytes))
    finish_claimed(actor, claim, form)
    return resumable.get(actor, upload_id)


def lock_for(size_bytes: int) -> timedelta:
    """Return how long the finish of a file of this size may take."""
    return timedelta(seconds=_MIN_LOCK_SECONDS + size_bytes / _SLOWEST_BYTES_PER_SECOND)


def finish_claimed(actor: Actor, claim: Claim, form: UploadForm) -> None:
    """Make the recording of an upload that is claimed for as long as this takes. Raises as `finish` does."""
    try:
        try:
            media = _examine(claim, form)
        except (UnusableMedia, TooLarge, NotFound) as error:
            _fail(claim, error)
            raise
        _store(actor, claim, media, form)
    except BaseException as error:
        _unlock(claim, error)
        raise


def _examine(claim: Claim, form: UploadForm) -> StoredMedia:
    storage = get_backends().storage
    limits = size_limits.current()
    release()
    try:
        with reporting_full_storage():
            key = storage.join(claim.parts)
        try:
            return intake.examine(
                StoredFile(key, None, claim.size_bytes), limits, is_sound_enough=form.keep_audio_only
            )
        except BaseException:
            if key not in _keys(claim):
                storage.delete(key)
            raise
    except BlobMissing:
        raise NotFound("The bytes of this upload are lost.", code="upload_lost") from None


def _store(actor: Actor, claim: Claim, media: StoredMedia, form: UploadForm) -> None:
    """Write the rows. A commit deletes all blobs but the recording's, a rollback those that are new."""
    made = {media.key, media.original_key} - _keys(claim)

    def write() -> None:
        # Lock the user's row before the upload's, in the order of deleting a user with all uploads.
        recording, _ = intake.create(actor, media, form)
        _move(claim, UploadState.COMPLETED, error=None, recording_id=recording.id)
        _drop_parts(claim, keep=media.key, more={media.original_key})

    intake.in_unit_with_blobs(made, write)


def _fail(claim: Claim, error: SpeakrError) -> None:
    """Mark the upload as failed, unless another request has taken it over."""
    release()
    try:
        with unit_of_work():
            _move(claim, UploadState.FAILED, error=resumable.describe_error(error))
            _drop_parts(claim)
    except Conflict:
        return


def _unlock(claim: Claim, error: BaseException) -> None:
    """End the lock so that the next request can try again, and store the error for status requests."""
    release()
    reason = {"error": resumable.describe_error(error)} if isinstance(error, SpeakrError) else {}
    with unit_of_work():
        db.session.execute(
            update(Upload)
            .where(claim.holds())
            .values(held_until=None, **reason)
            .execution_options(synchronize_session=False)
        )


def _move(claim: Claim, state: UploadState, **values: object) -> None:
    moved = db.session.execute(
        update(Upload)
        .where(claim.holds())
        .values(state=state, held_until=None, expires_at=resumable.expiry(), **values)
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    ).first()
    if moved is None:
        raise Conflict("Another request has taken over this upload.", code="upload_taken_over")


def _drop_parts(claim: Claim, keep: str | None = None, more: Collection[str] = ()) -> None:
    db.session.execute(
        delete(UploadPart)
        .where(UploadPart.upload_id == claim.upload_id)
        .execution_options(synchronize_session=False)
    )
    resumable.delete_blobs({*_keys(claim), *more} - {keep})


def _keys(claim: Claim) -> set[str]:
    return {part.key for part in claim.parts}

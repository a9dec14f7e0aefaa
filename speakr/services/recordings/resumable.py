"""Resumable uploads: rows that record how much of a file has been received, until it becomes a recording.

The row decides which bytes count: bytes are durable before `received_bytes` includes them. A request writes under a
claim (`Claim`): a fence, and a lock that expires after `LOCK` if its process dies.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.clock import now
from speakr.domain.errors import (
    Conflict,
    Invalid,
    NotFound,
    SpeakrError,
    TooLarge,
    UnusableMedia,
    UploadLocked,
)
from speakr.domain.permissions import Actor
from speakr.domain.uploads import OPEN, UploadState
from speakr.models import Upload, UploadPart, User
from speakr.services.recordings import size_limits
from speakr.services.recordings.space import out_of_space
from speakr.services.system import unwanted_blobs
from speakr.storage.base import Part

LOCK = timedelta(seconds=10)
"""Maximum time for which a request may write without renewing its lock."""
_MIB = 1024 * 1024
_REMOVED_AT_ONCE = 100
_KINDS: Mapping[str, type[SpeakrError]] = {"too_large": TooLarge, "upload_lost": NotFound}
"""Code of a failed upload -> the error raised when it is requested again; `Invalid` for all others."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write to an upload, valid while the row has this fence."""

    upload_id: int
    fence: int
    size_bytes: int
    received_bytes: int
    parts: Sequence[Part]
    state: UploadState = UploadState.RECEIVING

    def holds(self) -> ColumnElement[bool]:
        """Return the condition under which this claim may change the row."""
        return (Upload.id == self.upload_id) & (Upload.fence == self.fence) & (Upload.state == self.state)


def expiry() -> datetime:
    """Return when an upload that receives a byte now expires."""
    return now() + timedelta(hours=get_backends().settings.upload_expiry_hours)


def create(
    actor: Actor,
    *,
    size_bytes: int,
    filename: str,
    fields: Iterable[tuple[str, str]],
    metadata_header: str,
) -> Upload:
    """Create an upload. Call this in a unit of work.

    Raises:
        UnusableMedia: `empty_file`.
        TooLarge: the size exceeds every limit.
        OutOfSpace: the storage has less space left.
        Conflict: `too_many_uploads`: the user has too many open uploads.

    """
    if size_bytes == 0:
        raise UnusableMedia("The file is empty.", code="empty_file")
    require_space(size_bytes)
    require_few_open(actor.user_id)
    upload = Upload(
        user_id=actor.user_id,
        size_bytes=size_bytes,
        filename=filename,
        fields=[list(field) for field in fields],
        metadata_header=metadata_header,
        expires_at=expiry(),
    )
    db.session.add(upload)
    db.session.flush()  # to know upload.id
    return upload


def require_space(size_bytes: int) -> None:
    """Raise `TooLarge` or `OutOfSpace` for a file of this size that cannot be stored."""
    limits = size_limits.current()
    if size_bytes > limits.max_bytes:
        raise limits.too_large()
    backends = get_backends()
    free_bytes = backends.storage.free_bytes()
    if free_bytes is not None and size_bytes > free_bytes - backends.settings.min_free_disk_mb * _MIB:
        raise out_of_space()


def require_few_open(user_id: int) -> None:
    """Raise `Conflict` (`too_many_uploads`) when a user may not open another one. Call this in the transaction that opens it."""
    # Lock the user's row, so that concurrent requests cannot exceed the limit together.
    db.session.execute(select(User.id).where(User.id == user_id).with_for_update(key_share=True))
    count = db.session.scalar(
        select(func.count()).where(
            Upload.user_id == user_id, Upload.state.in_(OPEN), Upload.expires_at > now()
        )
    )
    limit = get_backends().settings.max_open_uploads
    if (count or 0) >= limit:
        raise Conflict(f"You have {limit} open uploads; finish or delete one first.", code="too_many_uploads")


def get(actor: Actor, upload_id: int) -> Upload:
    """Return one of the actor's uploads. Raises `NotFound` also for an expired one."""
    upload = db.session.scalar(
        select(Upload)
        .where(Upload.id == upload_id, Upload.user_id == actor.user_id, Upload.expires_at > now())
        .execution_options(populate_existing=True)
    )
    if upload is None:
        raise NotFound("Upload not found")
    return upload


def claim(actor: Actor, upload_id: int, offset: int, *, lock: timedelta = LOCK) -> Claim:
    """Claim the right to write from `offset` on, by one compare-and-set. Call this in a unit of work.

    Raises:
        NotFound: the actor has no such upload.
        Conflict: `upload_offset_mismatch` or `upload_finished`.
        UploadLocked: another request is writing to it.
        Invalid, TooLarge: the upload has failed; this is its error.

    """
    moment = now()
    row = db.session.execute(
        update(Upload)
        .where(
            Upload.id == upload_id,
            Upload.user_id == actor.user_id,
            Upload.state == UploadState.RECEIVING,
            Upload.received_bytes == offset,
            Upload.expires_at > moment,
            or_(Upload.held_until.is_(None), Upload.held_until <= moment),
        )
        .values(fence=Upload.fence + 1, held_until=moment + lock)
        .returning(Upload.fence, Upload.size_bytes)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None:
        _refuse(get(actor, upload_id), offset)
    return Claim(upload_id, row.fence, row.size_bytes, offset, parts_of(upload_id))


def _refuse(upload: Upload, offset: int) -> NoReturn:
    """Raise the reason why an upload cannot be claimed."""
    require_not_failed(upload)
    if upload.state in OPEN and upload.state is not UploadState.RECEIVING:
        raise wrong_way()
    if upload.received_bytes != offset:
        raise Conflict(
            f"This upload continues at byte {upload.received_bytes}.",
            code="upload_offset_mismatch",
            offset=upload.received_bytes,
        )
    if upload.state is UploadState.COMPLETED:
        raise Conflict("This upload is complete.", code="upload_finished")
    raise locked(upload)


def locked(upload: Upload) -> UploadLocked:
    """Return the refusal of a second writer."""
    seconds = (upload.held_until - now()).total_seconds() if upload.held_until else 0.0
    return UploadLocked(
        "Another request is writing to this upload.", retry_after_seconds=max(1, math.ceil(seconds))
    )


def wrong_way() -> Conflict:
    """Return the refusal of bytes for an upload that gets them in another way: by tus, from a URL, by a signed PUT."""
    return Conflict("This upload does not get its bytes this way.", code="upload_kind_mismatch")


def require_not_failed(upload: Upload) -> None:
    """Raise the stored error of a failed upload."""
    if upload.state is UploadState.FAILED and upload.error is not None:
        kind = _KINDS.get(upload.error["code"], Invalid)
        raise kind(upload.error["error"], code=upload.error["code"])


def describe_error(error: SpeakrError) -> dict[str, Any]:
    """Return the stored form of an error."""
    return {"code": error.slug, "error": error.message}


def parts_of(upload_id: int) -> list[Part]:
    """Return the stored parts of an upload in order."""
    rows = db.session.execute(
        select(UploadPart.storage_key, UploadPart.size_bytes)
        .where(UploadPart.upload_id == upload_id)
        .order_by(UploadPart.position)
    )
    return [Part(row.storage_key, row.size_bytes) for row in rows]


def drop_parts(upload_id: int) -> None:
    """Forget the stored bytes of an upload. Run in the transaction that changes its row."""
    keys = db.session.scalars(
        delete(UploadPart)
        .where(UploadPart.upload_id == upload_id)
        .returning(UploadPart.storage_key)
        .execution_options(synchronize_session=False)
    ).all()
    delete_blobs(keys)


def delete_blobs(keys: Iterable[str]) -> None:
    """Mark blobs for deletion that no upload needs any more, and delete them after the commit."""
    wanted = list(dict.fromkeys(keys))
    if wanted:
        unwanted_blobs.add_all(wanted)
        after_commit(clear_unwanted)


def clear_unwanted() -> None:
    """Delete the blobs marked for deletion."""
    unwanted_blobs.clear()


def terminate(actor: Actor, upload_id: int) -> None:
    """Delete an upload and its bytes. A request that writes to it then fails; a recording made from it stays."""
    upload = get(actor, upload_id)
    _remove([upload.id], Upload.user_id == actor.user_id)


def remove_expired() -> int:
    """Delete expired uploads and return their number. Maintenance calls this in a unit of work."""
    is_expired = Upload.expires_at <= now()
    ids = db.session.scalars(select(Upload.id).where(is_expired).limit(_REMOVED_AT_ONCE)).all()
    return _remove(ids, is_expired)


def _remove(ids: Sequence[int], condition: ColumnElement[bool]) -> int:
    """Lock the uploads and delete those that still meet the condition."""
    found = db.session.scalars(select(Upload.id).where(Upload.id.in_(ids), condition).with_for_update()).all()
    delete_blobs(db.session.scalars(select(UploadPart.storage_key).where(UploadPart.upload_id.in_(found))))
    db.session.execute(
        delete(Upload).where(Upload.id.in_(found)).execution_options(synchronize_session=False)
    )
    return len(found)

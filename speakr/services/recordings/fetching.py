"""What the worker that fetches a file for an upload says about it: take it, describe it, finish it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography.fernet import InvalidToken
from sqlalchemy import func, select, update

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import FetchSlotsTaken, JobCancelled, PermanentJobError, UnusableMedia
from speakr.domain.permissions import Actor, Scope
from speakr.domain.uploads import UploadState
from speakr.egress.downloads import FileRequest, Policy, Resource
from speakr.models import Upload, UploadSource, User
from speakr.services.accounts.sealing import unseal
from speakr.services.jobs import claims
from speakr.services.recordings import fetches, resumable, resumable_finishing, size_limits, stored_forms
from speakr.services.recordings.resumable import LOCK, Claim
from speakr.storage.base import Part

_SLOT_PAUSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Fetch:
    """A claimed upload, and what is known of its file."""

    claim: Claim
    request: FileRequest
    validator: str | None
    is_named: bool
    max_bytes: int

    @property
    def is_whole(self) -> bool:
        """All bytes are there."""
        return 0 < self.claim.size_bytes == self.claim.received_bytes


def policy() -> Policy:
    """Return what a download may reach, and how long it may take."""
    settings = get_backends().settings
    return Policy(
        allow_list=fetches.allow_list(),
        proxy_url=settings.fetch_proxy_url,
        total_seconds=settings.fetch_timeout_seconds,
        idle_seconds=settings.fetch_idle_seconds,
    )


def begin(held: claims.Claim) -> Fetch | None:
    """Take the upload of a job over; None when it is a recording already. Run in a unit of work.

    Raises:
        JobCancelled: the upload was deleted.
        FetchSlotsTaken: as many files are being fetched as may be.
        PermanentJobError: the user is disabled, or the request cannot be decrypted; or the upload has failed.

    """
    upload, source = _load(held)
    if upload.state is UploadState.COMPLETED:
        return None
    if upload.state is UploadState.FAILED and upload.error is not None:
        raise PermanentJobError(upload.error["error"], code=upload.error["code"])
    actor_of(held)
    _require_slot(upload)
    return Fetch(
        claim=_claim(upload.id, LOCK),
        request=_unsealed(source),
        validator=source.validator,
        is_named=source.is_named,
        max_bytes=size_limits.current().max_bytes,
    )


def _load(held: claims.Claim) -> tuple[Upload, UploadSource]:
    row = db.session.execute(
        select(Upload, UploadSource)
        .join(UploadSource, UploadSource.upload_id == Upload.id)
        .where(Upload.id == held.options["upload_id"], Upload.user_id == held.user_id)
        .execution_options(populate_existing=True)
    ).first()
    if row is None:
        raise JobCancelled("The upload was deleted.")
    return row.Upload, row.UploadSource


def actor_of(held: claims.Claim) -> Actor:
    """Return the user for whom a job is done, without the power of an administrator."""
    user = db.session.get(User, held.user_id, populate_existing=True)
    if user is None or not user.is_active:
        raise PermanentJobError("The user's account is disabled.", code="user_disabled")
    return Actor(user.id, user.username, is_admin=False, scopes=frozenset({Scope.WRITE}))


def _unsealed(source: UploadSource) -> FileRequest:
    try:
        found = json.loads(unseal(source.sealed_request or ""))
    except InvalidToken:
        raise PermanentJobError(
            "The address was encrypted with another SPEAKR_SECRET_KEY; open a new upload.",
            code="address_unreadable",
        ) from None
    return FileRequest(found["url"], found["headers"])


def _require_slot(upload: Upload) -> None:
    """Raise `FetchSlotsTaken` unless this user, and the server, may fetch one more file now.

    At least one worker stays free for other work.
    """
    # Two workers at once must not both find the last slot. One server-wide slot too many does no harm.
    db.session.execute(select(User.id).where(User.id == upload.user_id).with_for_update(key_share=True))
    is_of_user = Upload.user_id == upload.user_id
    all_others, own_others = db.session.execute(
        select(func.count(), func.count().filter(is_of_user)).where(
            Upload.state == UploadState.FETCHING, Upload.held_until > now(), Upload.id != upload.id
        )
    ).one()
    settings = get_backends().settings
    if own_others >= max(1, settings.fetches_per_user) or all_others >= max(1, settings.worker_count - 1):
        raise FetchSlotsTaken(
            "Other files are being fetched; this one follows.", retry_after_seconds=_SLOT_PAUSE_SECONDS
        )


def _claim(upload_id: int, lock: timedelta) -> Claim:
    """Take the upload by a higher fence, whatever lock a worker that died has left."""
    row = db.session.execute(
        update(Upload)
        .where(Upload.id == upload_id, Upload.state.in_((UploadState.QUEUED, UploadState.FETCHING)))
        .values(state=UploadState.FETCHING, fence=Upload.fence + 1, held_until=now() + lock)
        .returning(Upload.fence, Upload.size_bytes, Upload.received_bytes)
        .execution_options(synchronize_session=False)
    ).first()
    if row is None:
        raise JobCancelled("The upload was deleted.")
    parts = resumable.parts_of(upload_id)
    return Claim(upload_id, row.fence, row.size_bytes, row.received_bytes, parts, UploadState.FETCHING)


def describe(fetch: Fetch, resource: Resource, filename: str | None) -> Fetch:
    """Store what the server says of its file. When its body begins at 0, earlier bytes are forgotten.

    Run in a unit of work. Raises `JobCancelled`; `TooLarge` or `OutOfSpace` for a size that cannot be stored.
    """
    size_bytes = resource.size_bytes or 0
    if size_bytes:
        resumable.require_space(size_bytes)
    claim = fetch.claim
    received_bytes, parts = claim.received_bytes, claim.parts
    if resource.offset != received_bytes:
        received_bytes, parts = 0, list[Part]()
        resumable.drop_parts(claim.upload_id)
    names = {} if fetch.is_named or filename is None else {"filename": filename}
    _change(claim, size_bytes=size_bytes, received_bytes=received_bytes, error=None, **names)
    db.session.execute(
        update(UploadSource)
        .where(UploadSource.upload_id == claim.upload_id)
        .values(validator=resource.validator)
        .execution_options(synchronize_session=False)
    )
    claim = replace(claim, size_bytes=size_bytes, received_bytes=received_bytes, parts=parts)
    return replace(fetch, claim=claim, validator=resource.validator)


def renew(fetch: Fetch) -> None:
    """Prolong the upload's lock, which counts as a slot. Run in a unit of work. Raises `JobCancelled`."""
    _change(fetch.claim, held_until=now() + LOCK)


def end(fetch: Fetch, received_bytes: int) -> None:
    """Store the size of a file whose server did not say it. Run in a unit of work.

    Raises `UnusableMedia` for a file without a byte, and `JobCancelled`.
    """
    if received_bytes == 0:
        raise UnusableMedia("The file is empty.", code="empty_file")
    _change(fetch.claim, size_bytes=received_bytes)


def finish(held: claims.Claim) -> None:
    """Make the recording of a file whose bytes are all there. Slow; no transaction may be open.

    Raises as `resumable_finishing.finish` does, and `JobCancelled`.
    """
    upload, source = _load(held)
    actor, form = actor_of(held), stored_forms.from_json(source.form, upload.filename)
    upload_id, lock = upload.id, resumable_finishing.lock_for(upload.size_bytes)
    release()
    with unit_of_work():
        claim = _claim(upload_id, lock)
    resumable_finishing.finish_claimed(actor, claim, form)


def forget_request(held: claims.Claim) -> None:
    """Delete the address and its headers, which may be credentials. Run in the transaction that ends the job."""
    db.session.execute(
        update(UploadSource)
        .where(UploadSource.upload_id == held.options["upload_id"])
        .values(sealed_request=None)
        .execution_options(synchronize_session=False)
    )


def _change(claim: Claim, **values: object) -> None:
    changed = db.session.execute(
        update(Upload)
        .where(claim.holds())
        .values(**values)
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    ).first()
    if changed is None:
        raise JobCancelled("The upload was deleted.")

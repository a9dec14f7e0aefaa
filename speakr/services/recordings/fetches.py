"""Uploads from a URL: a user opens one, and a job fetches the file into it.

The row of the upload says how far it is, as with tus; the row of the job says who works on it. The job is unique
among the active ones of its upload, so its owner needs no lock: it takes the upload over by a higher fence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from sqlalchemy import update

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.errors import Conflict, Forbidden, Invalid, NotFound
from speakr.domain.jobs import ACTIVE, JobKind, dedupe_key
from speakr.domain.permissions import Actor
from speakr.domain.uploads import UploadState
from speakr.egress.addresses import IpAddress
from speakr.egress.guard import AddressRefused, AllowList, fetch_allow_list, without_reason
from speakr.egress.urls import parse_url
from speakr.models import Job, Upload, UploadSource, User
from speakr.services.accounts import budgets
from speakr.services.accounts.sealing import seal
from speakr.services.jobs import queueing, requests
from speakr.services.jobs.kinds import Steps
from speakr.services.recordings import resumable, stored_forms
from speakr.services.recordings.intake import UploadForm

ALLOWED_HEADERS = ("Authorization", "Cookie", "Referer", "User-Agent", "X-Api-Key", "X-Auth-Token")
"""Headers that a user may have sent to the server of the file."""
MAX_HEADER_LENGTH = 4096
_IN_PROGRESS = (UploadState.QUEUED, UploadState.FETCHING)


def create(actor: Actor, *, url: str, headers: Mapping[str, str], form: UploadForm, is_named: bool) -> Upload:
    """Open an upload and queue the job that fetches its file. Run in a unit of work.

    Names are looked up later, by the job: a request does not wait for a name server.

    Raises:
        Invalid: `invalid_url`, or `address_refused` for an address that is closed whatever it resolves to.
        Forbidden: `fetching_disabled`, or a quota or budget is used up.
        Conflict: `too_many_uploads` of this user are open.

    """
    if get_backends().settings.fetches_per_user == 0:
        raise Forbidden("Uploads from a URL are turned off on this server.", code="fetching_disabled")
    address = parse_url(url, allow_http=True)
    if address.literal is not None:
        _admit(actor, address.host, address.literal)
    budgets.admit_upload(actor.user_id, size_bytes=1, seconds=0.0)
    resumable.require_few_open(actor.user_id)
    upload = Upload(
        user_id=actor.user_id,
        state=UploadState.QUEUED,
        size_bytes=0,
        filename=form.filename,
        fields=[],
        expires_at=resumable.expiry(),
    )
    db.session.add(upload)
    db.session.flush()  # to know upload.id
    db.session.add(
        UploadSource(
            upload_id=upload.id,
            form=stored_forms.to_json(form),
            sealed_request=seal(json.dumps({"url": url, "headers": checked_headers(headers)})),
            is_named=is_named,
        )
    )
    user = db.session.get_one(User, actor.user_id)
    requests.submit(user, JobKind.FETCH, {"upload_id": upload.id}, part=_part(upload.id))
    return upload


def _admit(actor: Actor, host: str, address: IpAddress) -> None:
    """Refuse an address that may not be called; only administrators get the reason."""
    try:
        allow_list().admit(host, address)
    except AddressRefused as error:
        if actor.acts_as_admin:
            raise
        raise without_reason(error) from None


def allow_list() -> AllowList:
    """Return what the administrator lets users fetch from although it is not public."""
    return fetch_allow_list(get_backends().settings)


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers in their usual spelling. Raises `Invalid` for one that may not be sent."""
    usual = {name.lower(): name for name in ALLOWED_HEADERS}
    checked: dict[str, str] = {}
    for name, value in headers.items():
        known = usual.get(name.lower())
        if known is None or known in checked:
            raise _bad_header(f"may hold, once each, {', '.join(ALLOWED_HEADERS)}")
        if not (value.isascii() and value.isprintable() and 0 < len(value) <= MAX_HEADER_LENGTH):
            raise _bad_header(f"{known} must be printable ASCII of at most {MAX_HEADER_LENGTH} characters")
        checked[known] = value
    return checked


def _bad_header(problem: str) -> Invalid:
    return Invalid(f"headers: {problem}.", errors={"headers": [problem]})


def _part(upload_id: int) -> str:
    return f"upload-{upload_id}"


def terminate(actor: Actor, upload_id: int) -> None:
    """Forget an upload of any kind, and stop the job that fetches it. Run in a unit of work."""
    # The job's row first: workers lock them in this order too.
    job = queueing.active(dedupe_key(JobKind.FETCH, actor.user_id, None, _part(upload_id)))
    if job is not None and job.state in ACTIVE:
        requests.cancel(actor, job.id)
    resumable.terminate(actor, upload_id)


# -- the steps of the job


def _on_queued(job: Job) -> None:
    """Begin anew, which is all there is to do for a new upload too."""
    upload_id = job.options["upload_id"]
    upload = db.session.get(Upload, upload_id, populate_existing=True)
    if upload is None:
        raise NotFound("Upload not found")
    if upload.state is UploadState.COMPLETED:
        raise Conflict("This upload is complete.", code="upload_finished")
    _move(job, UploadState.QUEUED, (UploadState.QUEUED, UploadState.FAILED), received_bytes=0)


def _on_postponed(job: Job) -> None:
    _move(job, UploadState.QUEUED, _IN_PROGRESS)


def _on_failed(job: Job) -> None:
    error = {"code": job.error_code, "error": job.error_message}
    if _move(job, UploadState.FAILED, _IN_PROGRESS, error=error):
        resumable.drop_parts(job.options["upload_id"])


def _on_cancelled(job: Job) -> None:
    error = {"code": "cancelled", "error": "Cancelled by the user."}
    if _move(job, UploadState.FAILED, _IN_PROGRESS, error=error):
        resumable.drop_parts(job.options["upload_id"])


def _move(job: Job, state: UploadState, before: tuple[UploadState, ...], **values: object) -> bool:
    """Move the job's upload by compare-and-set; return whether it was in one of the states before."""
    moved = db.session.execute(
        update(Upload)
        .where(Upload.id == job.options["upload_id"], Upload.user_id == job.user_id, Upload.state.in_(before))
        .values(
            {"state": state, "held_until": None, "expires_at": resumable.expiry(), "error": None, **values}
        )
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    ).first()
    return moved is not None


STEPS = Steps(
    on_queued=_on_queued, on_postponed=_on_postponed, on_failed=_on_failed, on_cancelled=_on_cancelled
)

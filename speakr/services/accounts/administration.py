"""Manage users as an administrator: limits, usage, deletion. This module never shows recordings of other users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.backends import get_backends
from speakr.db import after_commit, db
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Forbidden, Invalid, NotFound
from speakr.domain.permissions import Actor, GroupRole
from speakr.models import (
    Group,
    GroupMembership,
    Job,
    Recording,
    UnwantedBlob,
    Upload,
    UploadPart,
    UsageDay,
    User,
    Webhook,
)
from speakr.services import row_locks
from speakr.services.accounts import email_verification, sessions, tokens, users
from speakr.services.jobs import blobs, requests
from speakr.services.system import unwanted_blobs
from speakr.services.webhooks.deliveries import waiting

BUDGETS = ("token_budget", "transcription_budget_seconds", "storage_quota_bytes")
"""Columns with a user's own limits. None means the server's default, 0 means nothing at all."""


@dataclass(frozen=True, slots=True)
class Used:
    """A user's usage: tokens and seconds of this calendar month, current bytes and recordings."""

    tokens: int = 0
    transcribed_seconds: int = 0
    storage_bytes: int = 0
    recordings: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A user and their usage."""

    user: User
    used: Used


def require_admin(actor: Actor) -> None:
    """Refuse with 403 unless the actor is an admin and their credential has the admin scope."""
    if not actor.acts_as_admin:
        raise Forbidden("Admin access required", code="admin_required")


def list_page(actor: Actor, text: str | None, *, page: int, per_page: int) -> tuple[Sequence[Account], int]:
    """Return one page of all users by id, and the number of matches; `text` is part of a name or e-mail address."""
    require_admin(actor)
    conditions: list[ColumnElement[bool]] = []
    if text:
        named = (User.username, User.name, User.email)
        conditions.append(or_(*(column.icontains(text, autoescape=True) for column in named)))
    total = db.session.scalar(select(func.count()).select_from(User).where(*conditions)) or 0
    found = db.session.scalars(
        select(User).where(*conditions).order_by(User.id).limit(per_page).offset((page - 1) * per_page)
    ).all()
    used = _used([user.id for user in found])
    return [Account(user, used[user.id]) for user in found], total


def get(actor: Actor, user_id: int) -> Account:
    """Return one user."""
    require_admin(actor)
    user = db.session.get(User, user_id)
    if user is None:
        raise NotFound("User not found")
    return Account(user, _used([user_id])[user_id])


def create(actor: Actor, values: Mapping[str, Any], password_hash: str | None) -> Account:
    """Add a user, who is active unless `values` says otherwise."""
    require_admin(actor)
    user = users.create_hashed(
        username=values.get("username", ""),
        password_hash=password_hash,
        email=values.get("email"),
        is_admin=values.get("is_admin", False),
    )
    _put(user, values)
    email_verification.queue_if_needed(user)
    db.session.flush()  # load the stored values for the response
    return Account(user, Used())


def update(actor: Actor, user_id: int, values: Mapping[str, Any], password_hash: str | None) -> Account:
    """Change the fields of a user that administrators may change.

    Raises:
        Conflict: the server would have no active administrator left.

    """
    require_admin(actor)
    if not values and password_hash is None:
        raise Invalid("No data provided", code="empty_body")
    users.one_at_a_time()
    is_ended = not values.get("is_active", True)
    if is_ended:
        row_locks.hold(Job, Job.user_id == user_id)  # before the user, in the order in which workers lock
    user = users.held(user_id)
    if is_ended:
        requests.cancel_all_of(user_id)
    if not values.get("is_admin", True) or not values.get("is_active", True):
        _require_another_admin(user)
    if password_hash is not None:
        user.password_hash = password_hash
    if password_hash is not None or is_ended:
        _end_credentials(user_id)
    if is_ended:
        _end_deliveries(user_id)
    _name(user, values)
    _put(user, values)
    db.session.flush()  # load the stored values for the response
    return Account(user, _used([user_id])[user_id])


def _name(user: User, values: Mapping[str, Any]) -> None:
    if "username" in values:
        users.rename(user, values["username"])
    if "email" in values:
        users.set_email(user, values["email"])
        email_verification.queue_if_needed(user)


def end_credentials(actor: Actor, user_id: int) -> None:
    """Revoke all tokens of a user and end all sessions, for an administrator."""
    require_admin(actor)
    users.held(user_id)
    _end_credentials(user_id)


def _end_credentials(user_id: int) -> None:
    sessions.end_all(user_id)
    tokens.revoke_all(user_id)


def _end_deliveries(user_id: int) -> None:
    """Cancel what waits to be sent to a user's webhooks. Events of an inactive user are not sent at all."""
    for webhook_id in row_locks.hold(Webhook, Webhook.user_id == user_id):
        waiting.cancel(webhook_id)


def _put(user: User, values: Mapping[str, Any]) -> None:
    for column in ("name", "is_admin", "is_active", "email_verified", *BUDGETS):
        if column in values:
            setattr(user, column, values[column])


def _require_another_admin(user: User) -> None:
    if not (user.is_admin and user.is_active):
        return
    others = select(User.id).where(User.is_admin, User.is_active, User.id != user.id)
    if db.session.scalar(others.limit(1)) is None:
        raise Conflict("This is the last active administrator.", code="last_admin")


def delete(actor: Actor, user_id: int) -> None:
    """Delete a user with all their data: rows in this transaction, blobs after the commit.

    Raises:
        Conflict: the server, or a group with other members, would have no admin left.

    """
    require_admin(actor)
    users.one_at_a_time()
    _require_led_groups(user_id)
    row_locks.hold_user_for_deletion(user_id)
    user = users.held(user_id)
    _require_another_admin(user)
    _drop_blobs(user_id)
    recording_ids = db.session.scalars(select(Recording.id).where(Recording.user_id == user_id)).all()
    db.session.delete(user)
    live = get_backends().live

    def clear() -> None:
        for recording_id in recording_ids:
            live.forget(recording_id)
        unwanted_blobs.clear()

    after_commit(clear)


def _drop_blobs(user_id: int) -> None:
    dialect: Any = sqlite if db.engine.dialect.name == "sqlite" else postgresql
    moment = literal(now(), UnwantedBlob.created_at.type)
    of_recordings = select(Recording.storage_key, moment).where(
        Recording.user_id == user_id, Recording.storage_key.is_not(None)
    )
    of_uploads = (
        select(UploadPart.storage_key, moment)
        .join(Upload, Upload.id == UploadPart.upload_id)
        .where(Upload.user_id == user_id)
    )
    for keys in (of_recordings, of_uploads):
        insert = dialect.insert(UnwantedBlob).from_select(["storage_key", "created_at"], keys)
        db.session.execute(insert.on_conflict_do_nothing())
    blobs.drop(Job.user_id == user_id)


def _require_led_groups(user_id: int) -> None:
    """Refuse to delete the only admin of a group with other members, and lock the groups that the user administers."""
    led = (
        db.session.execute(
            select(Group.id, Group.name)
            .join(GroupMembership, GroupMembership.group_id == Group.id)
            .where(GroupMembership.user_id == user_id, GroupMembership.role == GroupRole.ADMIN)
            .order_by(Group.id)
            .with_for_update(key_share=True, of=Group)
        )
    ).all()
    others = db.session.execute(
        select(GroupMembership.group_id, GroupMembership.role).where(
            GroupMembership.group_id.in_([row.id for row in led]), GroupMembership.user_id != user_id
        )
    ).all()
    with_admin = {row.group_id for row in others if row.role is GroupRole.ADMIN}
    stranded = [row.name for row in led if row.id in {other.group_id for other in others} - with_admin]
    if stranded:
        raise Conflict(
            f"Make another member admin of these groups first: {', '.join(stranded)}",
            code="last_admin",
            groups=stranded,
        )


def _used(user_ids: Sequence[int]) -> Mapping[int, Used]:
    month = {
        row.user_id: (int(row.tokens or 0), int(row.seconds or 0))
        for row in db.session.execute(
            select(
                UsageDay.user_id,
                func.sum(UsageDay.tokens).label("tokens"),
                func.sum(UsageDay.transcribed_seconds).label("seconds"),
            )
            .where(UsageDay.user_id.in_(user_ids), UsageDay.day >= now().date().replace(day=1))
            .group_by(UsageDay.user_id)
        )
    }
    stored = {
        row.user_id: (int(row.bytes or 0), row.recordings)
        for row in db.session.execute(
            select(
                Recording.user_id,
                func.sum(Recording.file_size).filter(Recording.storage_key.is_not(None)).label("bytes"),
                func.count().label("recordings"),
            )
            .where(Recording.user_id.in_(user_ids))
            .group_by(Recording.user_id)
        )
    }
    return {user_id: Used(*month.get(user_id, (0, 0)), *stored.get(user_id, (0, 0))) for user_id in user_ids}

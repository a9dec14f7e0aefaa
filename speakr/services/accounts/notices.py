"""Notices: messages from the server to a user, listed until the user has read them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.errors import NotFound
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import Actor
from speakr.models import Notice

_MAX_TEXT_LENGTH = 500


def record(user_id: int, kind: NoticeKind, text: str, webhook_id: int | None = None) -> Notice:
    """Record a notice in the caller's transaction, so that it exists if and only if the fact it reports does."""
    notice = Notice(user_id=user_id, kind=kind, text=text[:_MAX_TEXT_LENGTH], webhook_id=webhook_id)
    db.session.add(notice)
    return notice


def list_for(actor: Actor, limit: int) -> Sequence[Notice]:
    """List the actor's notices: unread ones first, then newest first."""
    return db.session.scalars(
        select(Notice)
        .where(Notice.user_id == actor.user_id)
        .order_by(Notice.read_at.is_not(None), Notice.id.desc())
        .limit(limit)
    ).all()


def unread_count(actor: Actor) -> int:
    """Return how many notices the actor has not read."""
    unread = select(func.count()).where(Notice.user_id == actor.user_id, Notice.read_at.is_(None))
    return db.session.scalar(unread) or 0


def mark_read(actor: Actor, notice_id: int) -> Notice:
    """Mark a notice as read; a repeated call keeps the first time."""
    notice = db.session.get(Notice, notice_id)
    if notice is None or notice.user_id != actor.user_id:
        raise NotFound("Notice not found")
    notice.read_at = notice.read_at or now()
    return notice

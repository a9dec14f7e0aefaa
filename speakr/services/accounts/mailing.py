"""E-mails to users: queue, claim and settle them. Only used when a mail server is configured.

Each e-mail is a row with its own next attempt, so that one that the mail server refuses delays no other. A claim sets the
next attempt before the first byte is sent: if the process dies, the e-mail is sent again later, at most `MAX_ATTEMPTS` times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, delete, func, or_, select, update

from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.emails import EmailKind, EmailState
from speakr.models import Email, Notice, User
from speakr.services.accounts import email_texts

logger = structlog.get_logger(__name__)

MAX_AGE = timedelta(days=1)
"""Older notices are shown in the app only, and older e-mails are given up: a mail server that is configured later must not
send a backlog."""

MIN_INTERVAL = timedelta(minutes=10)
"""Minimum time between two e-mails with notices to one user, so that a paused and resumed webhook cannot fill a mailbox."""

PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
"""Pauses after the first attempt, the second and so on."""

MAX_ATTEMPTS = len(PAUSES) + 1

PAUSE_AFTER_SILENCE = timedelta(hours=1)
"""Pause after a mail server that did not say whether it accepted an e-mail; the next attempt is the last one."""

KEPT = timedelta(days=7)
"""How long rows of e-mails are kept."""

_GATHERED_AT_ONCE = 100
_PURGED_AT_ONCE = 1_000
_IS_WAITING = Email.state == EmailState.WAITING


@dataclass(frozen=True, slots=True)
class ClaimedEmail:
    """An e-mail to send now."""

    id: int
    attempt: int
    """Counted from 1."""
    address: str
    subject: str
    text: str


def has_notices() -> bool:
    """Tell whether `gather` has anything to do, without a transaction that writes."""
    return bool(_waiting_users(now()))


def gather() -> None:
    """Queue one e-mail with all unread notices for each user who has a verified address and had none within `MIN_INTERVAL`."""
    moment = now()
    for user_id, address in _waiting_users(moment):
        email = Email(user_id=user_id, kind=EmailKind.NOTICES, address=address)
        db.session.add(email)
        db.session.flush()  # to know email.id
        taken = db.session.scalars(
            update(Notice)
            .where(Notice.user_id == user_id, *_to_mail(moment))
            .values(email_id=email.id)
            .returning(Notice.id)
            .execution_options(synchronize_session=False)
        ).all()
        if not taken:  # another process has just taken them
            db.session.delete(email)


def _waiting_users(moment: datetime) -> Sequence[tuple[int, str]]:
    had_mail = select(Email.id).where(
        Email.user_id == Notice.user_id,
        Email.kind == EmailKind.NOTICES,
        or_(_IS_WAITING, Email.settled_at > moment - MIN_INTERVAL),
    )
    due = (
        *_to_mail(moment),
        User.email.is_not(None),
        User.email_verified,
        User.is_active,
        ~had_mail.exists(),
    )
    found = db.session.execute(
        select(Notice.user_id, User.email)
        .join(User, User.id == Notice.user_id)
        .where(*due)
        .distinct()
        .order_by(Notice.user_id)
        .limit(_GATHERED_AT_ONCE)
    )
    return [(user_id, str(address)) for user_id, address in found]


def _to_mail(moment: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        Notice.mailed_at.is_(None),
        Notice.email_id.is_(None),
        Notice.read_at.is_(None),
        Notice.created_at > moment - MAX_AGE,
    )


def due(limit: int) -> Sequence[int]:
    """Return the ids of e-mails to send now. Users take turns: the first one of each user comes before any second one."""
    turn = func.row_number().over(partition_by=Email.user_id, order_by=(Email.next_attempt_at, Email.id))
    return db.session.scalars(
        select(Email.id)
        .where(_IS_WAITING, Email.next_attempt_at <= now())
        .order_by(turn, Email.attempts, Email.next_attempt_at, Email.id)
        .limit(limit)
    ).all()


def claim(email_id: int) -> ClaimedEmail | None:
    """Begin an attempt; return None if another process has it, or if there is no reason to send the e-mail any more."""
    moment = now()
    email = db.session.scalar(
        select(Email).where(Email.id == email_id).with_for_update().execution_options(populate_existing=True)
    )
    if email is None or email.state is not EmailState.WAITING or email.next_attempt_at > moment:
        return None
    if email.attempts >= MAX_ATTEMPTS or email.created_at <= moment - MAX_AGE:
        _give_up(email)
        return None
    user = db.session.get_one(User, email.user_id)
    text = _text(email, user)
    if text is None:
        _settle(email, EmailState.WITHDRAWN)
        return None
    email.attempts += 1
    email.next_attempt_at = moment + PAUSES[min(email.attempts, len(PAUSES)) - 1]
    return ClaimedEmail(email.id, email.attempts, email.address, email_texts.SUBJECTS[email.kind], text)


def _text(email: Email, user: User) -> str | None:
    if not user.is_active or user.email != email.address:
        return None
    if email.kind is EmailKind.VERIFICATION:
        return None if user.email_verified else email_texts.verification(email)
    unread = select(Notice.text).where(Notice.email_id == email.id, Notice.read_at.is_(None))
    texts = db.session.scalars(unread.order_by(Notice.id)).all()
    return email_texts.notices(texts) if texts and user.email_verified else None


def sent(claimed: ClaimedEmail) -> None:
    """Record that the mail server accepted an e-mail."""
    email = _held(claimed)
    if email is None:
        return
    _settle(email, EmailState.SENT)
    db.session.execute(
        update(Notice)
        .where(Notice.email_id == email.id)
        .values(mailed_at=email.settled_at)
        .execution_options(synchronize_session=False)
    )


def perhaps_sent(claimed: ClaimedEmail) -> None:
    """Record that the mail server did not answer after the whole e-mail. It is sent once more at most, after an hour."""
    email = _held(claimed)
    if email is None:
        return
    logger.warning("mail_unanswered", email_id=email.id, attempts=email.attempts)
    if email.attempts >= MAX_ATTEMPTS:
        sent(claimed)
    else:
        email.attempts, email.next_attempt_at = MAX_ATTEMPTS - 1, now() + PAUSE_AFTER_SILENCE


def refused(claimed: ClaimedEmail, *, is_final: bool) -> None:
    """Record that the mail server refused an e-mail. It is given up after a final refusal, or after `MAX_ATTEMPTS`."""
    email = _held(claimed)
    if email is not None and (is_final or email.attempts >= MAX_ATTEMPTS):
        _give_up(email)


def put_back(claimed: ClaimedEmail) -> None:
    """Undo a claim: the mail server could not be used at all, so the attempt does not count."""
    email = _held(claimed)
    if email is not None:
        email.attempts, email.next_attempt_at = email.attempts - 1, now()


def _held(claimed: ClaimedEmail) -> Email | None:
    """Return the locked row of an e-mail if this attempt is still its last one."""
    return db.session.scalar(
        select(Email)
        .where(Email.id == claimed.id, _IS_WAITING, Email.attempts == claimed.attempt)
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _give_up(email: Email) -> None:
    _settle(email, EmailState.GIVEN_UP)
    logger.warning("mail_given_up", email_id=email.id, user_id=email.user_id, attempts=email.attempts)


def _settle(email: Email, state: EmailState) -> None:
    email.state, email.settled_at = state, now()


def withdraw(user_id: int) -> None:
    """Stop all e-mails of a user that wait, because the address was changed. Notices go out again to the next address."""
    # E-mails before notices, in the order in which `sent` locks them.
    waiting = db.session.scalars(
        select(Email.id).where(Email.user_id == user_id, _IS_WAITING).order_by(Email.id).with_for_update()
    ).all()
    db.session.execute(
        update(Notice)
        .where(Notice.email_id.in_(waiting))
        .values(email_id=None)
        .execution_options(synchronize_session=False)
    )
    db.session.execute(
        update(Email)
        .where(Email.id.in_(waiting))
        .values(state=EmailState.WITHDRAWN, settled_at=now())
        .execution_options(synchronize_session=False)
    )


def purge() -> bool:
    """Delete up to 1000 rows of old e-mails; return whether there may be more.

    E-mails that wait for so long have no mail server.
    """
    old = select(Email.id).where(Email.created_at < now() - KEPT).limit(_PURGED_AT_ONCE)
    deleted = db.session.scalars(
        delete(Email)
        .where(Email.id.in_(old))
        .returning(Email.id)
        .execution_options(synchronize_session=False)
    ).all()
    return len(deleted) == _PURGED_AT_ONCE


def counts() -> dict[str, int]:
    """Count the kept e-mails by state."""
    found = db.session.execute(select(Email.state, func.count().label("n")).group_by(Email.state))
    return {row.state.value: row.n for row in found}

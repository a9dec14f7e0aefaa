"""Verify e-mail addresses: nothing but one fixed text is sent to an address before its owner confirms it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update

from speakr.backends import get_backends
from speakr.db import db
from speakr.domain.clock import now
from speakr.domain.emails import EmailKind, EmailState
from speakr.domain.errors import Conflict, NotFound, RateLimited
from speakr.domain.permissions import Actor
from speakr.models import Email, User
from speakr.services.accounts import email_codes

DAY = timedelta(days=1)
MIN_PAUSE = timedelta(minutes=1)
"""Minimum time between two verifications for one user."""
MAX_PER_USER = 5
"""Verifications for one user in 24 hours."""
MAX_PER_ADDRESS = 3
"""Verifications to one address in 24 hours, for all users together."""

_IS_VERIFICATION = Email.kind == EmailKind.VERIFICATION


def queue_if_needed(user: User) -> None:
    """Queue a verification after an address was set, unless it is verified or the limits are reached.

    The caller has locked the user. A user may ask for another one later (`request`).
    """
    if get_backends().settings.smtp_url and user.email and not user.email_verified:
        moment = now()
        if _allowed_at(user.id, user.email, moment) <= moment:
            _queue(user)


def request(actor: Actor) -> Email:
    """Queue a verification of the actor's address.

    Raises:
        Conflict: there is no mail server (`mail_not_configured`), no address (`no_email`), or it is verified already
            (`email_verified`).
        RateLimited: too many verifications were requested by this user or for this address.

    """
    user = _held(actor.user_id)
    if not get_backends().settings.smtp_url:
        raise Conflict("This server sends no e-mail. Ask an administrator.", code="mail_not_configured")
    if not user.email:
        raise Conflict("You have no e-mail address.", code="no_email")
    if user.email_verified:
        raise Conflict("Your e-mail address is verified already.", code="email_verified")
    moment = now()
    allowed_at = _allowed_at(user.id, user.email, moment)
    if allowed_at > moment:
        raise RateLimited(
            "Too many verifications were requested. Try again later.",
            retry_after_seconds=max(1, round((allowed_at - moment).total_seconds())),
        )
    return _queue(user)


def _queue(user: User) -> Email:
    email = Email(user_id=user.id, kind=EmailKind.VERIFICATION, address=user.email or "")
    db.session.add(email)
    db.session.flush()  # to know email.id
    return email


def _allowed_at(user_id: int, address: str, moment: datetime) -> datetime:
    """Return when the next verification may be sent; a time in the past means now."""
    of_address = func.lower(Email.address) == func.lower(address)
    times = [
        _when_below(MAX_PER_USER, DAY, Email.user_id == user_id, moment),
        _when_below(MAX_PER_ADDRESS, DAY, of_address, moment),
        _when_below(1, MIN_PAUSE, Email.user_id == user_id, moment),
    ]
    return max(times)


def _when_below(limit: int, period: timedelta, condition: ColumnElement[bool], moment: datetime) -> datetime:
    nth = db.session.scalar(
        select(Email.created_at)
        .where(_IS_VERIFICATION, condition, Email.created_at > moment - period)
        .order_by(Email.created_at.desc())
        .offset(limit - 1)
        .limit(1)
    )
    return moment if nth is None else nth + period


def verify(code: str, actor: Actor | None = None) -> User:
    """Mark an address as verified with the code that was sent to it; each code works once.

    With an actor, only codes of that user are accepted.

    Raises:
        NotFound: the code is wrong, used or expired, or the address was changed since (`wrong_code`).

    """
    email_id = email_codes.id_in(code)
    email = None if email_id is None else db.session.get(Email, email_id, populate_existing=True)
    if email is None or email.kind is not EmailKind.VERIFICATION or not email_codes.fits(code, email):
        raise _wrong()
    moment = now()
    if email.created_at <= moment - email_codes.LIFETIME or (
        actor is not None and actor.user_id != email.user_id
    ):
        raise _wrong()
    user = _held(email.user_id)  # before the e-mail, in the order in which a change of the address locks them
    used = db.session.scalar(
        update(Email)
        .where(Email.id == email.id, Email.used_at.is_(None), Email.state != EmailState.WITHDRAWN)
        .values(used_at=moment)
        .returning(Email.id)
        .execution_options(synchronize_session=False)
    )
    if used is None or not user.is_active or user.email != email.address:
        raise _wrong()
    user.email_verified = True
    return user


def _held(user_id: int) -> User:
    return db.session.scalars(
        select(User)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()


def _wrong() -> NotFound:
    return NotFound("This code is wrong, expired, or was used before.", code="wrong_code")

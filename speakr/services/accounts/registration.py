"""Registration: users who create their own account, if the operator allows it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from speakr.backends import get_backends
from speakr.domain.errors import Forbidden, Invalid
from speakr.domain.permissions import Actor, scopes_of_password
from speakr.models import User
from speakr.services.accounts import email_verification, password_rules, users
from speakr.services.system import system_settings

MAX_USERNAME_LENGTH = 80
_USERNAME = re.compile(r"[\w.@+-]+")
_BYTES_PER_MB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What a new user enters, and the hash of the password."""

    username: str
    password_hash: str
    email: str | None
    first_name: str | None
    last_name: str | None


def require_open() -> None:
    """Refuse unless the operator allows registration.

    Raises:
        Forbidden: SPEAKR_REGISTRATION is off (code `registration_disabled`).

    """
    if not get_backends().settings.registration:
        raise Forbidden("Registration is not enabled on this server.", code="registration_disabled")


def prepare(
    *,
    username: str,
    password: str,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
) -> NewAccount:
    """Check what a user entered and hash the password. This is slow on purpose: call it outside a transaction.

    Raises:
        Forbidden: registration is not enabled.
        Invalid: the name has other characters than letters, digits and `@ . + - _`, or the password is weak.

    """
    require_open()
    username = username.strip()
    if len(username) > MAX_USERNAME_LENGTH or not _USERNAME.fullmatch(username):
        reason = f"must be 1 to {MAX_USERNAME_LENGTH} letters, digits or @ . + - _"
        raise Invalid(f"The user name {reason}.", errors={"username": [reason]})
    email, first_name, last_name = (_given(text) for text in (email, first_name, last_name))
    password_rules.check(password, own=(username, email, first_name, last_name))
    return NewAccount(
        username=username,
        password_hash=users.hashed(password),
        email=email,
        first_name=first_name,
        last_name=last_name,
    )


def _given(text: str | None) -> str | None:
    return (text or "").strip() or None


def create(new: NewAccount) -> tuple[User, users.CheckedPassword]:
    """Create the account; return the user, and the password as checked, for a login.

    Raises:
        Conflict: another user has the name or the e-mail address (code `user_exists`).

    """
    user = users.create_hashed(
        username=new.username,
        password_hash=new.password_hash,
        email=new.email,
        name=" ".join(filter(None, (new.first_name, new.last_name)))[:120] or None,
    )
    user.first_name, user.last_name = new.first_name, new.last_name
    if system_settings.get("default_storage_quota_mb") is None:
        # Registration is open to all who reach the server, so one account may not fill the disk.
        user.storage_quota_bytes = get_backends().settings.registration_quota_mb * _BYTES_PER_MB
    email_verification.queue_if_needed(user)
    actor = Actor(
        user_id=user.id,
        username=user.username,
        is_admin=False,
        scopes=scopes_of_password(is_admin=False),
    )
    return user, users.CheckedPassword(actor, new.password_hash)

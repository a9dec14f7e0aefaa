"""People: making them, checking their passwords, telling what they prefer."""

from __future__ import annotations

import secrets
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, or_, select

from speakr.db import db
from speakr.domain.errors import Conflict, Invalid, NotAuthenticated
from speakr.domain.permissions import Actor, Scope
from speakr.models import User

DEFAULT_PREFERENCES: dict[str, Any] = {
    "ui_language": "en",
    "transcription_language": None,
    "output_language": None,
    "extract_events": True,
    "auto_speaker_labelling": True,
    "auto_speaker_labelling_threshold": 0.75,
    "auto_summarization": True,
    "show_timestamps_simple_view": False,
    "editor_autosave": True,
    "diarize": True,
}

_hasher = PasswordHasher()
_NOBODYS_HASH = _hasher.hash(secrets.token_hex(8))
"""Checked when there is no such user, so that a guess takes the same time either way."""

_SHORTEST_PASSWORD = 8


def create(
    *,
    username: str,
    password: str | None = None,
    email: str | None = None,
    name: str | None = None,
    is_admin: bool = False,
) -> User:
    """Add a person. Without a password they can only come with a token."""
    username = username.strip()
    if not username:
        raise Invalid("A user needs a name.", errors={"username": ["must not be empty"]})
    if password is not None and len(password) < _SHORTEST_PASSWORD:
        raise Invalid(
            f"A password has at least {_SHORTEST_PASSWORD} characters.", errors={"password": ["is too short"]}
        )
    taken = [func.lower(User.username) == username.lower()]
    if email:
        taken.append(func.lower(User.email) == email.lower())
    if db.session.scalar(select(User.id).where(or_(*taken))):
        raise Conflict("A user with this name or e-mail address already exists.", code="user_exists")
    user = User(
        username=username,
        email=email,
        name=name,
        is_admin=is_admin,
        password_hash=_hasher.hash(password) if password else None,
    )
    db.session.add(user)
    db.session.flush()  # to know user.id
    return user


def find(username: str) -> User | None:
    """Look a person up by name, whatever its case."""
    return db.session.scalar(select(User).where(func.lower(User.username) == username.strip().lower()))


def count() -> int:
    """Return how many people there are."""
    return db.session.scalar(select(func.count()).select_from(User)) or 0


def authenticate(username: str, password: str) -> Actor:
    """Check a password (argon2id).

    Raises:
        NotAuthenticated: no such user, no password set, or a wrong one; which of them is not told.

    """
    user = find(username)
    stored = user.password_hash if user is not None and user.is_active else None
    try:
        _hasher.verify(stored or _NOBODYS_HASH, password)
    except (VerificationError, InvalidHashError):
        user = None
    if user is None or stored is None:
        raise NotAuthenticated("The user name or the password is wrong.", code="wrong_password")
    scopes = frozenset(Scope) if user.is_admin else frozenset(Scope) - {Scope.ADMIN}
    return Actor(user_id=user.id, username=user.username, is_admin=user.is_admin, scopes=scopes)


def get(user_id: int) -> User:
    """Load a person who is known to exist: the actor."""
    return db.session.get_one(User, user_id)


def preferences(user: User) -> dict[str, Any]:
    """Return a person's preferences, defaults filled in."""
    return DEFAULT_PREFERENCES | user.preferences

"""Users: create, find, check passwords, and read or change profiles and preferences."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, or_, select, text

from speakr.db import db
from speakr.domain.caps import CAPS, Noun
from speakr.domain.email_addresses import is_sendable
from speakr.domain.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound, UserExists
from speakr.domain.permissions import DEFAULT_SCOPES, Actor, scopes_of_password
from speakr.models import Group, GroupMembership, User
from speakr.offload import run_cpu
from speakr.services.accounts import email_verification, mailing, sessions
from speakr.services.speech import voice_profiles
from speakr.services.system import system_settings

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
    "learn_voices": True,
    "refresh_after_corrections": False,
    "summary_prompt": None,
    "time_zone": None,
    "preferred_language": "en-US",
    "audio_quality": "high",
}

PREFERRED_LANGUAGES = (
    "en-US",
    "en-GB",
    "es-ES",
    "fr-FR",
    "de-DE",
    "it-IT",
    "pt-PT",
    "ja-JP",
    "ko-KR",
    "zh-CN",
)
AUDIO_QUALITIES = ("low", "medium", "high")
"""Sampling rates at which clients record: 8, 16 and 44.1 kHz. The server keeps the word for them."""

MAX_FOUND = 20
MIN_QUERY_LENGTH = 2

_hasher = PasswordHasher()
_DUMMY_HASH = (
    "$argon2id$v=19$m=65536,t=3,p=4$4t2mOQ6xXhdR4cEe2aNjXA$yVV4iUK/CAK78d5V8WRSN08hGqTxvi8UMop461mhEQI"
)
"""Verified when the user does not exist, so that a login attempt takes the same time in both cases.

The hash of a random password that was not kept. Hashing one at the start would cost each process CPU time and 64 MiB.
"""

_MIN_PASSWORD_LENGTH = 8
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_PLAIN = ("name", "first_name", "last_name", "job_title", "company")
_ACCOUNTS_LOCK = 0x5BEA_0001
"""The key of a PostgreSQL advisory lock."""


def one_at_a_time() -> None:
    """Lock the creation, renaming and roles of all users until this unit of work ends.

    Names are compared without case, and the last admin is found by counting; a lock on one row protects neither.
    SQLite needs no lock because it has only one writer.
    """
    if db.engine.dialect.name == "postgresql":
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ACCOUNTS_LOCK})


def create(
    *,
    username: str,
    password: str | None = None,
    email: str | None = None,
    name: str | None = None,
    is_admin: bool = False,
) -> User:
    """Create a user. Without a password, the user can only authenticate with a token. The e-mail address is not verified."""
    return create_hashed(
        username=username,
        password_hash=None if password is None else hashed(password),
        email=email,
        name=name,
        is_admin=is_admin,
    )


def create_hashed(
    *,
    username: str,
    password_hash: str | None = None,
    email: str | None = None,
    name: str | None = None,
    is_admin: bool = False,
) -> User:
    """Create a user with the hash of a password, which `hashed` computed before this unit of work."""
    user = User(name=name, is_admin=is_admin, password_hash=password_hash)
    one_at_a_time()
    rename(user, username)
    set_email(user, email)
    db.session.add(user)
    db.session.flush()  # to know user.id
    return user


def hashed(password: str) -> str:
    """Return the hash of a new password. This is slow on purpose: call it outside a transaction."""
    if len(password) < _MIN_PASSWORD_LENGTH:
        raise Invalid(
            f"A password has at least {_MIN_PASSWORD_LENGTH} characters.",
            errors={"password": ["is too short"]},
        )
    return run_cpu(lambda: _hasher.hash(password))


def rename(user: User, username: str) -> None:
    """Set a user's login name. The caller must have called `one_at_a_time`."""
    username = username.strip()
    if not username:
        raise Invalid("A user needs a name.", errors={"username": ["must not be empty"]})
    _require_free(user, "username", _is_like(User.username, username))
    user.username = username


def set_email(user: User, email: str | None) -> None:
    """Set a user's e-mail address and mark it as not verified. The caller must have called `one_at_a_time`."""
    email = (email or "").strip() or None
    if email == user.email:
        return
    if email is not None:
        if not _EMAIL.fullmatch(email) or not is_sendable(email):
            raise Invalid("This is not an e-mail address.", errors={"email": ["must be an e-mail address"]})
        _require_free(user, "email", _is_like(User.email, email))
    user.email, user.email_verified = email, False
    if user.id is not None:
        mailing.withdraw(user.id)


def _is_like(column: Any, text: str) -> Any:
    # Let the database convert both sides to lower case: it knows fewer letters than Python, so a name that Python
    # converts could differ from itself in the database.
    return func.lower(column) == func.lower(text)


def _require_free(user: User, field: str, is_same: Any) -> None:
    with db.session.no_autoflush:
        taken = db.session.scalars(select(User.id).where(is_same)).all()
    if set(taken) - {user.id}:
        raise UserExists(
            "A user with this name or e-mail address already exists.", errors={field: ["is already in use"]}
        )


def find(username: str) -> User | None:
    """Find a user by name, ignoring case."""
    if "\x00" in username:  # PostgreSQL rejects NUL characters
        return None
    return db.session.scalar(select(User).where(_is_like(User.username, username.strip())))


def named(*, user_id: int | None = None, username: str | None = None) -> User:
    """Load the active user that a request identifies by id or by name."""
    if (user_id is None) == (username is None):
        raise Invalid(
            "Send either user_id or username.", errors={"user_id": ["this or username is required"]}
        )
    user = db.session.get(User, user_id) if username is None else find(username)
    if user is None or not user.is_active:
        raise NotFound("User not found")
    return user


def search(actor: Actor, query: str) -> Sequence[Any]:
    """Return (id, username, name) of other active users whose name contains a text.

    Raises:
        Forbidden: sharing is disabled on this server (`sharing_disabled`).

    """
    if not system_settings.get("enable_internal_sharing"):
        raise Forbidden("Sharing is not enabled on this server", code="sharing_disabled")
    query = query.strip()
    if len(query) < MIN_QUERY_LENGTH:
        raise Invalid(
            f"query needs at least {MIN_QUERY_LENGTH} characters.",
            errors={"query": [f"needs at least {MIN_QUERY_LENGTH} characters"]},
        )
    return db.session.execute(
        select(User.id, User.username, User.name)
        .where(
            User.is_active,
            User.id != actor.user_id,
            or_(User.username.icontains(query, autoescape=True), User.name.icontains(query, autoescape=True)),
        )
        .order_by(func.lower(User.username))
        .limit(MAX_FOUND)
    ).all()


def count() -> int:
    """Return the number of users."""
    return db.session.scalar(select(func.count()).select_from(User)) or 0


@dataclass(frozen=True, slots=True)
class CheckedPassword:
    """A user whose password was correct, and the hash that it was compared with."""

    actor: Actor
    password_hash: str


def authenticate(username: str, password: str) -> Actor:
    """Check a password and return the user's actor. Raises as `check_password` does."""
    return check_password(username, password).actor


def check_password(username: str, password: str) -> CheckedPassword:
    """Check a password (argon2id). This is slow on purpose: call it outside a transaction.

    Raises:
        NotAuthenticated: unknown user, no password, or wrong password; the error does not say which.

    """
    user = find(username)
    stored = user.password_hash if user is not None and user.is_active else None
    if not _fits(stored or _DUMMY_HASH, password) or user is None or stored is None:
        raise NotAuthenticated("The user name or the password is wrong.", code="wrong_password")
    scopes = scopes_of_password(is_admin=user.is_admin)
    actor = Actor(user_id=user.id, username=user.username, is_admin=user.is_admin, scopes=scopes)
    return CheckedPassword(actor, stored)


def without_credential(username: str) -> Actor | None:
    """Return the actor of an active user by name, without admin permissions; None if there is none."""
    user = find(username)
    if user is None or not user.is_active:
        return None
    return Actor(user_id=user.id, username=user.username, is_admin=False, scopes=DEFAULT_SCOPES)


def _fits(stored: str, password: str) -> bool:
    try:
        return run_cpu(lambda: _hasher.verify(stored, password))
    except (VerificationError, InvalidHashError):
        return False


@dataclass(frozen=True, slots=True)
class NewPassword:
    """A new password, checked against the current hash."""

    old_hash: str
    new_hash: str


def new_password(actor: Actor, *, current: str, new: str) -> NewPassword:
    """Check the current password and hash a new one. This is slow on purpose: call it outside a transaction.

    Users without a password cannot set one: otherwise a token with few scopes could obtain all scopes.
    """
    stored = get(actor.user_id).password_hash
    if stored is None or not _fits(stored, current):
        raise Invalid(
            "The current password is wrong." if stored else "Only an administrator can set a first password.",
            errors={"current_password": ["is wrong"]},
        )
    return NewPassword(stored, hashed(new))


def update(actor: Actor, changes: Mapping[str, Any], password: NewPassword | None = None) -> User:
    """Change the actor's own profile, preferences, e-mail address or password; the caller has validated the values."""
    if not changes and password is None:
        raise Invalid("No data provided", code="empty_body")
    if "email" in changes:
        one_at_a_time()
    user = held(actor.user_id)
    for name in _PLAIN:
        if name in changes:
            setattr(user, name, (changes[name] or "").strip() or None)
    if "email" in changes:
        set_email(user, changes["email"])
        email_verification.queue_if_needed(user)
    if "preferences" in changes:
        user.preferences = _differing({**user.preferences, **changes["preferences"]})
        if not preferences(user)["learn_voices"]:
            voice_profiles.forget(user.id)
    if password is not None:
        if user.password_hash != password.old_hash:
            raise Conflict("The password was changed by another request.")
        user.password_hash = password.new_hash
        sessions.end_all(user.id)
    return user


def _differing(preferences: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in preferences.items()
        if name not in DEFAULT_PREFERENCES or value != DEFAULT_PREFERENCES[name]
    }


def held(user_id: int) -> User:
    """Load the current row of a user and lock it until this unit of work ends."""
    user = db.session.scalar(
        select(User)
        .where(User.id == user_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if user is None:
        raise NotFound("User not found")
    return user


def get(user_id: int) -> User:
    """Load a user who is known to exist, such as the actor."""
    return db.session.get_one(User, user_id)


def preferences(user: User) -> dict[str, Any]:
    """Return a user's preferences with defaults filled in."""
    return DEFAULT_PREFERENCES | user.preferences


def memberships_of(user_id: int) -> Sequence[Any]:
    """Return the groups that a user is a member of (group_id, group_name, role, joined_at), by name."""
    return db.session.execute(
        select(
            Group.id.label("group_id"),
            Group.name.label("group_name"),
            GroupMembership.role,
            GroupMembership.joined_at,
        )
        .join(Group, Group.id == GroupMembership.group_id)
        .where(GroupMembership.user_id == user_id)
        .order_by(func.lower(Group.name), Group.id)
        .limit(CAPS[Noun.MEMBERSHIPS])
    ).all()

"""Users, groups, tokens and system settings, from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from speakr.db import unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import ALL_SCOPES, DEFAULT_SCOPES, Actor, GroupRole, Scope
from speakr.operations.errors import OperatorError
from speakr.services.accounts import administration, groups, tokens, users
from speakr.services.system import system_settings

_YES = {"yes": True, "true": True, "on": True, "1": True}
_NO = {"no": False, "false": False, "off": False, "0": False}
_OPERATOR = Actor(user_id=0, username="operator", is_admin=True, scopes=ALL_SCOPES)
"""The actor of commands on the server."""
_DEFAULT = "default"
_PAGE = 100
_MEGABYTE = 1024 * 1024
_MAX_BYTES = 10**15


def create_user(name: str, *, password: str | None, email: str | None, is_admin: bool) -> int:
    """Add a user; return the id. The operator knows whose the e-mail address is, so it counts as verified."""
    with unit_of_work():
        user = users.create(username=name, password=password, email=email, is_admin=is_admin)
        user.email_verified = email is not None
        return user.id


def create_token(username: str, *, name: str, scopes: str | None, days: int) -> str:
    """Make a token for a user; return its secret. `scopes` is a comma list; None gives all but admin."""
    user_id, is_admin = _user(username)
    wanted = DEFAULT_SCOPES if scopes is None else _scopes(scopes)
    if Scope.ADMIN in wanted and not is_admin:
        raise OperatorError(f"{username} is not an admin, so the scope admin would be of no use.")
    with unit_of_work():
        return tokens.create(user_id, name=name, expires_in_days=days, scopes=wanted)[1]


def _scopes(text: str) -> frozenset[Scope]:
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    unknown = sorted(set(names) - set(Scope))
    if unknown or not names:
        raise OperatorError(
            f"Unknown scope: {', '.join(unknown) or 'none given'}. Known are: {', '.join(Scope)}."
        )
    return frozenset(Scope(name) for name in names)


def set_user(
    username: str,
    *,
    token_budget: str | None,
    transcription_minutes: str | None,
    storage_mb: str | None,
    admin: bool | None,
    active: bool | None,
    password: str | None,
    email: str | None = None,
    email_verified: bool | None = None,
) -> None:
    """Change a user. None leaves a value unchanged; `default` resets a budget to the server's.

    An address that the operator sets is verified unless `email_verified` is False.
    """
    user_id, _ = _user(username)
    changes: dict[str, Any] = {}
    for column, text, units, most in (
        ("token_budget", token_budget, 1, system_settings.BIGGEST),
        ("transcription_budget_seconds", transcription_minutes, 60, system_settings.BIGGEST),
        ("storage_quota_bytes", storage_mb, _MEGABYTE, _MAX_BYTES),
    ):
        if text is not None:
            changes[column] = _budget(text, units, most)
    if admin is not None:
        changes["is_admin"] = admin
    if active is not None:
        changes["is_active"] = active
    if email is not None:
        changes.update(email=email, email_verified=True)
    if email_verified is not None:
        changes["email_verified"] = email_verified
    password_hash = None if password is None else users.hashed(password)
    if not changes and password_hash is None:
        raise OperatorError("Nothing to change was named; see speakr set-user --help.")
    with unit_of_work():
        administration.update(_OPERATOR, user_id, changes, password_hash)


def _budget(text: str, units: int, most: int) -> int | None:
    if text.lower() == _DEFAULT:
        return None
    if not text.isascii() or not text.isdigit() or int(text) * units > most:
        raise OperatorError(f"{text} is no budget: give a whole number, or {_DEFAULT}.")
    return int(text) * units


def _user(username: str) -> tuple[int, bool]:
    """Return a user's id, and whether they are an admin."""
    user = users.find(username)
    if user is None:
        raise OperatorError(f"There is no user named {username}.")
    return user.id, user.is_admin


def list_users() -> Iterator[str]:
    """Return a line per user: id, name, role, and this month's use of each budget."""
    page, total = 1, 1
    while (page - 1) * _PAGE < total:
        found, total = administration.list_page(_OPERATOR, None, page=page, per_page=_PAGE)
        for account in found:
            user, used = account.user, account.used
            kind = "admin" if user.is_admin else "user"
            yield "  ".join(
                (
                    f"{user.id:>5}",
                    f"{user.username:<20}",
                    f"{kind if user.is_active else f'{kind}, off':<10}",
                    f"{used.recordings} recordings",
                    f"tokens {_of(used.tokens, user.token_budget)}",
                    f"minutes {_of(used.transcribed_seconds, user.transcription_budget_seconds, 60)}",
                    f"MB {_of(used.storage_bytes, user.storage_quota_bytes, _MEGABYTE)}",
                )
            )
        page += 1


def _of(used: int, budget: int | None, units: int = 1) -> str:
    return f"{used // units} of {_DEFAULT if budget is None else budget // units}"


def create_group(name: str, description: str | None) -> int:
    """Make an empty group; return its id."""
    with unit_of_work():
        return groups.found(name=name, description=description).id


def add_member(group_name: str, username: str, *, is_admin: bool) -> None:
    """Add a user to a group, or change a member's role."""
    user_id, _ = _user(username)
    group_id = next(
        (
            shown.group.id
            for shown in groups.list_page(_OPERATOR, everything=True).items
            if shown.group.name == group_name
        ),
        None,
    )
    if group_id is None:
        raise OperatorError(f"There is no group named {group_name}.")
    role = GroupRole.ADMIN if is_admin else GroupRole.MEMBER
    with unit_of_work():
        if any(member.user_id == user_id for member in groups.members(_OPERATOR, group_id).items):
            groups.change_role(_OPERATOR, group_id, user_id, role)
        else:
            groups.add_member(_OPERATOR, group_id, user_id=user_id, username=None, role=role)


def change_setting(name: str, text: str) -> None:
    """Change a system setting. The text is read as JSON where it is that, as yes or no, or else as it stands."""
    value = _read(text, is_flag=isinstance(_known(name).default(), bool))
    try:
        with unit_of_work():
            system_settings.put(name, value)
    except Invalid as error:
        raise OperatorError(error.message) from error


def reset_setting(name: str) -> str:
    """Reset a setting to its default; return it."""
    default = _known(name).default()
    with unit_of_work():
        system_settings.reset(name)
    return json.dumps(default)


def list_settings() -> Iterator[str]:
    """Return a line per system setting, and whether it has been changed."""
    for name, setting in sorted(system_settings.everything().items()):
        value, default = json.dumps(setting["value"]), json.dumps(setting["default"])
        changed = "" if value == default else f"  (default {default})"
        yield f"{name} = {value}{changed}"


def _known(name: str) -> system_settings.SettingDefinition:
    if name not in system_settings.KNOWN:
        raise OperatorError(
            f"There is no setting named {name}. Known are: {', '.join(system_settings.KNOWN)}."
        )
    return system_settings.KNOWN[name]


def _read(text: str, *, is_flag: bool) -> Any:
    if is_flag and text.lower() in _YES | _NO:
        return (_YES | _NO)[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text

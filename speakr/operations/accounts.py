"""Users, tokens and system settings, from the command line."""

from __future__ import annotations

import json
from typing import Any

from speakr.db import unit_of_work
from speakr.domain.errors import Invalid
from speakr.domain.permissions import DEFAULT_SCOPES, Scope
from speakr.operations.errors import OperatorError
from speakr.services import system_settings, tokens, users

_YES = {"yes": True, "true": True, "on": True, "1": True}
_NO = {"no": False, "false": False, "off": False, "0": False}


def create_user(name: str, *, password: str | None, email: str | None, is_admin: bool) -> int:
    """Add a user; return the id."""
    with unit_of_work():
        return users.create(username=name, password=password, email=email, is_admin=is_admin).id


def create_token(username: str, *, name: str, scopes: str | None, days: int) -> str:
    """Make a token for a user; return its secret. `scopes` is a comma list; None gives all but admin."""
    user = users.find(username)
    if user is None:
        raise OperatorError(f"There is no user named {username}.")
    wanted = DEFAULT_SCOPES if scopes is None else _scopes(scopes)
    user_id, is_admin = user.id, user.is_admin
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


def change_setting(name: str, text: str) -> None:
    """Change a system setting. The text is read as JSON where it is that, as yes or no, or else as it stands."""
    if name not in system_settings.KNOWN:
        raise OperatorError(
            f"There is no setting named {name}. Known are: {', '.join(system_settings.KNOWN)}."
        )
    value = _read(text, is_flag=isinstance(system_settings.KNOWN[name].default(), bool))
    try:
        with unit_of_work():
            system_settings.put(name, value)
    except Invalid as error:
        raise OperatorError(error.message) from error


def _read(text: str, *, is_flag: bool) -> Any:
    if is_flag and text.lower() in _YES | _NO:
        return (_YES | _NO)[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text

"""Users, tokens and system settings, from the command line."""

from __future__ import annotations

from speakr.db import unit_of_work
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
    """Change a system setting; the text is read as its default's type."""
    if name not in system_settings.DEFAULTS:
        raise OperatorError(
            f"There is no setting named {name}. Known are: {', '.join(system_settings.DEFAULTS)}."
        )
    with unit_of_work():
        system_settings.put(name, _read(name, text))


def _read(name: str, text: str) -> bool | int | float | str:
    default = system_settings.DEFAULTS[name]
    if isinstance(default, bool):
        known = _YES | _NO
        if text.lower() not in known:
            raise OperatorError(f"{name} is yes or no, not {text}.")
        return known[text.lower()]
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            raise OperatorError(f"{name} is a number, not {text}.") from None
    return text

"""What an administrator can change while the server runs."""

from __future__ import annotations

from typing import Any

from speakr.db import db
from speakr.domain.errors import Invalid
from speakr.models import SystemSetting

DEFAULTS: dict[str, Any] = {"enable_folders": False}


def get(name: str) -> Any:
    """Return a setting's value, or its default."""
    row = db.session.get(SystemSetting, name)
    return DEFAULTS[name] if row is None else row.value["value"]


def put(name: str, value: Any) -> None:
    """Change a setting; the new value has the type of the default."""
    if name not in DEFAULTS:
        raise Invalid(f"There is no setting named {name}.")
    if type(value) is not type(DEFAULTS[name]):
        raise Invalid(f"{name} takes a {type(DEFAULTS[name]).__name__}.")
    db.session.merge(SystemSetting(name=name, value={"value": value}))

"""Schemas of system settings."""

from __future__ import annotations

from marshmallow import INCLUDE, fields

from speakr.services.system.system_settings import KNOWN
from speakr.web.wire import Wire


class SettingOut(Wire):
    """One setting."""

    value = fields.Raw(required=True, allow_none=True)
    default = fields.Raw(required=True, allow_none=True)
    help = fields.String(required=True)


class SettingsOut(Wire):
    """All settings, by name."""

    settings = fields.Dict(keys=fields.String(), values=fields.Nested(SettingOut), required=True)


class _Named(Wire):
    class Meta:
        """An unknown name is refused and not ignored, because the request would change nothing."""

        unknown = INCLUDE


SettingsIn = _Named.from_dict(
    {
        name: fields.Raw(
            allow_none=True,  # the service reports all wrong values at once
            metadata={"x-nullable": False, **known.read.shape, "description": known.help},
        )
        for name, known in KNOWN.items()
    },
    name="SettingsIn",
)
"""Name -> new value; the service checks the values."""

"""Shapes of system settings."""

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
        """A name that does not exist is told and not ignored: nothing would change."""

        unknown = INCLUDE


SettingsIn = _Named.from_dict(
    {
        name: fields.Raw(
            allow_none=True,  # the service tells what is wrong with all of them at once
            metadata={"x-nullable": False, **known.read.shape, "description": known.help},
        )
        for name, known in KNOWN.items()
    },
    name="SettingsIn",
)
"""Settings to change, by name; the values are checked by the service."""

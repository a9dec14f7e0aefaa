"""Settings that administrators may change while the server runs."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.api.schemas.system_settings import SettingsIn, SettingsOut
from speakr.db import unit_of_work
from speakr.domain.errors import Invalid, NotFound
from speakr.domain.permissions import Scope
from speakr.services.accounts import administration
from speakr.services.system import system_settings
from speakr.web.identity import actor, needs
from speakr.web.rate_limits import RateClass

blp = noun("settings", "The server's settings, for administrators")


@blp.route("/admin/settings")
class Settings(MethodView):
    """All settings."""

    @needs(Scope.ADMIN, RateClass.GET)
    @blp.doc(operationId="getSettings")
    @blp.response(200, SettingsOut)
    def get(self) -> Any:
        """List all settings with their values and defaults."""
        administration.require_admin(actor())
        return {"settings": system_settings.everything()}

    @needs(Scope.ADMIN, RateClass.WRITE)
    @blp.doc(operationId="updateSettings")
    @blp.arguments(SettingsIn)
    @blp.response(200, SettingsOut)
    def patch(self, changes: dict[str, Any]) -> Any:
        """Change settings: all that the request names, or none."""
        administration.require_admin(actor())
        if not changes:
            raise Invalid("No data provided", code="empty_body")
        with unit_of_work():
            system_settings.put_all(changes)
            return {"settings": system_settings.everything()}


@blp.route("/admin/settings/<string:name>")
class Setting(MethodView):
    """One setting."""

    @needs(Scope.ADMIN, RateClass.WRITE)
    @blp.doc(operationId="resetSetting")
    @blp.response(204)
    def delete(self, name: str) -> None:
        """Reset a setting to its default."""
        administration.require_admin(actor())
        if name not in system_settings.KNOWN:
            raise NotFound("There is no such setting")
        with unit_of_work():
            system_settings.reset(name)

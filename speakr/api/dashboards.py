"""Configuration of dashboards that show figures of this server."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from speakr.api.blueprint import noun
from speakr.domain.permissions import Scope
from speakr.services.system import dashboards
from speakr.web.identity import needs
from speakr.web.pages import base_url
from speakr.web.rate_limits import RateClass

blp = noun("dashboards", "Configuration for dashboards")


@blp.route("/stats/homepage.yaml")
class HomepageServices(MethodView):
    """A `services.yaml` for gethomepage."""

    @needs(Scope.READ, RateClass.STATS)
    @blp.doc(operationId="getHomepageServices")
    @blp.response(200, {"type": "array", "items": {"type": "object"}}, content_type=dashboards.MEDIA_TYPE)
    def get(self) -> Response:
        """Return the configuration of gethomepage for this server; replace `your-token` in it by a token."""
        return Response(
            dashboards.homepage_services(base_url()), content_type=f"{dashboards.MEDIA_TYPE}; charset=utf-8"
        )

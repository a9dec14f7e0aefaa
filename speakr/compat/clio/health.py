"""Whether the server answers."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView

from speakr.compat.clio.noun import noun
from speakr.compat.clio.schemas_accounts import HealthOut
from speakr.web.identity import public

blp = noun("health", "Whether the server answers")


@blp.route("/health/")
class Health(MethodView):
    """The state of the web process."""

    @public
    @blp.doc(operationId="clioHealth")
    @blp.response(200, HealthOut)
    def get(self) -> Any:
        """Say that the server answers. It needs no credential and is not counted."""
        return {"status": "ok"}

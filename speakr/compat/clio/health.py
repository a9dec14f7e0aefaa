"""Whether the server answers."""

from __future__ import annotations

from typing import Any

from speakr.compat.clio.noun import noun
from speakr.compat.clio.schemas_accounts import HealthOut
from speakr.web.identity import public

blp = noun("health", "Whether the server answers")


@blp.route("/health/", methods=["GET"])
@public
@blp.response(200, HealthOut)
def health() -> Any:
    """Say that the server answers. It is not counted."""
    return {"status": "ok"}

"""Who may call the routes of AudioScribe."""

from __future__ import annotations

from typing import Any

from tests.matrix.families import FamilyRows
from tests.matrix.policies import ANYBODY, MINE, Case

PREFIX = "/api/v1/audioscribe"


def wrong_shape(answer: Any) -> list[str]:
    """Return what is wrong with a failure, which is an object with one sentence."""
    body = answer.get_json(silent=True) if answer.mimetype == "application/json" else None
    if not isinstance(body, dict) or set(body) != {"detail"} or not isinstance(body["detail"], str):
        return [f"not an object with a detail: {answer.data[:200]!r}"]
    return [] if body["detail"] else ["an empty detail"]


ROWS = FamilyRows(
    prefix=PREFIX,
    public={f"GET {PREFIX}/openapi.json"},
    routes={
        route: cases
        for name in ("sessions", "notes")
        for route, cases in {
            f"GET {PREFIX}/{name}/": [Case(ANYBODY, shows=("title", "said", "tag", "othersaid"))],
            f"GET {PREFIX}/{name}/<id:session_id>/": [
                Case(MINE, ids={"session_id": "recording_id"}, shows=("title", "said", "tag"))
            ],
        }.items()
    },
    wrong_shape=wrong_shape,
)

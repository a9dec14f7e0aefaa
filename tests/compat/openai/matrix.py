"""What the access matrix needs to know of OpenAI's audio API."""

from __future__ import annotations

from typing import Any

from tests.conftest import multipart, wav
from tests.matrix.families import FamilyRows
from tests.matrix.policies import ANYBODY, Case


def wrong_shape(answer: Any) -> list[str]:
    """Return what is wrong with the shape of a failure."""
    body = answer.get_json(silent=True)
    error = body.get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or set(error) != {"message", "type", "param", "code"}:
        return [f"no OpenAI error: {answer.data[:200]!r}"]
    return [] if error["message"] and error["type"] and error["code"] else ["an empty field"]


_BODY, _TYPE = multipart(wav(0.1), "a.wav", {"model": "whisper-1"})

ROWS = FamilyRows(
    prefix="/v1",
    routes={
        "POST /v1/audio/transcriptions": [
            Case(ANYBODY, data=_BODY, headers={"Content-Type": _TYPE}),
        ],
        "GET /v1/models": [Case(ANYBODY)],
    },
    elsewhere={"POST /v1/audio/translations", "GET /v1/models/<path:name>"},
    public={"GET /v1/openapi.json"},
    wrong_shape=wrong_shape,
)

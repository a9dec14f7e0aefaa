"""What the access matrix needs to know of OpenAI's audio API."""

from __future__ import annotations

from tests.compat.openai.shape import wrong_shape
from tests.conftest import multipart, wav
from tests.matrix.families import FamilyRows
from tests.matrix.policies import ANYBODY, Case

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
    takes_token_in_address=False,
    wrong_shape=wrong_shape,
)

"""Who may call the routes of the Whisper ASR webservice."""

from __future__ import annotations

from tests.compat.asr_webservice.shape import wrong_shape
from tests.conftest import multipart, wav
from tests.matrix.families import FamilyRows
from tests.matrix.policies import ANYBODY, Case

_BODY, _TYPE = multipart(wav(0.1), "a.wav", {}, file_field="audio_file")

ROWS = FamilyRows(
    prefix="/asr-webservice",
    routes={
        f"POST /asr-webservice/{name}": [Case(ANYBODY, data=_BODY, headers={"Content-Type": _TYPE})]
        for name in ("asr", "detect-language")
    },
    public={"GET /asr-webservice/openapi.json"},
    takes_token_in_address=False,
    wrong_shape=wrong_shape,
)

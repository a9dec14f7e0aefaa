"""What a client of AudioScribe asks, and is answered."""

from __future__ import annotations

from tests.compat.exchanges import Exchange, upload
from tests.crash.speech import short_recording
from tests.intake.server import IntakeServer

_SESSIONS = "/api/v1/audioscribe/sessions"


def prepare(server: IntakeServer) -> dict[str, str]:
    """Upload a recording of Alice's and correct one word of it."""
    recording_id = upload(server, short_recording(), title="Ten metres")
    transcript = f"/api/v1/recordings/{recording_id}/transcript"
    corrected = server.request("PUT", transcript, json={"text": "Go forward ten metres."})
    assert corrected.status_code == 200, corrected.text
    return {"id": recording_id}


EXCHANGES = [
    Exchange(title="List sessions", path=f"{_SESSIONS}/"),
    Exchange(title="The next page is empty", path=f"{_SESSIONS}/?page=1"),
    Exchange(title="Return one session", path=f"{_SESSIONS}/{{id}}/"),
    Exchange(title="The older name of the same address", path="/api/v1/audioscribe/notes/{id}/"),
    Exchange(
        title="A session of another user",
        path=f"{_SESSIONS}/{{id}}/",
        headers={"Authorization": "Bearer {other_token}"},
    ),
    Exchange(title="No token", path=f"{_SESSIONS}/", headers={}),
    Exchange(title="A page that is no number", path=f"{_SESSIONS}/?page=abc"),
    Exchange(
        title="A method that does not exist", method="POST", path=f"{_SESSIONS}/", json={"title": "New"}
    ),
]

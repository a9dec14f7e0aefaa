"""What a client of Clio asks, and is answered."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.compat.exchanges import BEARER, Exchange, upload
from tests.crash.speech import CLIPS, short_recording
from tests.intake.server import IntakeServer

SETTINGS = {"SPEAKR_REGISTRATION": "yes"}
_API = "/clio/api"
_JOHN = {
    "username": "john_doe",
    "email": "john@example.com",
    "first_name": "John",
    "last_name": "Doe",
    "password": "SecurePass123!",
    "password_confirm": "SecurePass123!",
}
_PAGE = {"Origin": "http://localhost:3000"}
_CLIP = CLIPS / "goforward.flac"
_FIGURES = {"confidence": 0.9, "confidence_score": 0.9, "transcription_confidence": 0.9}
_OTHER = {"Authorization": "Bearer {other_token}"}


def prepare(server: IntakeServer) -> dict[str, str]:
    """Upload a recording of Alice's and sign the address of its audio."""
    note_id = upload(server, short_recording(), title="Ten metres")
    address = urlsplit(server.get(f"{_API}/notes/{note_id}/")["audio_url"])
    return {"id": note_id, "owner": address.path.split("/")[-2], "signature": address.query}


_ACCOUNTS = [
    Exchange(title="Register", method="POST", path=f"{_API}/auth/register/", json=_JOHN, headers={}),
    Exchange(
        title="Register a name that exists",
        method="POST",
        path=f"{_API}/auth/register/",
        json={**_JOHN, "email": "other@example.com"},
        headers={},
    ),
    Exchange(
        title="Log in",
        method="POST",
        path=f"{_API}/auth/login/",
        json={"username": "john_doe", "password": "SecurePass123!"},
        headers={},
        keeps={"access": "access", "refresh": "refresh"},
    ),
    Exchange(
        title="Log in with a wrong password",
        method="POST",
        path=f"{_API}/auth/login/",
        json={"username": "john_doe", "password": "wrong"},
        headers={},
    ),
    Exchange(
        title="Refresh",
        method="POST",
        path=f"{_API}/auth/refresh/",
        json={"refresh": "{refresh}"},
        headers={},
        keeps={"second_access": "access", "second_refresh": "refresh"},
    ),
    Exchange(
        title="Refresh as a page does: without a body, with the cookie",
        method="POST",
        path=f"{_API}/auth/refresh/",
        headers={**_PAGE, "Cookie": "refresh_token={second_refresh}"},
        keeps={"third_access": "access", "third_refresh": "refresh"},
    ),
    Exchange(
        title="Refresh without any token",
        method="POST",
        path=f"{_API}/auth/refresh/",
        json={},
        headers={},
    ),
    Exchange(
        title="Return the profile",
        path=f"{_API}/auth/profile/",
        headers={"Authorization": "Bearer {third_access}"},
    ),
    Exchange(
        title="Change the profile",
        method="PATCH",
        path=f"{_API}/auth/profile/",
        json={"preferred_language": "de-DE"},
        headers={"Authorization": "Bearer {third_access}"},
    ),
    Exchange(
        title="Log out",
        method="POST",
        path=f"{_API}/auth/logout/",
        json={"refresh_token": "{third_refresh}"},
        headers={"Authorization": "Bearer {third_access}"},
    ),
]
_TAGS = [
    Exchange(
        title="Create a tag",
        method="POST",
        path=f"{_API}/tags/",
        json={"name": "work", "color": "#10B981"},
        keeps={"tag": "id"},
    ),
    Exchange(title="List tags", path=f"{_API}/tags/"),
    Exchange(title="A tag of another user", path=f"{_API}/tags/{{tag}}/", headers=_OTHER),
]
_NOTES = [
    Exchange(title="List notes", path=f"{_API}/notes/?page=1&page_size=20&search=", masks=_FIGURES),
    Exchange(title="A page that does not exist", path=f"{_API}/notes/?page=99"),
    Exchange(title="Return one note", path=f"{_API}/notes/{{id}}/", masks=_FIGURES),
    Exchange(title="A note of another user", path=f"{_API}/notes/{{id}}/", headers=_OTHER),
    Exchange(
        title="Change a note",
        method="PATCH",
        path=f"{_API}/notes/{{id}}/",
        json={"title": "Distance", "transcription": "Go forward ten metres.", "is_favorite": True},
        masks=_FIGURES,
    ),
    Exchange(
        title="Play a range of the audio",
        path="/clio/media/audio/{owner}/{id}_meeting.wav?{signature}",
        headers={**_PAGE, "Range": "bytes=0-99"},
    ),
    Exchange(
        title="Transcribe a note again in an unknown language",
        method="POST",
        path=f"{_API}/notes/{{id}}/retranscribe/",
        json={"language": "klingon"},
    ),
    Exchange(
        title="Transcribe a file at once",
        method="POST",
        path=f"{_API}/transcribe/",
        form={"language": "en"},
        files={"audio_file": _CLIP},
        masks=_FIGURES,
    ),
    Exchange(title="Return the figures", path=f"{_API}/stats/", masks={"average_confidence": 0.9}),
    Exchange(title="Delete a note", method="DELETE", path=f"{_API}/notes/{{id}}/"),
    Exchange(
        title="Create a note",
        method="POST",
        path=f"{_API}/notes/",
        form={"title": "Meeting notes"},
        files={"audio_file": _CLIP},
        masks={"audio_file": "/media/audio/1/2_goforward.flac?SIGNATURE", "audio_url": "(with the host)"},
    ),
]
_FAILURES = [
    Exchange(title="No credential", path=f"{_API}/notes/", headers={}),
    Exchange(
        title="A note as JSON", method="POST", path=f"{_API}/notes/", json={"title": "x"}, headers=BEARER
    ),
    Exchange(title="A method that does not exist", method="DELETE", path=f"{_API}/stats/"),
    Exchange(title="An address that does not exist", path=f"{_API}/nothing/"),
    Exchange(title="Health", path=f"{_API}/health/", headers={}),
]
EXCHANGES = [*_ACCOUNTS, *_TAGS, *_NOTES, *_FAILURES]

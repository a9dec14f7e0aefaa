"""The data before the requests: enough objects of every kind to be found, changed and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from speakr import backends
from speakr.app import create_app
from speakr.db import db, unit_of_work
from speakr.domain.clock import now
from speakr.domain.notices import NoticeKind
from speakr.domain.permissions import Scope
from speakr.domain.transcript import Span
from speakr.jobs import runner, transcribe
from speakr.models import CalendarEvent, Notice, Segment
from speakr.services.accounts import tokens, users
from speakr.settings import Settings
from tests.conftest import multipart, wav
from tests.fakes import FakeTranscriber, FakeWriter, MemoryJobNotifier, MemoryLiveFeed

V1 = "/api/v1"
HOW_MANY = 12
"""Of each kind: half of them to be looked at and changed, half to be deleted."""

CANCELLED = 4
WAITING = {5, HOW_MANY - 1}
"""Which recordings have no transcript yet."""

LABELS = ("SPEAKER_00", "SPEAKER_01")
HOOK = {"name": "n", "url": "http://127.0.0.1:8765/", "events": ["recording.created"], "allow_http": True}


class Library:
    """An administrator with one token, and the ids of what is theirs, by the names paths give them."""

    def __init__(self, client: FlaskClient, token: str, own_user_id: int, own_token_id: int) -> None:
        self.token = token
        self.own_user_id = own_user_id
        self.own_token_id = own_token_id
        self.ids: dict[str, list[int]] = {}
        self._client = client

    def make(self, path: str, body: Any = None, method: str = "POST", **sent: Any) -> Any:
        """Send a request that succeeds, and return its JSON."""
        if body is not None:
            sent["json"] = body
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self._client.open(V1 + path, method=method, headers=headers, **sent)
        assert answer.status_code < 300, (path, answer.get_data(as_text=True))
        return answer.json

    def several(self, name: str, path: str, body: dict[str, Any]) -> None:
        """Make several of a kind; `#` in texts becomes a number."""
        self.ids[name] = [
            self.make(
                path,
                {
                    key: text.replace("#", str(n)) if isinstance(text, str) else text
                    for key, text in body.items()
                },
            )["id"]
            for n in range(HOW_MANY)
        ]


def fill(settings: Settings) -> Library:
    """Fill an empty database."""
    notifier = MemoryJobNotifier()
    with _app(settings, notifier) as app:
        with unit_of_work():
            root = users.create(username="root", is_admin=True)
            kept, token = tokens.create(root.id, scopes=frozenset(Scope))
            library = Library(app.test_client(), token, root.id, kept.id)
        library.several("user_id", "/admin/users", {"username": "user#", "email": "user#@example.com"})
        library.several("group_id", "/groups", {"name": "Group #"})
        for group_id, user_id in zip(library.ids["group_id"], library.ids["user_id"], strict=True):
            library.make(f"/groups/{group_id}/members", {"user_id": user_id})
        library.several("tag_id", "/tags", {"name": "Tag #"})
        library.several("folder_id", "/folders", {"name": "Folder #"})
        library.several("speaker_id", "/speakers", {"name": "Speaker #"})
        library.several(
            "template_id", "/templates", {"kind": "export", "name": "Template #", "body": "# {{title}}"}
        )
        library.several("token_id", "/tokens", {"name": "Token #"})
        library.several("webhook_id", "/webhooks", HOOK)
        library.ids["delivery_id"] = [
            library.make(f"/webhooks/{n}/test")["id"] for n in library.ids["webhook_id"]
        ]
        _notices(library)
        _recordings(library, notifier)
        return library


def _notices(library: Library) -> None:
    with unit_of_work() as session:
        notice_rows = [
            Notice(
                user_id=library.own_user_id,
                kind=NoticeKind.WEBHOOK_PAUSED,
                text="A webhook was paused.",
                webhook_id=webhook_id,
            )
            for webhook_id in library.ids["webhook_id"]
        ]
        session.add_all(notice_rows)
        session.flush()
        library.ids["notice_id"] = [notice.id for notice in notice_rows]


def _recordings(library: Library, notifier: MemoryJobNotifier) -> None:
    ids = library.ids
    ids["recording_id"], ids["share_id"] = [], []
    for n in range(HOW_MANY):
        form, kind = multipart(
            wav(6.0 + n / 10), "meeting.wav", {"title": f"Recording {n}", "tag_id": ids["tag_id"][n]}
        )
        made = library.make("/recordings/upload", data=form, content_type=kind)["id"]
        ids["recording_id"].append(made)
        if n not in {CANCELLED, *WAITING}:
            while notifier.notifications:
                runner.run(notifier.notifications.pop(0)[1])
        notifier.notifications.clear()
        with unit_of_work() as session:
            session.add(CalendarEvent(recording_id=made, title="Lunch", start_at=now(), end_at=now()))
            spoken = session.scalars(select(Segment).where(Segment.recording_id == made))
            for segment in spoken:
                segment.speaker = LABELS[segment.position % 2]
        ids["share_id"].append(
            library.make(f"/recordings/{made}/shares", {"user_id": ids["user_id"][n]})["id"]
        )
        if n not in {CANCELLED, *WAITING}:
            names = {"speaker_map": {LABELS[0]: f"Speaker {n}"}}
            library.make(f"/recordings/{made}/speakers/assign", names, method="PUT")
    jobs = {job["recording_id"]: job["id"] for job in library.make("/jobs", method="GET")["jobs"]}
    ids["job_id"] = [jobs[recording_id] for recording_id in ids["recording_id"]]
    library.make(f"/jobs/{ids['job_id'][CANCELLED]}/cancel")


@contextmanager
def _app(settings: Settings, notifier: MemoryJobNotifier) -> Iterator[Flask]:
    connected = replace(
        backends.connect(settings),
        notifier=notifier,
        live=MemoryLiveFeed(),
        make_transcriber=FakeTranscriber,
        make_writer=FakeWriter,
    )
    app = create_app(settings, connected)
    runner.bind_app(app)
    spans = [Span(float(second), second + 0.9) for second in range(0, 5, 2)]
    with app.app_context(), mock.patch.object(transcribe, "find_speech", return_value=spans):
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()
            connected.redis.close()
            connected.memory.close()

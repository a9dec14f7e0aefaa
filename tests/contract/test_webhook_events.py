"""What webhooks are sent: the envelope, the data of each event, and the headers of a real delivery."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from speakr.db import db, unit_of_work
from speakr.domain.errors import ConnectorRejected
from speakr.domain.events import EventsExtracted
from speakr.models import Delivery
from speakr.services.webhooks import events
from tests.conftest import wav
from tests.contract.library import HOOK, Library
from tests.contract.shapes import MOMENT, unlike
from tests.contract.test_webhooks import EVENT_TYPES
from tests.webhooks.dispatchers import ThreadedDispatcher
from tests.webhooks.receiver import Receiver

ABOUT: dict[str, Any] = {"recording_id": 1, "title": "a title"}
DATA: dict[str, dict[str, Any]] = {
    "recording.created": ABOUT | {"file_size": 1, "original_filename": "meeting.mp3"},
    "recording.transcription.started": ABOUT,
    "recording.transcription.completed": ABOUT
    | {"language": "en", "audio_duration_seconds": 1.5, "transcription_duration_seconds": 1.5},
    "recording.transcription.failed": ABOUT | {"error": "a sentence"},
    "recording.summary.completed": ABOUT
    | {"transcription_duration_seconds": 1.5, "summarization_duration_seconds": 1.5},
    "recording.summary.failed": ABOUT | {"error": "a sentence"},
    "recording.events.extracted": ABOUT | {"events_count": 1},
    "recording.updated": ABOUT | {"fields_changed": ["title"]},
    "recording.deleted": ABOUT,
    "webhook.test": {"reason": "a sentence", "webhook_id": 1},
}
ENVELOPE = {"id": "550e8400", "type": "recording.created", "timestamp": MOMENT, "user_id": 42, "data": {}}
R = "/recordings/{recording}"
CHANGES = {
    "folder_id": None,
    "is_highlighted": False,
    "is_inbox": False,
    "meeting_date": None,
    "summary": "s",
    "notes": "n",
    "participants": "p",
    "title": "t",
}
IN_ORDER = [
    "title",
    "participants",
    "notes",
    "summary",
    "meeting_date",
    "is_inbox",
    "is_highlighted",
    "folder_id",
]


@pytest.fixture
def listening(library: Library) -> Library:
    """A library with a webhook for all events, and no waiting work."""
    library.notifier.notifications.clear()
    library.ids["all"] = library.make("POST", "/webhooks", {**HOOK, "events": EVENT_TYPES})["id"]
    return library


def sent(library: Library) -> list[dict[str, Any]]:
    """Return the bodies written for that webhook, oldest first."""
    bodies = db.session.scalars(
        select(Delivery.body).where(Delivery.webhook_id == library.ids["all"]).order_by(Delivery.id)
    )
    return [json.loads(body) for body in bodies]


def upload(library: Library) -> None:
    library.ids["new"] = library.upload(wav(1.0)).json["id"]


def transcribe(library: Library) -> None:
    upload(library)
    library.work()


def fail_to_transcribe(library: Library) -> None:
    library.engines.transcriber.before = _refuse
    transcribe(library)


def fail_to_summarise(library: Library) -> None:
    library.engines.writer.before = _refuse
    transcribe(library)


def summarise(library: Library) -> None:
    library.make("POST", f"{R}/summarize", {})
    library.work()


def find_events(library: Library) -> None:
    with unit_of_work():
        data = EventsExtracted(recording_id=library.ids["recording"], title="A title", events_count=2)
        events.record(library.ids["alice"], data, recording_id=data.recording_id)


def change(library: Library) -> None:
    library.make("PATCH", R, CHANGES)


def delete(library: Library) -> None:
    library.make("DELETE", R)


def test(library: Library) -> None:
    library.make("POST", "/webhooks/{all}/test")


test.__test__ = False  # type: ignore[attr-defined] # an act, not a test


def _refuse(_: object) -> None:
    raise ConnectorRejected("The provider refuses.")


TRANSCRIBED = ["recording.created", "recording.transcription.started"]


@pytest.mark.parametrize(
    ("act", "types"),
    [
        (upload, ["recording.created"]),
        (transcribe, [*TRANSCRIBED, "recording.transcription.completed", "recording.summary.completed"]),
        (fail_to_transcribe, [*TRANSCRIBED, "recording.transcription.failed"]),
        (fail_to_summarise, [*TRANSCRIBED, "recording.transcription.completed", "recording.summary.failed"]),
        (summarise, ["recording.summary.completed"]),
        (find_events, ["recording.events.extracted"]),
        (change, ["recording.updated"]),
        (delete, ["recording.deleted"]),
        (test, ["webhook.test"]),
    ],
)
def test_what_is_sent(listening: Library, act: Callable[[Library], None], types: list[str]) -> None:
    act(listening)
    bodies = sent(listening)
    assert [body["type"] for body in bodies] == types
    for body in bodies:
        assert unlike(ENVELOPE | {"data": DATA[body["type"]]}, body) == []
        assert list(body) == list(ENVELOPE)
        assert body["user_id"] == listening.ids["alice"]
        assert str(uuid.UUID(body["id"])) == body["id"]
        assert None not in body["data"].values()


def test_every_documented_event_is_sent_with_its_data() -> None:
    assert list(DATA) == EVENT_TYPES


def test_the_fields_changed_come_in_the_documented_order(listening: Library) -> None:
    change(listening)
    assert sent(listening)[0]["data"]["fields_changed"] == IN_ORDER


def test_a_failure_message_has_at_most_500_characters(listening: Library) -> None:
    def refuse(_: object) -> None:
        raise ConnectorRejected("No. " * 500)

    listening.engines.transcriber.before = refuse
    transcribe(listening)
    assert len(sent(listening)[-1]["data"]["error"]) == 500


def test_several_deletions_send_an_event_each(listening: Library) -> None:
    listening.make("DELETE", "/recordings/batch", {"recording_ids": ["{recording}", "{waiting}"]})
    sent_events = [(body["type"], body["data"]["recording_id"]) for body in sent(listening)]
    ids = listening.ids
    assert sent_events == [("recording.deleted", ids["recording"]), ("recording.deleted", ids["waiting"])]


def test_a_webhook_receives_only_its_event_types(listening: Library) -> None:
    listening.make("PATCH", "/webhooks/{all}", {"events": ["recording.deleted"]})
    change(listening)
    delete(listening)
    assert [body["type"] for body in sent(listening)] == ["recording.deleted"]


def test_all_webhooks_of_a_user_get_the_same_event(listening: Library) -> None:
    upload(listening)
    [body] = sent(listening)
    ids = db.session.scalars(select(Delivery.event_uuid).where(Delivery.event_type == "recording.created"))
    assert list(ids).count(body["id"]) == 2


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


def test_the_request_as_documented(app: Flask, listening: Library, receiver: Receiver) -> None:
    made = listening.make("POST", "/webhooks", {**HOOK, "url": receiver.url("/hook"), "events": EVENT_TYPES})
    upload(listening)
    dispatcher = ThreadedDispatcher(app)
    dispatcher.start()
    try:
        [request] = receiver.wait_for(1, "/hook")
    finally:
        dispatcher.stop()
    headers, body = request.headers, json.loads(request.body)
    assert (headers["content-type"], headers["user-agent"]) == ("application/json", "Speakr-Webhook/1.0")
    assert (headers["speakr-event"], headers["speakr-delivery-id"]) == ("recording.created", body["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", headers["speakr-timestamp"])
    digest = hmac.new(made["secret"].encode(), request.body, hashlib.sha256).hexdigest()
    assert headers["speakr-signature"] == f"sha256={digest}"
    assert request.body == json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
    assert unlike(ENVELOPE | {"data": DATA["recording.created"]}, body) == []

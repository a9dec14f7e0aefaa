"""The acceptance checks of the AudioScribe API: a real server, a real worker, real speech, and a real webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.compat.audioscribe.matrix import PREFIX
from tests.compat.exchanges import upload
from tests.crash.speech import short_recording
from tests.intake.server import BOB, IntakeServer, wait_for
from tests.webhooks.receiver import Receiver, hang, reply

pytestmark = pytest.mark.stack

SESSIONS = f"{PREFIX}/sessions/"
KEYS = ["id", "title", "note", "originalTranscript", "tags", "createdAt"]
PREFERENCE = "audioscribe_webhook_url"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as made:
        yield made


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    settings = {"WEBHOOK_INTRANET_HOST_ALLOWLIST": "127.0.0.1/32", "WEBHOOK_DELIVERY_TIMEOUT_SECONDS": "2"}
    with IntakeServer(tmp_path_factory.mktemp("audioscribe"), **settings) as made:
        made.start_worker()
        made.start_dispatcher()
        yield made


@pytest.fixture(scope="module")
def recording_id(server: IntakeServer) -> str:
    return upload(server, short_recording(), title="Ten metres")


def set_webhook(server: IntakeServer, url: str | None) -> None:
    answer = server.request("PATCH", "/api/v1/users/me", json={"preferences": {PREFERENCE: url}})
    assert answer.status_code == 200, answer.text
    assert answer.json()["preferences"][PREFERENCE] == url


def account_deliveries(server: IntakeServer) -> list[dict[str, Any]]:
    (hook,) = [
        each for each in server.get("/api/v1/webhooks")["webhooks"] if each.get("preference") == PREFERENCE
    ]
    found: list[dict[str, Any]] = server.get(f"/api/v1/webhooks/{hook['id']}/deliveries")["deliveries"]
    return found


def test_1_the_list_needs_a_token_and_is_an_array(server: IntakeServer, recording_id: str) -> None:
    refused = server.request("GET", SESSIONS, headers={"Authorization": ""})
    assert (refused.status_code, list(refused.json())) == (401, ["detail"])
    assert isinstance(server.get(SESSIONS), list)


def test_2_each_item_has_exactly_the_six_keys(server: IntakeServer, recording_id: str) -> None:
    sessions = server.get(SESSIONS)
    assert sessions
    for session in sessions:
        assert list(session) == KEYS
        assert isinstance(session["id"], int)
        assert isinstance(session["tags"], str)
        datetime.fromisoformat(session["createdAt"])
    (read_aloud,) = [session for session in sessions if session["id"] == int(recording_id)]
    assert "forward" in read_aloud["originalTranscript"].lower()  # the note may be edited


def test_3_pages_count_from_zero(server: IntakeServer, recording_id: str) -> None:
    first = server.get(SESSIONS)
    assert server.get(f"{SESSIONS}?page=0") == first
    assert server.get(f"{SESSIONS}?page=1") == server.get(f"{SESSIONS}?page=9999") == []


def test_4_one_session_is_as_in_the_list(server: IntakeServer, recording_id: str) -> None:
    listed = next(each for each in server.get(SESSIONS) if each["id"] == int(recording_id))
    assert server.get(f"{SESSIONS}{recording_id}/") == listed
    for wrong in ("999999", "abc"):
        assert server.request("GET", f"{SESSIONS}{wrong}/").status_code == 404


def test_5_an_edit_changes_the_note_only(server: IntakeServer, recording_id: str) -> None:
    before = server.get(f"{SESSIONS}{recording_id}/")
    path = f"/api/v1/recordings/{recording_id}/transcript"
    assert server.request("PUT", path, json={"text": "Go back ten metres."}).status_code == 200
    after = server.get(f"{SESSIONS}{recording_id}/")
    assert after["note"] == "Go back ten metres."
    assert after["originalTranscript"] == before["originalTranscript"] != after["note"]


def test_6_sessions_of_another_user_and_the_final_slash(server: IntakeServer, recording_id: str) -> None:
    assert server.request("GET", f"{SESSIONS}{recording_id}/", token=BOB).status_code == 404
    assert server.get(SESSIONS, token=BOB) == []
    assert server.get(SESSIONS.rstrip("/")) == server.get(SESSIONS)
    assert server.get(f"{SESSIONS}{recording_id}") == server.get(f"{SESSIONS}{recording_id}/")


def test_7_and_10_a_new_session_is_sent_once_and_not_listed_before(
    server: IntakeServer, receiver: Receiver
) -> None:
    set_webhook(server, receiver.url("/new"))
    number = server.upload(short_recording(), title="New session").json()["id"]
    status = f"/api/v1/recordings/{number}/status"
    while server.get(status)["status"] in {"PENDING", "PROCESSING"}:
        listed = {each["id"] for each in server.get(SESSIONS)}
        if server.get(status)["status"] in {"PENDING", "PROCESSING"}:
            assert number not in listed, "it was still being transcribed after the list was read"
    (sent,) = receiver.wait_for(1, "/new", timeout=60)
    wait_for(lambda: server.get(status)["status"] == "COMPLETED", "the summary is there")
    assert sent.method == "POST"
    assert sent.headers["content-type"] == "application/json"
    assert json.loads(sent.body) == server.get(f"{SESSIONS}{number}/")
    assert server.request("POST", f"/api/v1/recordings/{number}/transcribe").status_code == 200
    wait_for(lambda: server.get(status)["status"] == "COMPLETED", "it is transcribed again")
    wait_for(
        lambda: [each["status"] for each in account_deliveries(server)] == ["success"],
        "one delivery and no other",
    )
    assert len(receiver.requests("/new")) == 1


def test_8_a_receiver_that_fails_or_hangs_harms_nothing(server: IntakeServer, receiver: Receiver) -> None:
    receiver.script("/fails", reply(500))
    receiver.script("/hangs", hang(60))
    other = {
        "name": "other", "url": receiver.url("/other"), "allow_http": True,
        "events": ["recording.transcription.completed"],
    }  # fmt: skip
    hook = server.request("POST", "/api/v1/webhooks", json=other).json()
    for number, path in enumerate(("/fails", "/hangs"), start=1):
        set_webhook(server, receiver.url(path))
        recording_id = upload(server, short_recording(), title=path)
        receiver.wait_for(1, path, timeout=60)
        receiver.wait_for(number, "/other", timeout=60)
        assert server.get(f"{SESSIONS}{recording_id}/")["title"] == path
        wait_for(lambda: account_deliveries(server)[0]["status"] == "failed", "the failure is shown")
    assert server.get(f"/api/v1/webhooks/{hook['id']}")["enabled"] is True
    set_webhook(server, None)
    assert all("preference" not in each for each in server.get("/api/v1/webhooks")["webhooks"])
    before = len(receiver.requests("/hangs"))
    upload(server, short_recording(), title="Unsent")
    receiver.wait_for(3, "/other", timeout=60)
    assert len(receiver.requests("/hangs")) == before


def test_9_the_older_name_answers_the_same(server: IntakeServer, recording_id: str) -> None:
    assert server.get(f"{PREFIX}/notes/") == server.get(SESSIONS)
    assert server.get(f"{PREFIX}/notes/{recording_id}/") == server.get(f"{SESSIONS}{recording_id}/")

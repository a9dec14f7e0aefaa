"""examples/home-assistant/speakr.yaml, evaluated here: its templates rendered, its addresses called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jinja2
import pytest
import yaml

from speakr.domain.events import EventType
from speakr.services.system import stats
from tests.conftest import Person
from tests.docs.pages import EXAMPLES, read
from tests.docs.tools import SERVER, load_yaml

PACKAGE = load_yaml(EXAMPLES / "home-assistant" / "speakr.yaml")
TEMPLATES = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - not HTML
AUTHORIZATION = {"Authorization": "!secret speakr_authorization"}
MAX_STATE_LENGTH = 255


def render(template: str, **given: Any) -> str:
    return TEMPLATES.from_string(template).render(**given)


def test_a_sensor_with_statistics_is_a_number_on_an_empty_server(alice: Person) -> None:
    (poll,) = PACKAGE["rest"]
    values = alice.get("/api/v1/stats").json
    for sensor in poll["sensor"]:
        if "state_class" in sensor:
            assert float(render(sensor["value_template"], value_json=values)) == 0
        else:
            assert render(sensor["value_template"], value_json=values) == "never"


def check_sensors(alice: Person) -> None:
    (poll,) = PACKAGE["rest"]
    assert poll["headers"] == AUTHORIZATION
    values = alice.get(poll["resource"].removeprefix(SERVER)).json
    states = {
        sensor["name"]: render(sensor["value_template"], value_json=values) for sensor in poll["sensor"]
    }
    last = states.pop("Speakr last transcript")
    assert last.endswith("ago") or last == "just now"
    assert states["Speakr recordings"] == states["Speakr completed"] == "1"
    for state in states.values():
        assert float(state) >= 0
        assert len(state) <= MAX_STATE_LENGTH


def test_sensors_have_values_and_actions_do_what_they_are_called(
    alice: Person, upload, work: Callable[[], None]
) -> None:
    recording_id = upload(alice).json["id"]
    work()
    stats.forget()
    check_sensors(alice)
    done = {}
    for name, command in PACKAGE["rest_command"].items():
        assert command["headers"] == AUTHORIZATION
        address = render(command["url"], recording_id=recording_id).removeprefix(SERVER)
        # As Home Assistant sends it: without a body and without a type.
        done[name] = getattr(alice, command.get("method", "get").lower())(address)
        if command.get("method") == "POST":
            work()
    assert {name: answer.status_code for name, answer in done.items()} == dict.fromkeys(done, 200)
    assert done["speakr_recording"].json["id"] == recording_id
    assert done["speakr_transcribe"].json["job_id"]
    assert done["speakr_summarize"].json["job_id"]


@pytest.fixture
def automation() -> dict[str, Any]:
    (found,) = PACKAGE["automation"]
    return found


def test_the_automation_starts_with_two_events_only(automation: dict[str, Any]) -> None:
    (condition,) = automation["conditions"]
    wanted = {"recording.summary.completed", "recording.transcription.failed"}
    for event in EventType:
        trigger = {"json": {"type": str(event)}}
        assert render(condition, trigger=trigger) == str(str(event) in wanted)


def test_the_notification_is_made_of_what_the_server_says(
    alice: Person, upload, work: Callable[[], None], automation: dict[str, Any]
) -> None:
    recording_id = upload(alice, title="The real title").json["id"]
    work()
    ask, condition, notify = automation["actions"]
    trigger = {
        "json": {
            "type": "recording.summary.completed",
            "data": {"recording_id": recording_id, "title": "forged"},
        }
    }
    asked = render(ask["data"]["recording_id"], trigger=trigger)
    command = PACKAGE["rest_command"][ask["action"].removeprefix("rest_command.")]
    response = alice.get(render(command["url"], recording_id=asked).removeprefix(SERVER))
    answer = {"status": response.status_code, "content": response.json}
    assert ask["response_variable"] == "answer"
    assert render(condition["condition"], answer=answer) == "True"
    said = {name: render(template, answer=answer) for name, template in notify["data"].items()}
    assert said["title"] == "The real title"
    assert said["message"] == response.json["summary"]
    assert said["notification_id"] == f"speakr_{recording_id}"

    missing = alice.get("/api/v1/recordings/999999")
    answer = {"status": missing.status_code, "content": missing.json}
    assert render(condition["condition"], answer=answer) == "False"


def test_secrets_are_those_of_the_page() -> None:
    page = read("integrations/home-assistant.md")
    blocks = [yaml.safe_load(text) for text in _indented_blocks(page)]
    secrets = {name for block in blocks for name in block if name.startswith("speakr_")}
    named = {
        word.strip(",]")
        for line in (EXAMPLES / "home-assistant" / "speakr.yaml").read_text().splitlines()
        if not line.startswith("#") and "!secret" in line
        for word in [line.partition("!secret ")[2]]
    }
    assert named == secrets == {"speakr_authorization", "speakr_webhook_id"}


def _indented_blocks(page: str) -> list[str]:
    """Return the YAML that stands in the page's numbered steps."""
    pieces = page.split("   ```yaml\n")[1:]
    return [
        "\n".join(
            line.removeprefix("   ")
            for line in piece.partition("   ```")[0].splitlines()
            if "!include" not in line
        )
        for piece in pieces
    ]

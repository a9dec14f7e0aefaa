"""examples/homepage: every mapping shows a sensible value, also on an empty server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml

from speakr.services.system import stats
from tests.conftest import Person
from tests.docs.pages import EXAMPLES, blocks, read
from tests.docs.tools import SERVER, load_yaml

BLOCKS_SHOWN = 4
TOKEN = "Bearer {{HOMEPAGE_VAR_SPEAKR_TOKEN}}"


def widgets(services: Any) -> list[dict[str, Any]]:
    return [
        service["widget"]
        for group in services
        for each in group.values()
        for one in each
        for service in one.values()
    ]


FILES = {path.name: load_yaml(path) for path in (EXAMPLES / "homepage").iterdir()}
SERVICES = [
    *FILES.values(),
    *(
        yaml.safe_load(block.text)
        for block in blocks(read("integrations/homepage.md"))
        if block.language == "yaml"
    ),
]
WIDGETS = [widget for services in SERVICES for widget in widgets(services)]


def value(field: str, data: Any) -> Any:
    """Look a field up as `customapi` does: what is missing is null."""
    for key in field.split("."):
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data


def shown(mapping: dict[str, Any], data: Any) -> str:
    """Format a value as `customapi` does; what it would print as NaN fails here."""
    found = value(mapping["field"], data)
    kind = mapping.get("format", "text")
    if kind == "text":
        assert isinstance(found, str)
        return found
    assert kind in {"number", "duration"}
    by, _, per = str(mapping.get("scale", "1")).partition("/")
    number = int(float(found) * float(by) / float(per or 1))
    assert number >= 0
    return "" if kind == "duration" and number == 0 else f"{number} {mapping.get('suffix', '')}"


def check(widget: dict[str, Any], person: Person) -> None:
    assert widget["type"] == "customapi"
    assert widget["headers"] == {"Authorization": TOKEN}
    answer = person.get(widget["url"].removeprefix(SERVER))
    assert answer.status_code == 200
    assert not answer.json.get("error")
    mappings = widget["mappings"]
    if widget.get("display") == "dynamic-list":
        listed = answer.json[mappings["items"]]
        assert [[item[mappings["name"]], item[mappings["label"]]] for item in listed] == [
            [item["title"], item["status"]] for item in listed
        ]
        return
    if "display" not in widget:
        assert len(mappings) <= BLOCKS_SHOWN
    values = {mapping["label"]: shown(mapping, answer.json) for mapping in mappings}
    assert len(values) == len(mappings)
    assert all(values.values())


def test_widgets_show_values_before_and_after_the_first_recording(
    alice: Person, upload, work: Callable[[], None]
) -> None:
    for widget in WIDGETS:
        check(widget, alice)
    upload(alice)
    work()
    stats.forget()
    for widget in WIDGETS:
        check(widget, alice)


def test_the_list_shows_what_the_server_writes_too(alice: Person) -> None:
    """The file in the repository and the one the server writes for itself have the same widgets."""
    written = widgets(yaml.safe_load(alice.get("/api/v1/stats/homepage.yaml").text))
    in_file = widgets(FILES["services-list.yaml"])
    assert [widget["display"] for widget in written] == [widget["display"] for widget in in_file]
    assert written[0]["mappings"] == in_file[0]["mappings"]
    assert written[1]["mappings"] == in_file[1]["mappings"]


def test_numbers_that_the_page_speaks_of_are_there(alice: Person) -> None:
    numbers = alice.get("/api/v1/stats").json
    assert numbers["activity"]["last_transcription"] is None
    assert numbers["activity"]["last_transcription_human"] == "never"
    assert (numbers["tokens"]["percentage"], numbers["transcription"]["percentage"]) == (0, 0)
    assert isinstance(numbers["storage"]["used_bytes"], int)

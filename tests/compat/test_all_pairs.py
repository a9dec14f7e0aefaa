"""A recording that is uploaded through one API family is the same through all others, and so is each edit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.compat.adapters import NATIVE, Adapter, Shown, adapters
from tests.crash.speech import short_recording
from tests.intake.server import IntakeServer, wait_for

pytestmark = pytest.mark.stack

ADAPTERS = list(adapters().values())
SHOWING = [each for each in ADAPTERS if each.show is not None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IntakeServer]:
    settings = {name: value for each in ADAPTERS for name, value in each.settings.items()}
    with IntakeServer(tmp_path_factory.mktemp("pairs"), **settings) as made:
        made.start_worker()
        yield made


def finished(server: IntakeServer, recording_id: int) -> int:
    path = f"/api/v1/recordings/{recording_id}/status"
    wait_for(lambda: server.get(path)["status"] in {"COMPLETED", "FAILED"}, "the recording is finished")
    assert server.get(path)["status"] == "COMPLETED"
    return recording_id


@pytest.fixture(scope="module")
def recording_id(server: IntakeServer) -> int:
    assert NATIVE.upload is not None
    return finished(server, NATIVE.upload(server, short_recording(), "To be edited"))


def differences(server: IntakeServer, recording_id: int, expected: Shown) -> dict[str, list[str]]:
    """Return what each family shows otherwise; families may break lines as they like."""
    found = {}
    for adapter in SHOWING:
        assert adapter.show is not None
        shown = adapter.show(server, recording_id)
        wrong = []
        if shown.title is not None and shown.title != expected.title:
            wrong.append(f"title {shown.title!r}")
        if shown.text is not None and shown.text.split() != (expected.text or "").split():
            wrong.append(f"text {shown.text!r}")
        if shown.duration_seconds is not None and shown.duration_seconds != pytest.approx(
            expected.duration_seconds, abs=0.01
        ):
            wrong.append(f"duration {shown.duration_seconds}")
        if adapter.listed is not None and recording_id not in adapter.listed(server):
            wrong.append("not in the list")
        if wrong:
            found[adapter.name] = wrong
    return found


def test_every_family_is_walked() -> None:
    assert {each.name for each in ADAPTERS} >= {"native"}
    assert len({each.name for each in ADAPTERS}) == len(ADAPTERS) == len(adapters())


@pytest.mark.parametrize(
    "adapter", [each for each in ADAPTERS if each.upload is not None], ids=lambda each: each.name
)
def test_an_upload_through_one_shows_in_all(server: IntakeServer, adapter: Adapter) -> None:
    assert adapter.upload is not None
    assert NATIVE.show is not None
    number = finished(server, adapter.upload(server, short_recording(), f"Through {adapter.name}"))
    expected = NATIVE.show(server, number)
    assert expected.title == f"Through {adapter.name}"
    assert "forward" in (expected.text or "").lower()
    assert expected.duration_seconds == pytest.approx(3.0, abs=1.0)
    assert differences(server, number, expected) == {}


@pytest.mark.parametrize(
    "adapter", [each for each in ADAPTERS if each.edit is not None], ids=lambda each: each.name
)
def test_an_edit_through_one_shows_in_all(server: IntakeServer, recording_id: int, adapter: Adapter) -> None:
    assert adapter.edit is not None
    assert NATIVE.show is not None
    text = f"Go forward as {adapter.name} says."
    adapter.edit(server, recording_id, text)
    seen = NATIVE.show(server, recording_id)
    assert seen.text == text
    assert differences(server, recording_id, seen) == {}

"""One file and one line make a speech engine: it is chosen, read from the environment, documented, and used."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from speakr import backends as plumbing
from speakr.backends import Backends, connect
from speakr.connectors.transcription import make_connector, make_fallback
from speakr.operations import settings_pages
from speakr.settings import Settings, SettingsError
from speakr.speech_settings import CONNECTORS
from tests.conftest import SECRET, Person
from tests.connectors.toy_engine import ToyConnector

ENVIRONMENT = {"SPEAKR_SECRET_KEY": SECRET, "TRANSCRIPTION_CONNECTOR": "toy", "TOY_URL": "http://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONNECTORS, "toy", "tests.connectors.toy_engine:ToyConnector")


def test_it_is_chosen_by_name_and_reads_its_own_settings() -> None:
    made = make_connector(Settings.from_env(ENVIRONMENT))
    assert isinstance(made, ToyConnector)
    assert (made.own.address, made.own.loudness) == ("http://127.0.0.1:9", 11)


def test_it_may_be_the_second_engine() -> None:
    second = make_fallback(
        Settings.from_env({"SPEAKR_SECRET_KEY": SECRET, "SPEAKR_TRANSCRIPTION_FALLBACK": "toy"})
    )
    assert isinstance(second, ToyConnector)


def test_a_bad_value_of_its_own_setting_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="TOY_LOUDNESS must be a number"):
        connect(Settings.from_env({**ENVIRONMENT, "TOY_LOUDNESS": "very"}))


def test_a_name_that_is_no_engine_is_refused_with_all_names() -> None:
    with pytest.raises(SettingsError, match="assemblyai, toy"):
        Settings.from_env({**ENVIRONMENT, "TRANSCRIPTION_CONNECTOR": "toys"})


def test_the_settings_pages_have_it() -> None:
    assert "asr, assemblyai or toy" in settings_pages.markdown()
    assert "| `TOY_LOUDNESS` | whole number | `11` | How loud the toy is. |" in settings_pages.markdown()
    assert "# TOY_URL=http://toy" in settings_pages.env_example()
    assert "TOY_URL=http://127.0.0.1:9" in settings_pages.as_seen(Settings.from_env(ENVIRONMENT))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_it_transcribes_and_the_api_describes_it(
    alice: Person,
    upload: Callable[..., Any],
    work: Callable[[], None],
    backends: Backends,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(
        backends.settings, transcription_connector="toy", engine_environment={"TOY_URL": "http://here"}
    )
    plugs = replace(backends, settings=settings, make_transcriber=lambda: make_connector(settings))
    monkeypatch.setattr(plumbing, "_backends", plugs)
    assert alice.get("/api/v1/transcription").json["connector"] == "toy"
    recording_id = upload(alice, hotwords="Speakr").json["id"]
    work()
    found = alice.get(f"/api/v1/recordings/{recording_id}/transcript").json["segments"]
    assert {row["sentence"] for row in found} == {"toy at http://here"}

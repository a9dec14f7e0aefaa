"""Discovering the speech engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from speakr.db import unit_of_work
from speakr.services.system import system_settings
from speakr.settings import Settings
from tests.conftest import Person


def test_the_embedded_engine(alice: Person) -> None:
    answer = alice.get("/api/v1/transcription").json
    assert answer["connector"] == "embedded"
    assert set(answer["capabilities"]) == {
        "diarization", "speaker_count_control", "hotwords", "initial_prompt", "timestamps", "language_detection",
        "chunking",
    }  # fmt: skip
    assert all(isinstance(value, bool) for value in answer["capabilities"].values())
    assert answer["limitation"] is None
    models = {model["name"]: model for model in answer["all_models"]}
    assert list(models) == ["moonshine-base-en", "whisper-base", "pocketsphinx"]
    assert models["moonshine-base-en"]["is_default"]
    assert not models["pocketsphinx"]["is_default"]
    assert models["whisper-base"]["languages"] is None
    assert 70 < models["whisper-base"]["size_mb"] < 90
    assert models["pocketsphinx"]["languages"] == ["en"]


class TestWithoutTheModel:
    @pytest.fixture
    def settings(self, settings: Settings, tmp_path: Path) -> Settings:
        return replace(settings, models_dir=str(tmp_path / "none"))

    def test_the_answer_says_why_there_are_more_errors(self, alice: Person) -> None:
        limitation = alice.get("/api/v1/transcription").json["limitation"]
        assert "moonshine-base-en is not prepared on this server" in limitation
        assert "PocketSphinx" in limitation
        assert "/" not in limitation

    def test_the_models_that_are_missing_are_listed_with_their_size(self, alice: Person) -> None:
        models = {model["name"]: model for model in alice.get("/api/v1/transcription").json["all_models"]}
        assert [model["is_downloaded"] for model in models.values()] == [False, False, True]
        assert [name for name, model in models.items() if model["is_default"]] == ["pocketsphinx"]
        assert models["moonshine-base-en"]["size_mb"] == pytest.approx(87.4)


class TestForEnglishOnly:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, languages="en")

    def test_the_model_for_other_languages_is_not_offered(self, alice: Person) -> None:
        answer = alice.get("/api/v1/transcription").json
        assert [model["name"] for model in answer["all_models"]] == ["moonshine-base-en", "pocketsphinx"]
        assert answer["capabilities"]["language_detection"] is False


class TestWithAnApi:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(
            settings,
            transcription_connector="openai",
            transcription_base_url="http://127.0.0.1:9/v1",
            transcription_models="whisper-1:Whisper",
            transcription_model="whisper-1",
        )

    def test_the_administrator_curates_the_models(self, alice: Person) -> None:
        answer = alice.get("/api/v1/transcription").json
        assert answer["connector"] == "openai"
        assert {"value": "whisper-1", "label": "Whisper"} in answer["models"]
        assert answer["default_model"] == "whisper-1"
        (model,) = answer["all_models"]
        assert (model["name"], model["is_downloaded"], model["is_default"]) == ("whisper-1", None, True)
        with unit_of_work():
            system_settings.put("transcription_models", "gpt-4o-transcribe-diarize:GPT-4o Diarize")
            system_settings.put("transcription_model", "gpt-4o-transcribe-diarize")
        answer = alice.get("/api/v1/transcription").json
        assert answer["models"] == [{"value": "gpt-4o-transcribe-diarize", "label": "GPT-4o Diarize"}]
        assert answer["default_model"] == "gpt-4o-transcribe-diarize"

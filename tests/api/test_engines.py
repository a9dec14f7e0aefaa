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


class TestWithoutTheModel:
    @pytest.fixture
    def settings(self, settings: Settings, tmp_path: Path) -> Settings:
        return replace(settings, models_dir=str(tmp_path / "none"))

    def test_the_answer_says_why_there_are_more_errors(self, alice: Person) -> None:
        limitation = alice.get("/api/v1/transcription").json["limitation"]
        assert "moonshine-base-en is not prepared on this server" in limitation
        assert "PocketSphinx" in limitation
        assert "/" not in limitation


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
        with unit_of_work():
            system_settings.put("transcription_models", "gpt-4o-transcribe-diarize:GPT-4o Diarize")
            system_settings.put("transcription_model", "gpt-4o-transcribe-diarize")
        answer = alice.get("/api/v1/transcription").json
        assert answer["models"] == [{"value": "gpt-4o-transcribe-diarize", "label": "GPT-4o Diarize"}]
        assert answer["default_model"] == "gpt-4o-transcribe-diarize"

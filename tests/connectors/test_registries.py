"""Which engine the settings choose, and what is known of it without loading it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from speakr.connectors import language, transcription
from speakr.connectors.transcription.openai_models import ModelChoice, read_choices
from speakr.settings import Settings, SettingsError

MakeSettings = Callable[..., Settings]

KEY = {"transcription_api_key": "sk-1"}
URL = {"transcription_base_url": "http://127.0.0.1:1/v1"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "embedded"),
        (KEY, "openai"),
        (URL, "openai"),
        ({**KEY, "transcription_connector": "embedded"}, "embedded"),
        ({"transcription_connector": "openai"}, "openai"),
    ],
)
def test_the_settings_choose_the_transcription_engine(
    settings_with: MakeSettings, fields: dict[str, Any], name: str
):
    settings = settings_with(**fields)
    assert transcription.choose(settings) == name
    assert transcription.make_connector(settings).name == name
    assert transcription.describe(settings).name == name


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, "embedded"),
        ({"llm_api_key": "sk-1"}, "openai"),
        ({"llm_base_url": "http://127.0.0.1:1/v1"}, "openai"),
    ],
)
def test_the_settings_choose_the_language_engine(
    settings_with: MakeSettings, fields: dict[str, Any], name: str
):
    assert language.make_language_connector(settings_with(**fields)).name == name


def test_a_description_offers_models_with_labels(settings_with: MakeSettings):
    description = transcription.describe(
        settings_with(**KEY, transcription_model="whisper-1", transcription_models="large-v3:Large, tiny")
    )
    assert description.models == (
        ModelChoice("whisper-1", "whisper-1"),
        ModelChoice("large-v3", "Large"),
        ModelChoice("tiny", "tiny"),
    )
    assert description.default_model == "whisper-1"
    assert description.capabilities.timestamps


def test_capabilities_follow_the_default_model_and_chunks_suit_all(settings_with: MakeSettings):
    diarizing = transcription.describe(
        settings_with(**KEY, transcription_model="gpt-4o-transcribe-diarize")
    ).capabilities
    assert diarizing.diarization
    assert not diarizing.hotwords
    whisper = transcription.describe(settings_with(**KEY)).capabilities
    assert (whisper.target_chunk_seconds, whisper.max_chunk_seconds) == (600.0, 780.0)
    assert 44 + whisper.max_chunk_seconds * 32_000 < 25_000_000
    mixed = transcription.describe(
        settings_with(**KEY, transcription_models="whisper-1,gpt-4o-transcribe")
    ).capabilities
    assert mixed.timestamps
    assert mixed.max_chunk_seconds < whisper.max_chunk_seconds


def test_the_embedded_engine_offers_no_models(settings_with: MakeSettings):
    description = transcription.describe(settings_with(transcription_models="a,b"))
    assert description.models == ()
    assert description.default_model is None
    assert description.capabilities.languages is None, "Whisper base knows the others"
    assert transcription.describe(settings_with(languages="en")).capabilities.languages == {"en"}
    assert (description.capabilities.target_chunk_seconds, description.capabilities.max_chunk_seconds) == (
        30.0,
        120.0,
    )


@pytest.mark.parametrize(
    ("listed", "values"),
    [("", ["d"]), (" , ", ["d"]), ("a,d,b", ["a", "d", "b"]), ("a:One:Two,a", ["d", "a"])],
)
def test_model_lists(listed: str, values: list[str]):
    assert [choice.value for choice in read_choices(listed, "d")] == values


def test_describing_loads_no_heavy_library():
    program = """
import sys
from speakr.connectors import language, transcription
from speakr.settings import Settings
connectors = [{"transcription_connector": name} for name in transcription.CONNECTORS]
for fields in (*connectors, {"transcription_api_key": "sk-1", "llm_api_key": "sk-2"}):
    settings = Settings(secret_key="x" * 32, **fields)
    transcription.describe(settings)
    language.choose(settings)
heavy = {"numpy", "ctranslate2", "faster_whisper", "openai", "pocketsphinx", "av", "httpx2"} & set(sys.modules)
sys.exit(f"loaded: {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_second_engine_has_an_address_a_key_and_a_model_of_its_own(settings_with: MakeSettings):
    first = {**KEY, **URL, "transcription_model": "large-v3", "transcription_models": "large-v3,tiny"}
    assert transcription.make_fallback(settings_with(**first)) is None
    second = transcription.make_fallback(
        settings_with(
            **first,
            transcription_fallback="assemblyai",
            transcription_fallback_api_key="k-2",
            transcription_fallback_model="universal-3-pro",
        )
    )
    assert (second.name, second.models) == ("assemblyai", ("universal-3-pro",))
    assert second._service._headers == {"Authorization": "k-2"}
    assert "127.0.0.1" not in second._service._base_url
    assert (
        transcription.make_fallback(settings_with(**first, transcription_fallback="embedded")).name
        == "embedded"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"transcription_connector": "azure"},
        {"transcription_fallback": "auto"},
        {"transcription_slots": -1},
        {"transcription_fallback_slots": -1},
    ],
)
def test_settings_that_lead_nowhere_are_refused_at_the_start(
    settings_with: MakeSettings, fields: dict[str, Any]
):
    with pytest.raises(SettingsError, match="TRANSCRIPTION"):
        settings_with(**fields)


@pytest.mark.parametrize(
    ("model", "heeded"),
    [
        ("whisper-1", {"prompt", "hotwords", "times"}),
        ("openai/whisper-large-v3", {"prompt", "hotwords", "times"}),
        ("gpt-4o-transcribe", {"prompt", "hotwords"}),
        ("gpt-4o-mini-transcribe-2025-12-15", {"prompt", "hotwords"}),
        ("gpt-transcribe", {"prompt", "hotwords"}),
        ("gpt-4o-transcribe-diarize", {"times", "speakers"}),
    ],
)
def test_each_model_declares_its_options(settings_with: MakeSettings, model: str, heeded: set[str]):
    capable = transcription.make_connector(settings_with(**KEY)).capabilities_with(model)
    supported = {
        "prompt": capable.initial_prompt,
        "hotwords": capable.hotwords,
        "times": capable.timestamps,
        "speakers": capable.diarization,
    }
    assert {name for name, is_so in supported.items() if is_so} == heeded

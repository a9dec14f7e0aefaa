"""OpenAI's own Node client, unmodified, against a live server with a worker and real speech."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.intake.server import ALICE, IntakeServer
from tests.support import node

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]

SCRIPT = Path(__file__).parent / "node" / "client.cjs"
SHORT = Path(__file__).parents[2] / "connectors" / "data" / "goforward.flac"


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Return what the client got."""
    if not (node.modules_of(SCRIPT.parent) / "openai").is_dir():
        pytest.skip("the client is not installed, because npm could not be reached: make test")
    with IntakeServer(tmp_path_factory.mktemp("node")) as server:
        server.start_worker()
        environment = {"BASE_URL": f"http://127.0.0.1:{server.port}/v1", "KEY": ALICE, "FILE": str(SHORT)}
        yield json.loads(node.run(SCRIPT, environment, seconds=300))


def test_files_and_buffers_are_transcribed(found: dict[str, Any]) -> None:
    assert "forward" in found["json"]["text"].lower()
    assert found["buffer"]["text"] == found["json"]["text"]
    assert found["srt"].startswith("1\n00:00:0")
    assert found["verbose"]["language"] == "english"
    assert found["verbose"]["words"][0]["start"] < found["verbose"]["words"][0]["end"]
    assert [segment["speaker"] for segment in found["diarized"]["segments"]] == ["A"]


def test_a_stream_ends_with_the_whole_text(found: dict[str, Any]) -> None:
    *deltas, last = found["streamed"]["kinds"]
    assert deltas
    assert set(deltas) == {"transcript.text.delta"}
    assert last == "transcript.text.done"
    assert found["streamed"]["text"] == found["json"]["text"]


def test_models_are_listed_and_found(found: dict[str, Any]) -> None:
    assert "whisper-1" in found["models"]
    assert found["model"]["id"] == "whisper-1"


def test_failures_are_the_clients_own_errors(found: dict[str, Any]) -> None:
    seen = {name: (each["kind"], each["status"], each["code"]) for name, each in found["failures"].items()}
    assert seen == {
        "key": ("AuthenticationError", 401, "invalid_api_key"),
        "model": ("NotFoundError", 404, "model_not_found"),
        "sound": ("BadRequestError", 400, "not_media"),
    }
    assert all(each["id"] for each in found["failures"].values())

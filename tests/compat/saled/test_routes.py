"""The routes of Saled: models, jobs, results, summaries, chat and retranscription."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from speakr.connectors.language.embedded import EmbeddedLanguageConnector
from tests.conftest import Person
from tests.fakes import FakeWriter, MemoryJobNotifier

TALK = [
    {"start": 0.0, "end": 2.0, "text": "The new server costs nine thousand euros."},
    {"start": 2.0, "end": 4.0, "text": "Delivery of the server is planned for March."},
    {"start": 4.0, "end": 6.0, "text": "Bob will order the server tomorrow."},
    {"start": 6.0, "end": 8.0, "text": "The old server stays in the cellar until June."},
    {"start": 8.0, "end": 10.0, "text": "We will test the server before we sell the old one."},
]


@pytest.fixture
def extractive(writer: FakeWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The built-in language engine."""
    engine = EmbeddedLanguageConnector()
    for name in ("summarize", "extract", "chat"):
        monkeypatch.setattr(writer, name, getattr(engine, name))
    monkeypatch.setattr(writer, "is_extractive", True)
    monkeypatch.setattr(writer, "name", engine.name)


@pytest.mark.on_sqlite
def test_health_and_root(client: FlaskClient) -> None:
    health = client.get("/saled/health")
    assert health.json["status"] == "healthy"
    assert isinstance(health.json["timestamp"], float)
    root = client.get("/saled/")
    assert set(root.json) == {"name", "version", "endpoints"}
    for answer in (health, root):
        assert answer.headers["X-Request-ID"]
        assert float(answer.headers["X-Process-Time-Ms"]) >= 0


@pytest.mark.on_sqlite
def test_models_have_sizes_and_the_usual_names(client: FlaskClient) -> None:
    models = client.get("/saled/api/transcribe/models/").json["models"]
    assert {"tiny.en", "large-v3-turbo"} <= {model["name"] for model in models}
    for model in models:
        assert set(model) == {"name", "full_name", "is_downloaded", "size_mb", "description"}
        assert isinstance(model["is_downloaded"], bool)
        assert isinstance(model["size_mb"], float)


@pytest.mark.on_sqlite
@pytest.mark.parametrize("name", ["tiny.en", "openai/whisper-tiny.en", "whisper-large-v3-turbo", ""])
def test_usual_model_names_are_accepted(send: Callable[..., Any], name: str) -> None:
    assert send(model_name=name).status_code == 200


@pytest.mark.on_sqlite
def test_an_unknown_model_is_refused_with_the_list(send: Callable[..., Any], alice: Person) -> None:
    answer = send(model_name="huge")
    assert answer.status_code == 400
    assert "Unknown model 'huge'. Available: " in answer.json["detail"]
    assert "tiny.en" in answer.json["detail"]
    assert alice.get("/api/v1/recordings").json["pagination"]["total"] == 0


def test_a_job_from_upload_to_result(
    client: FlaskClient, send: Callable[..., Any], alice: Person, work: Callable[[], None]
) -> None:
    begun = send(diarize="false")
    assert (begun.status_code, set(begun.json)) == (200, {"job_id", "status", "message"})
    job = begun.json["job_id"]
    assert uuid.UUID(job).version == 8
    status = client.get(f"/saled/api/transcribe/status/{job}").json
    assert (status["status"], status["progress"], status["job_id"]) == ("processing", 0, job)
    not_ready = client.get(f"/saled/api/transcribe/result/{job}")
    assert not_ready.status_code == 404
    assert "not ready" in not_ready.json["detail"]

    work()
    status = client.get(f"/saled/api/transcribe/status/{job}").json
    assert (status["status"], status["progress"]) == ("completed", 100)
    assert isinstance(status["updated_at"], float)
    result = client.get(f"/saled/api/transcribe/result/{job}").json
    assert set(result) == {"segments", "text", "language", "audio_duration"}
    assert result["text"] == " ".join(segment["text"] for segment in result["segments"])
    assert abs(result["audio_duration"] - 1.0) < 0.2
    first = result["segments"][0]
    assert set(first) == {
        "start", "end", "text", "speaker", "speaker_confidence", "start_display", "end_display",
    }  # fmt: skip
    assert (first["start"], first["start_display"]) == (0.1, "00:00:00.100")
    assert all(re.fullmatch(r"SPEAKER_\d+", segment["speaker"]) for segment in result["segments"])
    jobs = client.get("/saled/api/transcribe/jobs").json
    assert jobs["count"] == len(jobs["jobs"]) == 1
    assert jobs["jobs"][0] == status
    debug = client.get(f"/saled/api/transcribe/debug/{job}").json
    assert debug["cached_segments"] == len(result["segments"])
    assert debug["latest_time"] == result["segments"][-1]["end"]
    (recording,) = alice.get("/api/v1/recordings").json["recordings"]
    assert recording["original_filename"] == "a.wav"


@pytest.mark.on_sqlite
def test_unknown_jobs(client: FlaskClient) -> None:
    for job in (str(uuid.uuid4()), "1", "x" * 300):
        unknown = client.get(f"/saled/api/transcribe/status/{job}")
        assert unknown.status_code == 200
        assert (unknown.json["status"], unknown.json["progress"]) == ("not_found", 0)
        for path in ("transcribe/result", "transcribe/debug", "summary/status", "summary"):
            answer = client.get(f"/saled/api/{path}/{job}")
            assert (answer.status_code, set(answer.json)) == (404, {"detail"}), path


@pytest.mark.parametrize("form", ["paragraph", "bullet_points", "key_points"])
def test_a_summary_in_each_format(
    client: FlaskClient, extractive: None, work: Callable[[], None], form: str
) -> None:
    begun = client.post("/saled/api/summary/", json={"transcript": TALK, "format": form, "max_length": 30})
    assert begun.status_code == 200
    job = begun.json["job_id"]
    assert client.get(f"/saled/api/summary/status/{job}").json["status"] == "processing"
    assert "not ready" in client.get(f"/saled/api/summary/{job}").json["detail"]
    work()
    assert client.get(f"/saled/api/summary/status/{job}").json == {
        "status": "completed",
        "message": "Done",
        "progress": 100,
    }
    written = client.get(f"/saled/api/summary/{job}").json
    assert set(written) == {"summary", "topics", "length", "model_used"}
    assert 0 < written["length"] <= 30
    assert isinstance(written["topics"], list)
    starts = {"paragraph": r"\w", "bullet_points": "- ", "key_points": r"\d+\. "}[form]
    assert all(re.match(starts, line) for line in written["summary"].splitlines()), written


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"full_text": "Hello there.", "format": "poem"}, 400),
        ({"full_text": "Hello there.", "max_length": 0}, 400),
        ({"full_text": " ... "}, 400),
        ({}, 400),
        ({"transcript": [{"start": 0}]}, 422),
    ],
)
def test_a_wrong_summary_is_refused(client: FlaskClient, body: dict[str, Any], status: int) -> None:
    answer = client.post("/saled/api/summary/", json=body)
    assert (answer.status_code, set(answer.json)) == (status, {"detail"})


def test_chat_answers_and_its_usage_adds_up(client: FlaskClient, alice: Person, writer: FakeWriter) -> None:
    (model,) = client.get("/saled/api/chat/models").json["models"]
    assert set(model) == {"id", "name", "description"}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "When does it arrive?"},
    ]
    answer = client.post("/saled/api/chat/", json={"transcript": TALK, "messages": messages})
    assert answer.json == {
        "message": {"role": "assistant", "content": "5 lines [1]"},
        "model_used": "fake",
        "usage": {"prompt": 20, "completion": 3, "total": 23},
    }
    (asked,) = writer.questions
    assert (asked.question, asked.notes) == ("When does it arrive?", "Be brief.")
    assert (asked.sampling.temperature, asked.sampling.max_tokens) == (None, None)
    assert [turn.text for turn in asked.history] == ["Hello", "Hi"]
    assert alice.get("/api/v1/stats").json["tokens"]["used_this_month"] == 23


@pytest.mark.on_sqlite
def test_temperature_and_max_tokens_reach_the_engine(client: FlaskClient, writer: FakeWriter) -> None:
    body = {"full_text": "A plan.", "messages": [{"role": "user", "content": "Which plan?"}]}
    client.post("/saled/api/chat/", json={**body, "temperature": 0.2, "max_tokens": 40})
    (asked,) = writer.questions
    assert (asked.sampling.temperature, asked.sampling.max_tokens) == (0.2, 40)
    for wrong in ({"temperature": 3}, {"max_tokens": 0}, {"temperature": "warm"}):
        assert client.post("/saled/api/chat/", json={**body, **wrong}).status_code == 400


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"full_text": "A text.", "messages": []}, 400),
        ({"full_text": "A text."}, 422),
        ({"messages": [{"role": "user", "content": "What?"}]}, 400),
        ({"full_text": "A text.", "messages": [{"role": "assistant", "content": "What?"}]}, 400),
        ({"full_text": "A text.", "messages": [{"role": "judge", "content": "What?"}]}, 400),
    ],
)
def test_a_wrong_chat_is_refused(client: FlaskClient, body: dict[str, Any], status: int) -> None:
    answer = client.post("/saled/api/chat/", json=body)
    assert (answer.status_code, set(answer.json)) == (status, {"detail"})


def test_a_clip_of_a_segment_is_transcribed(send: Callable[..., Any], inline: MemoryJobNotifier) -> None:
    answer = send("/api/retranslate/segment", segment_id="seg-1", start_time="3.0", end_time="4.0")
    assert answer.json == {
        "segment_id": "seg-1",
        "text": "heard 0.1-0.4 heard 0.5-0.9",
        "confidence": 0.9,
        "speaker": None,
        "model_used": "fake",
    }


@pytest.mark.on_sqlite
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"segment_id": "a", "start_time": "2", "end_time": "1"}, 400),
        ({"segment_id": "a", "start_time": "x"}, 400),
        ({"segment_id": "a", "language": "klingon"}, 400),
    ],
)
def test_a_wrong_clip_is_refused(send: Callable[..., Any], fields: dict[str, str], status: int) -> None:
    answer = send("/api/retranslate/segment", **fields)
    assert (answer.status_code, set(answer.json)) == (status, {"detail"})


def test_a_range_of_an_uploaded_file_is_transcribed(
    client: FlaskClient, send: Callable[..., Any], work: Callable[[], None], inline: MemoryJobNotifier
) -> None:
    job = send().json["job_id"]
    work()

    def again(job_id: str, **body: Any) -> Any:
        path = f"/saled/api/retranslate/segment-from-full?job_id={job_id}"
        return client.post(path, json={"segment_id": "seg-1", **body})

    answer = again(job, start_time=0.2, end_time=0.9, model_name="whisper-large-v3-turbo", language="en")
    assert answer.status_code == 200, answer.json
    assert (answer.json["segment_id"], answer.json["speaker"]) == ("seg-1", None)
    assert answer.json["text"]
    for start, end in ((0.9, 0.2), (0.5, 0.5), (0.2, 100), (-1, 0.5)):
        assert again(job, start_time=start, end_time=end).status_code == 400
    assert again(str(uuid.uuid4()), start_time=0.2, end_time=0.9).status_code == 404
    missing = again(job, start_time=0.2)
    assert missing.status_code == 422
    assert missing.json["detail"][0]["loc"] == ["body", "end_time"]

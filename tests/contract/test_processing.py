"""Work on request: transcriptions, summaries, answers, titles, and the capabilities of the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from speakr.domain.errors import ConnectorUnavailable
from tests.conftest import wav
from tests.contract.library import Library, check, check_error
from tests.contract.shapes import Maybe, unlike

R = "/recordings/{recording}"
HINTS = {
    "language": "en",
    "min_speakers": 1,
    "max_speakers": 5,
    "hotwords": "Speakr, WhisperX, diarization",
    "initial_prompt": "Technical discussion about audio transcription.",
    "transcription_model": "gpt-4o-transcribe-diarize",
}
QUESTION = {
    "message": "What were the main action items discussed?",
    "conversation_history": [
        {"role": "user", "content": "Who attended?"},
        {"role": "assistant", "content": "John and Jane attended..."},
    ],
}
ENGINE: dict[str, Any] = {
    "connector": Maybe("openai_transcribe"),
    "capabilities": {
        "diarization": True,
        "speaker_count_control": False,
        "hotwords": True,
        "initial_prompt": True,
        "timestamps": True,
        "language_detection": True,
        "chunking": False,
    },
    "models": [],
    "default_model": Maybe("gpt-4o-transcribe-diarize"),
}


def queued(what: str) -> dict[str, Any]:
    return {"success": True, "job_id": "550e8400", "status": "QUEUED", "message": f"{what} queued"}


def check_queued(library: Library, path: str, body: Any, what: str) -> str:
    answer = check(library, "POST", path, body, 200, queued(what))
    assert (answer["status"], answer["message"]) == ("QUEUED", f"{what} queued")
    return str(answer["job_id"])


@pytest.mark.parametrize("body", [HINTS, {}, None])
def test_a_transcription(library: Library, body: Any) -> None:
    check_queued(library, f"{R}/transcribe", body, "Transcription")
    status = library.make("GET", f"{R}/status")
    assert (status["status"], status["completed_at"]) == ("PENDING", None)


def test_hints_reach_the_engine(library: Library) -> None:
    library.notifier.notifications.clear()
    check_queued(library, f"{R}/transcribe", {**HINTS, "language": ""}, "Transcription")
    library.work()
    hints = library.engines.transcriber.hints[-1]
    # An unknown model is ignored; an empty language requests detection, whatever the tag says.
    assert (hints.language, hints.min_speakers, hints.max_speakers, hints.model) == (None, 1, 5, None)
    assert (hints.hotwords, hints.initial_prompt) == (HINTS["hotwords"], HINTS["initial_prompt"])


def test_one_transcription_at_a_time(library: Library) -> None:
    first = check_queued(library, f"{R}/transcribe", {}, "Transcription")
    assert check(library, "POST", f"{R}/transcribe", HINTS, 200, queued(""))["job_id"] == first


def test_a_summary(library: Library) -> None:
    library.notifier.notifications.clear()
    check_queued(library, f"{R}/summarize", {"custom_prompt": "In verse."}, "Summarization")
    assert library.make("GET", f"{R}/status")["status"] == "SUMMARIZING"
    library.work()
    assert library.make("GET", f"{R}/status")["status"] == "COMPLETED"
    [request] = library.engines.writer.requests
    assert "In verse." in request.instructions
    assert "Be brief." not in request.instructions


def test_a_summary_without_a_body(library: Library) -> None:
    check_queued(library, f"{R}/summarize", None, "Summarization")


def test_prompts_of_tags_are_stacked_in_their_order(library: Library) -> None:
    library.notifier.notifications.clear()
    library.make("PUT", "/tags/{group_tag}", {"custom_prompt": "  List {{what}}. "})
    library.make("PUT", "/tags/{tag}", {"custom_prompt": "Name {{who}}."})
    tags = {"tag_ids[0]": "{group_tag}", "tag_ids[1]": "{tag}", "folder_id": "{folder}"}
    library.upload(wav(1.0), prompt_variables='{"what": "decisions", "1": "x"}', **tags)
    library.work()
    [request] = library.engines.writer.requests
    assert "List decisions.\n\nName ." in request.instructions


def test_a_failed_transcription_says_why(library: Library) -> None:
    library.notifier.notifications.clear()
    accepted = library.upload().json
    _fail_for_good(library)
    library.work()
    status = library.make("GET", f"/recordings/{accepted['id']}/status")
    shape = {"id": 1, "status": "FAILED", "queue_position": None, "error_message": "a", "completed_at": None}
    assert unlike(shape, status) == []
    assert status["status"] == "FAILED"
    listed = library.make("GET", "/recordings?status=failed")["recordings"]
    assert [(item["id"], item["error_message"]) for item in listed] == [
        (accepted["id"], status["error_message"])
    ]


def _fail_for_good(library: Library) -> None:
    from speakr.domain.errors import ConnectorRejected

    def refuse(_: object) -> None:
        raise ConnectorRejected("The provider refused the audio.")

    library.engines.transcriber.before = refuse


def test_the_places_in_the_queue(library: Library) -> None:
    places = [
        library.make("GET", f"/recordings/{{{name}}}/status")["queue_position"]
        for name in ("waiting", "silent")
    ]
    of_bob = library.make("GET", "/recordings/{bobs}/status", as_="bob")["queue_position"]
    # Users take turns; who was served longest ago is first.
    assert (places, of_bob) == ([2, 4], 1)


def test_chat(library: Library) -> None:
    body = check(library, "POST", f"{R}/chat", QUESTION, 200, {"response": "a", "sources": []})
    assert isinstance(body["sources"], list)
    [asked] = library.engines.writer.questions
    assert asked.question == QUESTION["message"]
    assert [(turn.role, turn.text) for turn in asked.history] == [
        ("user", "Who attended?"),
        ("assistant", "John and Jane attended..."),
    ]


def test_chat_without_history(library: Library) -> None:
    check(library, "POST", f"{R}/chat", {"message": "What?"}, 200, {"response": "a", "sources": []})


def test_a_title(library: Library) -> None:
    titled = {"success": True, "title": "a", "recording": {"id": 1, "title": "a"}}
    body = check(library, "POST", f"{R}/regenerate_title", None, 200, titled)
    assert body["title"] == library.make("GET", R)["title"] == "A written title"


def test_what_the_engine_can_do(library: Library) -> None:
    check(library, "GET", "/transcription", None, 200, ENGINE)


def test_models_that_may_be_asked_for(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    from speakr.backends import get_backends
    from speakr.services.speech import engines

    settings = {"transcription_connector": "openai", "transcription_api_key": "a key"}
    backends = replace(get_backends(), settings=replace(get_backends().settings, **settings))
    monkeypatch.setattr(engines, "get_backends", lambda: backends)
    models = {"transcription_models": "m:The model", "transcription_model": "m"}
    library.make("PATCH", "/admin/settings", models, as_="root")
    offered = {"connector": "a", "models": [{"value": "m", "label": "The model"}], "default_model": "m"}
    body = check(library, "GET", "/transcription", None, 200, ENGINE | offered)
    assert (body["models"], body["default_model"]) == (offered["models"], "m")


def _away(_: object) -> None:
    raise ConnectorUnavailable("The provider is away.")


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        (f"{R}/chat", {"message": "What?"}, "Chat service not available"),
        (f"{R}/speakers/identify", None, "Speaker identification not available"),
        (f"{R}/regenerate_title", None, "Title service not available"),
    ],
)
def test_a_language_model_that_is_away(library: Library, path: str, body: Any, sentence: str) -> None:
    library.engines.writer.before = library.engines.writer.before_title = _away
    check_error(library, "POST", path, body, 503, sentence)
    assert library.ask("POST", path, body).headers["Retry-After"] == "30"


@pytest.mark.parametrize(
    ("path", "body", "status", "sentence"),
    [
        ("/recordings/{silent}/transcribe", {}, 400, "Audio has been deleted"),
        ("/recordings/{waiting}/summarize", {}, 400, "No transcription available - transcribe first"),
        ("/recordings/{waiting}/chat", {"message": "x"}, 400, "No transcription available"),
        (f"{R}/chat", {}, 400, "message is required"),
        (f"{R}/chat", {"message": "  "}, 400, "message is required"),
        ("/recordings/{waiting}/regenerate_title", None, 400, "No transcription available"),
        ("/recordings/{shared}/transcribe", {}, 403, "Permission denied"),
        ("/recordings/{shared}/summarize", {}, 403, "Permission denied"),
        ("/recordings/{shared}/regenerate_title", None, 403, "Permission denied"),
        *(
            (f"/recordings/{{{which}}}/{what}", {"message": "x"}, 404, "Recording not found")
            for which in ("nobody", "bobs")
            for what in ("transcribe", "summarize", "chat", "regenerate_title")
        ),
    ],
)
def test_errors(library: Library, path: str, body: Any, status: int, sentence: str) -> None:
    check_error(library, "POST", path, body, status, sentence)

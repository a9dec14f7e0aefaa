"""The sentence of a provider that refuses, as owners and operators see it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from speakr.connectors.language.base import SummaryRequest
from speakr.connectors.provider_words import MAX_SENTENCE_LENGTH, sentence_in
from speakr.connectors.refusals import translate_status
from speakr.domain.errors import ConnectorBusy, ConnectorRejected, ConnectorUnavailable
from speakr.domain.statements import NumberedLine
from speakr.settings import Settings
from tests.connectors.chat_server import connector_for
from tests.connectors.fake_provider import FakeProvider, json_reply

PLAIN = "Currently do not support verbose_json for openai/whisper-large-v3-2025-01-31"


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        json.dumps({"error": {"message": PLAIN, "code": "x"}}),
        json.dumps({"error": PLAIN}),
        json.dumps({"message": PLAIN}),
        json.dumps({"detail": PLAIN}),
        json.dumps({"detail": [{"msg": PLAIN, "type": "value_error"}]}),
        json.dumps([{"message": PLAIN}]),
    ],
)
def test_the_sentence_is_found_in_every_usual_form(body: str) -> None:
    assert sentence_in(body) == PLAIN


def test_a_field_is_named_with_its_fault() -> None:
    body = {"detail": [{"loc": ["body", "temperature"], "msg": "Input should be a number"}]}
    assert sentence_in(json.dumps(body)) == "temperature: Input should be a number"


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html><h1>502</h1></html>",
        "{",
        "{}",
        "[]",
        '{"error": null}',
        '{"error": {"message": 5}}',
        "[" * 10_000,
    ],
)
def test_no_sentence_is_none(body: str) -> None:
    assert sentence_in(body) == ""


@pytest.mark.parametrize(
    "private",
    [
        "sk-secret",
        "sk-proj-ab12cd34",
        "sk-ab***********cret",
        "Bearer abc.def",
        "hf_AbCdEf123",
        "org-9XyZ",
        "http://10.0.0.7:8000/v1?key=1",
        "https://api.example.com/keys",
        "api.internal.example",
        "10.0.0.7:8000",
        "[fe80::1]:80",
        "localhost:8000",
        "/srv/app/main.py",
        "C:\\models\\a.bin",
        "admin@example.com",
        "0a1b2c3d4e5f60718293a4b5c6d7e8f9",
        "123e4567-e89b-12d3-a456-426614174000",
        "the configured one",
    ],
)
def test_private_parts_are_removed(private: str) -> None:
    sentence = sentence_in(f"Wrong: {private} is refused.", ["the configured one"])
    assert private not in sentence
    assert sentence.startswith("Wrong: [...]")
    assert "is refused" in sentence


def test_a_sentence_is_one_short_clean_line() -> None:
    sentence = sentence_in("a\x1b[31m\u202e\x00 b\n" + "word " * 500)
    assert sentence.startswith("a b word")
    assert len(sentence) <= MAX_SENTENCE_LENGTH + 1
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "body", ["(" * 20_000, "a" * 20_000, "a." * 10_000, "a-" * 10_000, ":" * 20_000, "/a" * 9_000]
)
def test_long_bodies_are_read_quickly(body: str) -> None:
    assert len(sentence_in(body)) <= MAX_SENTENCE_LENGTH + 1


def test_an_account_without_credit_does_not_read_as_rate_limiting() -> None:
    body = json.dumps(
        {"error": {"message": "You exceeded your current quota.", "code": "insufficient_quota"}}
    )
    error = translate_status("The transcription provider", 429, body=body)
    assert error.message == (
        "The account at the transcription provider is used up; add credit there, or raise its limit (HTTP 429)."
        " It answers: “You exceeded your current quota.”"
    )
    assert isinstance(error, ConnectorUnavailable)
    assert not isinstance(error, ConnectorBusy)
    limited = translate_status("The transcription provider", 429, body=json.dumps({"message": "Slow down"}))
    assert isinstance(limited, ConnectorBusy)
    assert "limiting the request rate" in limited.message
    paid = translate_status("The transcription provider", 402)
    assert isinstance(paid, ConnectorRejected)
    assert "is used up" in paid.message


def test_the_owner_reads_what_the_language_model_provider_says(
    provider: FakeProvider, settings_with: Callable[..., Settings]
) -> None:
    provider.answers(json_reply({"error": {"message": "The model m-1 was retired. Key: sk-secret"}}, 404))
    with pytest.raises(ConnectorRejected) as raised:
        connector_for(provider, settings_with).summarize(
            SummaryRequest(lines=[NumberedLine("SPEAKER_00", "Hello.", 0.0)])
        )
    assert raised.value.message.endswith("It answers: “The model m-1 was retired. Key: [...]”")

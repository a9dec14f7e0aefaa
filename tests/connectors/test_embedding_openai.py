"""Embeddings from a provider: its requests, and the checks of its responses."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from speakr.connectors.embedding import make_embedding_connector
from speakr.connectors.embedding.base import MAX_DIMENSIONS, EmbeddingConnector, pack
from speakr.connectors.transcription import waiting
from speakr.domain.errors import (
    ConnectorBusy,
    ConnectorRejected,
    ConnectorTooLarge,
    ConnectorUnavailable,
    JobError,
)
from speakr.settings import Settings, SettingsError
from tests.connectors.fake_provider import FakeProvider, Reply, Request, error_reply, json_reply

MakeSettings = Callable[..., Settings]


@pytest.fixture
def connector(provider: FakeProvider, settings_with: MakeSettings) -> EmbeddingConnector:
    made = make_embedding_connector(
        settings_with(
            embedding_base_url=provider.url,
            embedding_api_key="sk-secret",
            embedding_model="m-1",
            embedding_timeout_seconds=5.0,
        )
    )
    assert made is not None
    return made


def vectors_of(*vectors: Any, **more: Any) -> Reply:
    return json_reply(
        {"data": [{"index": at, "embedding": vector} for at, vector in enumerate(vectors)], **more}
    )


def counting(request: Request) -> Reply:
    return vectors_of(*([float(len(text)), 0.0, 1.0] for text in request.json["input"]))


def unpack(vector: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(vector) // 2}e", vector)


def test_a_vector_comes_back_with_length_one(connector: EmbeddingConnector, provider: FakeProvider):
    provider.answers(vectors_of([3, 0, -4.0]))
    (vector,) = connector.embed(["What is meant"])
    assert unpack(vector) == pytest.approx((0.6, 0.0, -0.8), abs=1e-3)
    (request,) = provider.requests
    assert request.path == "/v1/embeddings"
    assert request.headers["authorization"] == "Bearer sk-secret"
    assert request.json == {"model": "m-1", "input": ["What is meant"], "encoding_format": "float"}


def test_many_texts_are_asked_about_in_batches_and_come_back_in_order(
    connector: EmbeddingConnector, provider: FakeProvider
):
    provider.answer = counting
    texts = ["x" * n for n in range(1, 71)]
    vectors = connector.embed(texts)
    assert vectors == [pack([float(n), 0.0, 1.0]) for n in range(1, 71)]
    assert [len(request.json["input"]) for request in provider.requests] == [32, 32, 6]


def test_answers_out_of_order_are_put_in_order(connector: EmbeddingConnector, provider: FakeProvider):
    provider.answers(
        json_reply({"data": [{"index": 1, "embedding": [0, 1]}, {"index": 0, "embedding": [1, 0]}]})
    )
    assert connector.embed(["a", "b"]) == [pack([1, 0]), pack([0, 1])]
    provider.answers(json_reply({"data": [{"embedding": [1, 0]}, {"embedding": [0, 1]}]}))
    assert connector.embed(["a", "b"]) == [pack([1, 0]), pack([0, 1])]


HOSTILE = {
    "too few": vectors_of([1, 0]),
    "too many": vectors_of([1, 0], [1, 0], [1, 0]),
    "none": vectors_of(),
    "other lengths": vectors_of([1, 0], [1, 0, 0]),
    "empty": vectors_of([], []),
    "zero": vectors_of([0, 0], [1, 0]),
    "NaN": Reply(body=b'{"data": [{"embedding": [NaN, 1]}, {"embedding": [1, 1]}]}'),
    "infinity": Reply(body=b'{"data": [{"embedding": [1e999, 1]}, {"embedding": [1, 1]}]}'),
    "a very long number": Reply(
        body=b'{"data": [{"embedding": [1' + b"0" * 400 + b', 1]}, {"embedding": [1, 1]}]}'
    ),
    "huge": vectors_of([1.0] * (MAX_DIMENSIONS + 1), [1.0] * (MAX_DIMENSIONS + 1)),
    "words": vectors_of(["a"], ["b"]),
    "truths": vectors_of([True, False], [True, False]),
    "base64": vectors_of("AACAPwAAAAA=", "AACAPwAAAAA="),
    "no vectors": json_reply({"data": [{"index": 0}, {"index": 1}]}),
    "the same place twice": json_reply(
        {"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}
    ),
    "no places": json_reply({"data": [{"index": "a", "embedding": [1]}, {"index": None, "embedding": [1]}]}),
    "no list": json_reply({"data": {"0": [1]}}),
    "lists": json_reply({"data": [[1], [1]]}),
    "nothing": json_reply({}),
    "no object": json_reply([]),
    "no JSON": Reply(body=b"<html>"),
    "cut short": Reply(body=b'{"data":', cut_short=True),
    "reset": Reply(reset=True),
    "a server error": error_reply(500),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_an_answer_that_cannot_be_is_not_believed(
    connector: EmbeddingConnector, provider: FakeProvider, reply: Reply
):
    provider.answers(reply)
    with pytest.raises(ConnectorUnavailable) as raised:
        connector.embed(["a", "b"])
    assert "secret" not in raised.value.message
    assert len(provider.requests) == 1


def test_lengths_that_change_between_batches_are_not_believed(
    connector: EmbeddingConnector, provider: FakeProvider
):
    provider.answer = lambda request: vectors_of(
        *[[1.0] * len(request.json["input"])] * len(request.json["input"])
    )
    with pytest.raises(ConnectorUnavailable):
        connector.embed(["x"] * 33)


def test_an_answer_without_an_end_is_left(
    connector: EmbeddingConnector, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(waiting, "MAX_ANSWER_BYTES", 3_000_000)
    provider.answers(Reply(endless=True))
    with pytest.raises(ConnectorUnavailable):
        connector.embed(["a"])


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip_seconds=0.02)], ids=["hangs", "drips"])
def test_a_server_that_does_not_answer_in_time_is_left(
    connector: EmbeddingConnector, provider: FakeProvider, reply: Reply
):
    provider.answers(reply)
    with pytest.raises(ConnectorUnavailable, match="did not answer in time"):
        connector.embed(["a"], most_seconds=0.2)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, ConnectorRejected), (404, ConnectorRejected), (413, ConnectorTooLarge), (429, ConnectorBusy)],
)
def test_refusals_have_their_type(
    connector: EmbeddingConnector, provider: FakeProvider, status: int, error: type[JobError]
):
    provider.answers(error_reply(status, {"Retry-After": "12"}))
    with pytest.raises(JobError) as raised:
        connector.embed(["a"])
    assert type(raised.value) is error
    assert "secret" not in raised.value.message
    if error is ConnectorBusy:
        assert raised.value.retry_after_seconds == 12.0


def test_the_provider_is_unreachable(settings_with: MakeSettings, unused_port: int):
    connector = make_embedding_connector(
        settings_with(embedding_base_url=f"http://127.0.0.1:{unused_port}/v1", embedding_model="m")
    )
    with pytest.raises(ConnectorUnavailable):
        connector.embed(["a"])


def test_a_key_alone_sends_no_text_to_a_provider(settings_with: MakeSettings):
    made = make_embedding_connector(settings_with(llm_api_key="sk-1", embedding_base_url="http://x/v1"))
    assert made is None or made.name == "embedded"


@pytest.mark.parametrize(
    ("fields", "base_url", "key"),
    [
        ({}, "http://text/v1", "sk-text"),
        ({"embedding_base_url": "http://text/v1"}, "http://text/v1", "sk-text"),
        ({"embedding_api_key": "sk-own"}, "http://text/v1", "sk-own"),
        ({"embedding_base_url": "http://other/v1"}, "http://other/v1", ""),
        (
            {"embedding_base_url": "http://other/v1", "embedding_api_key": "sk-own"},
            "http://other/v1",
            "sk-own",
        ),
    ],
)
def test_address_and_key_are_those_of_the_text_model_unless_given(
    settings_with: MakeSettings, fields: dict[str, str], base_url: str, key: str
):
    text = {"llm_base_url": "http://text/v1", "llm_api_key": "sk-text"}
    made: Any = make_embedding_connector(settings_with(**text, embedding_model="m", **fields))
    assert (made._access.base_url, made._access.api_key) == (base_url, key)


def test_a_name_that_cannot_be_stored_is_refused_at_the_start(settings_with: MakeSettings):
    with pytest.raises(SettingsError, match="EMBEDDING_MODEL_NAME"):
        settings_with(embedding_model="m" * 121)


def test_without_use_no_heavy_library_is_loaded():
    program = (
        "import sys, speakr.app, speakr.api, speakr.services.search.by_meaning;"
        "from speakr.connectors.embedding import make_embedding_connector;"
        "from speakr.settings import Settings;"
        "make_embedding_connector(Settings(secret_key='x' * 32, embedding_model='m'));"
        "assert not {'numpy', 'openai'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

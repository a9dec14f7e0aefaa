"""Search by meaning with the real connector: from a transcript over HTTP to the results, and without a provider."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from speakr.backends import Backends
from speakr.connectors.embedding import make_embedding_connector
from speakr.services.search import nearest_passages
from speakr.settings import Settings
from tests.api.library import embed_all, write
from tests.conftest import Person
from tests.connectors.fake_provider import FakeProvider, Reply, Request, json_reply
from tests.fakes import MemoryJobNotifier


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    fake = FakeProvider()
    yield fake
    fake.close()


@pytest.fixture
def backends(backends: Backends, provider: FakeProvider) -> Backends:
    settings: Settings = replace(
        backends.settings,
        embedding_model="m-1",
        embedding_base_url=provider.url,
        embedding_api_key="sk-secret",
    )
    return replace(backends, settings=settings, make_embedder=lambda: make_embedding_connector(settings))


def by_length(request: Request) -> Reply:
    return json_reply({"data": [{"embedding": [len(text), 10]} for text in request.json["input"]]})


def test_what_is_embedded_is_found(
    alice: Person, notifier: MemoryJobNotifier, provider: FakeProvider
) -> None:
    provider.answer = by_length
    long, short = write(alice, "A very long sentence " * 5), write(alice, "Short")
    embed_all(notifier)
    for question, best in (("x", short), ("x" * 300, long)):
        found = alice.get("/api/v1/search", query_string={"q": question, "mode": "meaning"}).json["results"]
        assert found[0]["recording"]["id"] == best
        assert len(found) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(hang=True),
        Reply(status=500),
        Reply(body=b'{"data": [{"embedding": [NaN]}]}'),
        json_reply({"data": []}),
    ],
    ids=["hangs", "is broken", "answers nonsense", "answers nothing"],
)
def test_a_failing_provider_delays_no_search_for_long(
    alice: Person,
    notifier: MemoryJobNotifier,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    reply: Reply,
) -> None:
    monkeypatch.setattr(nearest_passages, "QUESTION_SECONDS", 0.2)
    provider.answers(reply)
    recording = write(alice, "The dog")
    answer = alice.get("/api/v1/search?q=dog&mode=hybrid").json
    assert answer["mode_used"] == "words"
    assert [result["recording"]["id"] for result in answer["results"]] == [recording]
    refused = alice.get("/api/v1/search?q=dog&mode=meaning")
    assert (refused.status_code, refused.json["code"]) == (503, "embedding_model_unavailable")
    assert "secret" not in refused.text
    assert len(provider.requests) == 1

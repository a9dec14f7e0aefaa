"""Temperature and length of answers, for models that take them and for those that refuse them."""

from __future__ import annotations

import pytest

from speakr.connectors.language.base import ChatRequest, LanguageConnector, Sampling
from speakr.domain.statements import NumberedLine, Usage
from tests.connectors.chat_server import MakeSettings, chat_reply, connector_for
from tests.connectors.fake_provider import FakeProvider, error_reply


@pytest.fixture
def connector(provider: FakeProvider, settings_with: MakeSettings) -> LanguageConnector:
    return connector_for(provider, settings_with)


def question(**sampling: float) -> ChatRequest:
    lines = [NumberedLine("Alice", "When will it arrive?", 0.0), NumberedLine("Bob", "In March.", 2.0)]
    return ChatRequest(lines=lines, question="When does it arrive?", sampling=Sampling(**sampling))


def test_temperature_and_max_tokens_are_sent_only_if_asked_for(
    connector: LanguageConnector, provider: FakeProvider
) -> None:
    for asked in (question(), question(temperature=0.2, max_tokens=9_000)):
        provider.answers(chat_reply("In March [2]."))
        connector.chat(asked)
    plain, limited = [request.json for request in provider.requests]
    assert not {"temperature", "max_tokens"} & set(plain)
    assert (limited["temperature"], limited["max_tokens"]) == (0.2, 2000)


def test_an_answer_that_stops_at_max_tokens_is_kept(
    connector: LanguageConnector, provider: FakeProvider
) -> None:
    provider.answers(chat_reply("It will arrive", "length"))
    assert connector.chat(question(max_tokens=3)).text == "It will arrive"


def test_a_model_that_refuses_them_is_asked_without_them_from_then_on(
    connector: LanguageConnector, provider: FakeProvider
) -> None:
    provider.answer = lambda request: (
        error_reply(400) if "temperature" in request.json else chat_reply("In March [2].")
    )
    for _ in range(2):
        assert connector.chat(question(temperature=0.2)).usage == Usage(100, 7)
    assert ["temperature" in request.json for request in provider.requests] == [True, False, False]

"""The tokens that a failed chain of requests has used until it failed: the provider charges for those too."""

from __future__ import annotations

import pytest

from speakr.connectors.language.base import ChatRequest, IdentifyRequest, SummaryRequest
from speakr.domain.errors import JobError
from speakr.domain.statements import NumberedLine
from tests.connectors.chat_server import MakeSettings, chat_reply, connector_for
from tests.connectors.fake_provider import FakeProvider, error_reply

LINES = [
    NumberedLine("SPEAKER_00", f"Sentence number {at} about the budget of the year.", at * 5.0)
    for at in range(400)
]
REPLY_TOKENS = 107


@pytest.mark.parametrize("failure", [error_reply(500), error_reply(401)], ids=["passing", "for good"])
@pytest.mark.parametrize("task", ["summarize", "chat"])
def test_parts_that_were_answered_before_the_failure(
    provider: FakeProvider, settings_with: MakeSettings, task: str, failure
):
    provider.answer = lambda _request: chat_reply("- a note") if len(provider.requests) < 3 else failure
    connector = connector_for(provider, settings_with, llm_context_tokens=4096)
    with pytest.raises(JobError) as raised:
        if task == "chat":
            connector.chat(ChatRequest(lines=LINES, question="What of the budget?"))
        else:
            connector.summarize(SummaryRequest(lines=LINES))
    assert len(provider.requests) == 3
    assert raised.value.tokens_spent == 2 * REPLY_TOKENS


@pytest.mark.parametrize("task", ["write_title", "identify_speakers"])
def test_an_answer_that_is_of_no_use_costs_as_much(
    provider: FakeProvider, settings_with: MakeSettings, task: str
):
    provider.answers(chat_reply("", refusal="I would rather not."))
    request = (
        SummaryRequest(lines=LINES[:3])
        if task == "write_title"
        else IdentifyRequest(lines=LINES[:3], labels=["SPEAKER_00"])
    )
    with pytest.raises(JobError) as raised:
        getattr(connector_for(provider, settings_with), task)(request)
    assert raised.value.tokens_spent == REPLY_TOKENS


def test_a_provider_that_never_answered_costs_nothing(provider: FakeProvider, settings_with: MakeSettings):
    provider.answers(error_reply(503))
    with pytest.raises(JobError) as raised:
        connector_for(provider, settings_with).summarize(SummaryRequest(lines=LINES[:3]))
    assert raised.value.tokens_spent == 0

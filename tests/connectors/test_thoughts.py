"""Thoughts of reasoning models: they are never the summary, the title or the answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import pytest

from speakr.connectors.language import thoughts
from speakr.connectors.language.base import SummaryRequest
from speakr.domain.errors import ConnectorRejected, ConnectorUnavailable
from speakr.domain.statements import NumberedLine
from speakr.settings import Settings
from tests.connectors.chat_server import chat_reply, connector_for
from tests.connectors.fake_provider import FakeProvider

THOUGHT = "Okay, the user wants a summary.\nLet me think. ```unclosed code"
ANSWER = "# Plan\n\nThe team met."
REQUEST = SummaryRequest(lines=[NumberedLine("SPEAKER_00", "Hello.", 0.0)])


@pytest.mark.parametrize(
    "text",
    [
        ANSWER,
        f"<think>{THOUGHT}</think>{ANSWER}",
        f"{THOUGHT}\n</think>\n\n{ANSWER}".replace("```", ""),
        f"<thinking>\n{THOUGHT}\n</thinking>\n{ANSWER}",
        f"<THINK>{THOUGHT}</THINK>{ANSWER}",
        f"<reasoning>{THOUGHT}</reasoning>\n{ANSWER}",
        f"[THINK]{THOUGHT}[/THINK]{ANSWER}",
        f"◁think▷{THOUGHT}◁/think▷{ANSWER}",
        f"<seed:think>{THOUGHT}</seed:think>{ANSWER}",
        f"<|begin_of_thought|>{THOUGHT}<|end_of_thought|>\n<|begin_of_solution|>{ANSWER}<|end_of_solution|>",
        f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{ANSWER}<|return|>",
        f"<|start|>assistant<|channel|>final<|message|>{ANSWER}",
        f"analysisWe need to {THOUGHT}assistantfinal{ANSWER}",
        f"<think>one</think>\n<think>two</think>{ANSWER}",
        f"<think>one <think>two</think> three</think>{ANSWER}",
        f"<think>I must close with `</think>` at the end.</think>{ANSWER}",
        f"<think></think>\n\n{ANSWER}",
        f"one</think>two</think>{ANSWER}",
        "# Plan\n\n<think>And now?</think>\n\nThe team met.",
    ],
)
def test_only_the_answer_is_left(text: str) -> None:
    assert thoughts.answer_in(text) == ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        "The model writes `<think>` and `</think>` around its thoughts.",
        "They discussed this:\n\n```\n<think>x</think>\nanswer\n```\n\nand agreed.",
        'It ends with "</think>".',
        "Use `</think>` alone.",
        "They think [thinking] is good.",
        "analysis of the quarter: fine.",
    ],
)
def test_tags_that_an_answer_quotes_stay(answer: str) -> None:
    assert thoughts.answer_in(answer) == answer
    assert thoughts.answer_in(f"<think>hm</think>{answer}") == answer


@pytest.mark.parametrize(
    "text",
    [
        "<think>and on",
        "[THINK]and on",
        "<thinking>",
        "<|channel|>analysis<|message|>and on",
        "<think>a <think>b",
    ],
)
def test_a_thought_without_an_end_is_no_answer(text: str) -> None:
    with pytest.raises(thoughts.Unfinished):
        thoughts.answer_in(text)


@pytest.mark.parametrize(
    "content", [None, 5, {}, [], [None, 5, {"type": "image"}, {"type": "text", "text": None}]]
)
def test_content_without_a_text_is_none(content: object) -> None:
    assert thoughts.text_of(content) == ""


@pytest.mark.parametrize(
    "piece", ["<think>", "</think>", "`</think>`", "<think></think>", "\n<think>a</think>\nb", "<|channel|>"]
)
def test_hostile_texts_are_read_in_bounded_time(piece: str) -> None:
    began = time.monotonic()
    for text in (piece * 5_000, "x" + piece * 5_000):
        with contextlib.suppress(thoughts.Unfinished):
            thoughts.answer_in(text)
    assert time.monotonic() - began < 10


def test_parts_of_a_message_that_are_thoughts_are_left_out(
    provider: FakeProvider, settings_with: Callable[..., Settings]
) -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
        {"type": "reasoning", "text": THOUGHT},
        {"type": "text", "text": "# Plan\n\n"},
        {"type": "text", "text": "The team met."},
    ]
    provider.answers(chat_reply(parts, reasoning_content=THOUGHT, reasoning=THOUGHT))
    assert connector_for(provider, settings_with).summarize(REQUEST).markdown == ANSWER


def test_summaries_and_titles_have_no_thoughts(
    provider: FakeProvider, settings_with: Callable[..., Settings]
) -> None:
    connector = connector_for(provider, settings_with)
    provider.answers(chat_reply("Okay, the user wants a title.\n</think>\n\nThe plan"))
    assert connector.summarize(REQUEST).markdown == "The plan"
    assert connector.write_title(REQUEST).text == "The plan"


def test_a_model_that_only_thinks_is_reported_as_that(
    provider: FakeProvider, settings_with: Callable[..., Settings]
) -> None:
    connector = connector_for(provider, settings_with)
    provider.answers(chat_reply("<think>and on"))
    with pytest.raises(ConnectorUnavailable, match="thoughts of the model and no answer"):
        connector.summarize(REQUEST)
    provider.answers(chat_reply("<think>and on", "length"))
    with pytest.raises(ConnectorRejected, match="middle of its answer"):
        connector.write_title(REQUEST)

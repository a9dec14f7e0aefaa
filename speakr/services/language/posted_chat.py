"""Questions about a posted text, which is not kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speakr.connectors.language.base import ChatRequest, Sampling
from speakr.db import db, release, unit_of_work
from speakr.domain.conversation import ChatMessage
from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.statements import NumberedLine, Usage
from speakr.models import User
from speakr.services.accounts import budgets, usage, users
from speakr.services.language import language_model


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedAnswer:
    """An answer in Markdown. engine: what wrote it; usage: zero for engines without tokens."""

    text: str
    engine: str
    usage: Usage


def ask(
    actor: Actor,
    lines: Sequence[NumberedLine],
    question: str,
    history: Sequence[ChatMessage] = (),
    *,
    notes: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
) -> PostedAnswer:
    """Answer a question about a text. Opens its own unit of work after the answer.

    notes: what the asker says of the text and of the answer, besides the conversation. temperature, max_tokens: for engines
    with a model; None leaves them to it.

    Raises:
        Invalid: there is no question, or no text to answer from (`no_text`).
        Forbidden: the budget of tokens is used up.
        LanguageModelUnavailable: the engine failed.

    """
    if not question.strip():
        raise Invalid("message is required", errors={"message": ["is required"]})
    if not lines:
        raise Invalid("There is no text to answer from.", code="no_text")
    owner = db.session.get_one(User, actor.user_id)
    request = ChatRequest(
        lines=lines,
        question=question,
        history=history,
        language=users.preferences(owner)["output_language"],
        notes=notes,
        sampling=Sampling(temperature=temperature, max_tokens=max_tokens),
    )
    if language_model.spends_tokens():
        budgets.admit_question(actor.user_id)
    release()
    answer = language_model.ask(
        actor.user_id, lambda engine: engine.chat(request), or_say="Chat service not available"
    )
    with unit_of_work():
        usage.add(actor.user_id, tokens=answer.usage.total)
    return PostedAnswer(text=answer.text, engine=answer.engine, usage=answer.usage)

"""Prompts for questions about recordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speakr.connectors.language.citations import strip_citations
from speakr.connectors.language.map_reduce import Stage, estimate_tokens
from speakr.connectors.language.prompts import Messages, fenced_messages
from speakr.connectors.language.titles import shorten
from speakr.domain.conversation import ChatMessage, Role

MAX_EARLIER_QUESTIONS = 3
MAX_EARLIER_QUESTION_LENGTH = 500

NOTHING_FOUND = frozenset({"-", "–", "—", "-."})  # noqa: RUF001 - some models answer with a longer hyphen
"""How a model says that a part holds nothing about the question."""

_ROLE = "You answer questions about one recording for people who rely on the answers."
_ROLE_OF_MANY = "You answer questions about somebody's recordings for people who rely on the answers."
_READ = "I have read the material."
"""Some models require alternating roles, so there is a turn between the material and the question."""

_ANSWER_RULES = (
    "Answer the user's last message in Markdown, as short as it allows. If the material does not hold the answer, "
    "say so plainly and do not guess. Each line of a transcript begins with its number in square brackets. After "
    "each statement, cite the lines it rests on by their numbers in square brackets, like [12] or [12][15], "
    "and nothing else in square brackets."
)
_NOTE_RULES = (
    "Keep with every statement the numbers of the lines it rests on, in square brackets, as they stand. Do not "
    "answer the question yet."
)
_TASKS: Mapping[Stage, str] = {
    Stage.WHOLE: f"The material is the transcript of the recording. {_ANSWER_RULES}",
    Stage.PART: (
        "The material is one part of a longer transcript; each line begins with its number in square brackets. "
        "Collect as compact Markdown bullets, in order, what in this part bears on the question: statements, who "
        f"made them, names, numbers, dates. {_NOTE_RULES} If nothing in this part bears on it, answer with "
        "nothing but a hyphen."
    ),
    Stage.CONDENSE: (
        "The material are notes on consecutive parts of a transcript, taken to answer the question. Merge them into "
        f"shorter notes, in order, without repetitions and without what does not bear on the question. {_NOTE_RULES}"
    ),
    Stage.MERGE: (
        "The material are notes on all parts of one transcript, taken to answer the user's last message; the numbers "
        f"in square brackets are those of the transcript's lines. {_ANSWER_RULES} Do not mention the notes."
    ),
}
_TASKS_OF_MANY: Mapping[Stage, str] = {
    **_TASKS,
    Stage.WHOLE: (
        "The material are passages out of the transcripts of several recordings, not whole ones; behind each "
        f"speaker stand the recording's title and date. Say which recording a statement is from. {_ANSWER_RULES}"
    ),
    Stage.MERGE: (
        "The material are notes on passages out of several recordings, taken to answer the user's last message; the "
        f"numbers in square brackets are those of the passages' lines. {_ANSWER_RULES} Do not mention the notes."
    ),
}


def question_messages(
    stage: Stage,
    text: str,
    *,
    question: str,
    history: Sequence[ChatMessage],
    language: str | None,
    is_of_many: bool = False,
) -> Messages:
    """Return the messages for one step towards an answer, out of one recording or of many."""
    writes_answer = stage in {Stage.WHOLE, Stage.MERGE}
    tasks, role = (_TASKS_OF_MANY, _ROLE_OF_MANY) if is_of_many else (_TASKS, _ROLE)
    task = [tasks[stage], *([_language_rule(language)] if writes_answer else [])]
    messages = [*fenced_messages(role, task, text), {"role": Role.ASSISTANT.value, "content": _READ}]
    if not writes_answer:
        return [*messages, {"role": Role.USER.value, "content": _ask_for_notes(question, history)}]
    for turn in (*history, ChatMessage(Role.USER, question)):
        _add(messages, turn)
    return messages


def newest_that_fit(history: Sequence[ChatMessage], room_tokens: int) -> list[ChatMessage]:
    """Return the newest turns that together fit `room_tokens`, oldest first."""
    kept: list[ChatMessage] = []
    for turn in reversed(history):
        room_tokens -= estimate_tokens(turn.text)
        if room_tokens < 0:
            break
        kept.append(turn)
    return kept[::-1]


def _add(messages: Messages, turn: ChatMessage) -> None:
    """Append a turn, to the last message if the same side wrote that too: the sides take turns."""
    content = strip_citations(turn.text) if turn.role is Role.ASSISTANT else turn.text
    if not content.strip():
        return
    if messages[-1]["role"] == turn.role.value:
        messages[-1] = {"role": turn.role.value, "content": f"{messages[-1]['content']}\n\n{content}"}
    else:
        messages.append({"role": turn.role.value, "content": content})


def _ask_for_notes(question: str, history: Sequence[ChatMessage]) -> str:
    earlier = [turn.text for turn in history if turn.role is Role.USER][-MAX_EARLIER_QUESTIONS:]
    texts = [f"Take notes on this question:\n{question}"]
    if earlier:
        listed = "\n".join(f"- {shorten(text, MAX_EARLIER_QUESTION_LENGTH)}" for text in earlier)
        texts.append(f"It follows these earlier ones:\n{listed}")
    return "\n\n".join(texts)


def _language_rule(language: str | None) -> str:
    if language:
        return f"Answer in the language with the ISO 639-1 code «{language}», whatever language the material is in."
    return "Answer in the language of the user's last message."

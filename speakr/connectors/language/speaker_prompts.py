"""Prompts that identify speakers, and the parser of the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from speakr.connectors.language.lines import one_line
from speakr.connectors.language.prompts import EXCERPT_NOTE, Messages, fenced_messages

MAX_KNOWN_NAMES = 100

_ROLE = "You find out from transcripts of recordings who is speaking."
_TASK = (
    "The material lists the labels that stand for speakers, the names of people who may be among them, and the "
    "transcript. Find the name of the person behind each label: from introductions, from how the others address "
    "them and who answers, from what they say about themselves. A name that is only talked about is no evidence. "
    "Answer with one JSON object and nothing else: each label as a key, and as its value the name, spelt as in the "
    "material, or null where the material does not tell for certain. Never make up a name and never use a role "
    "or a label as one."
)

_PAIR = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:\s*(?:"((?:[^"\\]|\\.)*)"|null)')


def speaker_messages(
    texts: Sequence[str], *, labels: Sequence[str], known_names: Sequence[str], is_excerpt: bool
) -> Messages:
    """Return the messages that ask for names. Labels and names are material as well: people may have written them."""
    head = ["Labels: " + json.dumps([one_line(label) for label in labels], ensure_ascii=False)]
    if known_names:
        names = [one_line(name) for name in known_names[:MAX_KNOWN_NAMES]]
        head.append("People who may be among them: " + json.dumps(names, ensure_ascii=False))
    task = [_TASK, *([EXCERPT_NOTE] if is_excerpt else [])]
    return fenced_messages(_ROLE, task, "\n".join([*head, "", *texts]))


def read_names(answer: str, labels: Sequence[str]) -> dict[str, str | None]:
    """Return what an answer says of each label; of those it does not mention, or not understandably, None."""
    said = {one_line(key).casefold(): name for key, name in _pairs(answer)}
    return {label: said.get(one_line(label).casefold()) for label in labels}


def _pairs(answer: str) -> list[tuple[str, str | None]]:
    """Read the object in an answer; where that is broken JSON, the pairs that can be read in it."""
    begin, end = answer.find("{"), answer.rfind("}")
    try:
        return list(_flatten(json.loads(answer[begin : end + 1])))
    except (ValueError, RecursionError):
        return [(key, name or None) for key, name in _PAIR.findall(answer)]


def _flatten(said: Any) -> list[tuple[str, str | None]]:
    """Return the pairs of an object, also of one wrapped in another as `{"speakers": {...}}`."""
    if not isinstance(said, Mapping):
        return []
    pairs: list[tuple[str, str | None]] = []
    for key, value in said.items():
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            pairs.append((key, value["name"]))
        elif isinstance(value, Mapping):
            pairs += _flatten(value)
        else:
            pairs.append((key, value if isinstance(value, str) else None))
    return pairs

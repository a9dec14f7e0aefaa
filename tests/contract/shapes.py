"""Comparing an answer with a documented example: the same keys, the same types, null only where documented."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOMENT = "2024-01-15T10:00:00Z"
"""Stands for any time: UTC, in seconds, with a final Z."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class Maybe:
    """What is documented to be null at times."""

    example: Any


@dataclass(frozen=True)
class Each:
    """An object with arbitrary keys."""

    example: Any


@dataclass(frozen=True)
class OneOf:
    """One of the documented words, and nothing else."""

    words: tuple[str, ...]


STATUS = OneOf(("PENDING", "PROCESSING", "SUMMARIZING", "COMPLETED", "FAILED"))


def unlike(example: Any, answer: Any, path: str = "answer") -> list[str]:
    """Return how a response differs from the example. Additional keys are fine."""
    if isinstance(example, Maybe):
        return [] if answer is None else unlike(example.example, answer, path)
    if answer is None:
        return [] if example is None else [f"{path} is null"]
    return _unlike_something(example, answer, path)


def _unlike_something(example: Any, answer: Any, path: str) -> list[str]:
    if isinstance(example, OneOf):
        return [] if answer in example.words else [f"{path} is {answer!r}"]
    if isinstance(example, Each):
        return _unlike_object(dict.fromkeys(answer, example.example), answer, path)
    if isinstance(example, Mapping):
        return _unlike_object(example, answer, path)
    if isinstance(example, list):
        return _unlike_list(example, answer, path)
    return _unlike_value(example, answer, path)


def _unlike_object(example: Mapping[str, Any], answer: Any, path: str) -> list[str]:
    if not isinstance(answer, dict):
        return [f"{path} is no object but {answer!r}"]
    missing = [f"{path}.{key} is missing" for key in example if key not in answer]
    return missing + [
        problem
        for key, value in example.items()
        if key in answer
        for problem in unlike(value, answer[key], f"{path}.{key}")
    ]


def _unlike_list(example: list[Any], answer: Any, path: str) -> list[str]:
    if not isinstance(answer, list):
        return [f"{path} is no list but {answer!r}"]
    if example and not answer:
        return [f"{path} is empty, so nothing of it is checked"]
    return [
        problem
        for number, item in enumerate(answer)
        if example
        for problem in unlike(example[0], item, f"{path}[{number}]")
    ]


def _unlike_value(example: Any, answer: Any, path: str) -> list[str]:
    wanted: type | tuple[type, ...] = (int, float) if isinstance(example, float) else type(example)
    if not isinstance(answer, wanted) or (isinstance(answer, bool) and not isinstance(example, bool)):
        return [f"{path} is {answer!r}, not {type(example).__name__}"]
    if example == MOMENT and not _MOMENT.fullmatch(answer):
        return [f"{path} is no time in UTC: {answer!r}"]
    return []


ERROR = {"error": "a sentence", "code": "a_word", "request_id": "an id"}


_ID = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")


def filled(node: Any, ids: Mapping[str, Any]) -> Any:
    """Put ids where `"{name}"` stands, in paths and bodies; `{{name}}` belongs to templates."""
    if isinstance(node, str):
        alone = _ID.fullmatch(node)
        return ids[alone[1]] if alone else _ID.sub(lambda found: str(ids[found[1]]), node)
    if isinstance(node, dict):
        return {filled_key(key, ids): filled(value, ids) for key, value in node.items()}
    if isinstance(node, list):
        return [filled(value, ids) for value in node]
    return node


def filled_key(key: Any, ids: Mapping[str, Any]) -> Any:
    """Put ids into a key; numbers are text there."""
    return str(filled(key, ids)) if isinstance(key, str) else key

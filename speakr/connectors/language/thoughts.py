"""Separate the answer of a reasoning model from its thoughts, in whatever form its server leaves them in the text.

The rule: only thoughts that lead the answer, or stand on lines of their own between its paragraphs, are removed. A closing
tag without an opening one ends a thought that began in the prompt. Tags in Markdown code or between quotes belong to the answer.
A thought without an end is no answer. Fields beside the text (`reasoning_content`) are not read at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from speakr.domain import markdown_code

_NAMES = (
    r"(?:think|thinking|thought|thoughts|reasoning|reflection|seed:think|begin_of_thought|end_of_thought)"
)
_OPENING = re.compile(rf"<(?!/)\|?{_NAMES}\|?>|\[{_NAMES}\]|◁{_NAMES}▷", re.IGNORECASE)
_CLOSING = re.compile(rf"</{_NAMES}>|\[/{_NAMES}\]|◁/{_NAMES}▷|<\|end_of_thought\|>", re.IGNORECASE)
_ENDS_THOUGHT = "<|end_of_thought|>"
_SOLUTION = re.compile(r"<\|(?:begin|end)_of_solution\|>")
_QUOTES = "`\"'“”«»"
_PARAGRAPH = re.compile(r"\n[ \t]*\Z")

_CHANNEL = "<|channel|>"
_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,100}<\|message\|>")
_MESSAGE_END = re.compile(r"<\|(?:end|return|start|call|channel)\|>")
_BARE_CHANNELS = re.compile(r"\Aanalysis(?=[A-Z\"“\s]).*?assistantfinal", re.DOTALL)
"""The same channels by a server that drops the special tokens."""

_TEXT_TYPES: Final = frozenset({"text", "output_text"})
_MAX_THOUGHTS = 20


class Unfinished(Exception):
    """There are thoughts only: the model was cut off, or forgot to answer."""


def text_of(content: object) -> str:
    """Return the text of a message, also if it is a list of parts; parts that are thoughts are left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(map(_text_of_part, content))


def answer_in(text: str) -> str:
    """Return a text without the thoughts in it.

    Raises:
        Unfinished: nothing else is in it.

    """
    text = text.strip()
    if _CHANNEL in text[:2_000]:
        return _final_message(text)
    text = _BARE_CHANNELS.sub("", text, count=1)
    for _ in range(_MAX_THOUGHTS):
        shorter = _without_first_thought(text)
        if shorter is None:
            break
        text = shorter.strip()
    return _SOLUTION.sub("", text).strip()


def _text_of_part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping) or part.get("type", "text") not in _TEXT_TYPES:
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def _final_message(text: str) -> str:
    finals = list(_FINAL.finditer(text))
    if not finals:
        raise Unfinished
    answer = text[finals[-1].end() :]
    end = _MESSAGE_END.search(answer)
    return (answer if end is None else answer[: end.start()]).strip()


def _without_first_thought(text: str) -> str | None:
    """Return the text without its first thought; None if there is none."""
    if (leading := _opening(text, 0)) is not None:
        end = _closing(text, leading.end())
        if end is None:
            raise Unfinished
        return text[end:]
    if _CLOSING.search(text) is None:
        return None
    code = markdown_code.ranges(text)

    def is_quoted(match: re.Match[str]) -> bool:
        return _is_quoted(text, match) or any(start <= match.start() < end for start, end in code)

    closing = next((match for match in _CLOSING.finditer(text) if not is_quoted(match)), None)
    if closing is None:
        return None
    opening = next(
        (match for match in _OPENING.finditer(text, 0, closing.start()) if not is_quoted(match)), None
    )
    if opening is None or opening.group().casefold() == _ENDS_THOUGHT:
        return text[closing.end() :]
    if _PARAGRAPH.search(text, 0, opening.start()) is None:
        return None
    end = _closing(text, opening.end())
    return None if end is None else f"{text[: opening.start()].rstrip()}\n\n{text[end:].lstrip()}"


def _opening(text: str, at: int) -> re.Match[str] | None:
    found = _OPENING.match(text, at)
    return None if found is None or found.group().casefold() == _ENDS_THOUGHT else found


def _closing(text: str, at: int) -> int | None:
    """Return where the thought ends that is open at a position; thoughts may contain thoughts."""
    depth = 1
    tags = [(match, 1) for match in _OPENING.finditer(text, at) if match.group().casefold() != _ENDS_THOUGHT]
    tags += [(match, -1) for match in _CLOSING.finditer(text, at)]
    last = None
    for match, change in sorted(tags, key=lambda tag: tag[0].start()):
        if _is_quoted(text, match):
            continue
        depth += change
        last = match.end() if change < 0 else last
        if depth == 0:
            return match.end()
    return last  # more were opened than closed: a thought that mentions a tag


def _is_quoted(text: str, tag: re.Match[str]) -> bool:
    before, after = text[tag.start() - 1 : tag.start()], text[tag.end() : tag.end() + 1]
    return bool(before and after) and before in _QUOTES and after in _QUOTES

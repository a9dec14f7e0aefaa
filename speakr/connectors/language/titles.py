"""Input and clean-up of generated titles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speakr.connectors.language.lines import one_line
from speakr.connectors.language.map_reduce import pack

MAX_TITLE_LENGTH = 120

_LABEL = re.compile(r"^(?:title|titel|titre|título|titolo)\s*:\s*", re.IGNORECASE)
_MARKUP = re.compile(r"^[#>*\-+\s]+|[*_`]+(?=\s|$|[.,:;!?])|(?<!\w)[*_`]+")
_QUOTES = "\"'“”„‟‘’‚«»‹›「」『』"  # noqa: RUF001 - quotation marks of many languages


def clean_title(proposal: str) -> str:
    """Return the first line without label, Markdown and quotes, at most 120 characters, cut between words."""
    first_line = next((line for line in proposal.splitlines() if line.strip(" #*_`-")), "")
    title = _MARKUP.sub("", one_line(first_line))
    title = _LABEL.sub("", title).strip()
    if _is_quoted(title):
        title = title[1:-1].strip()
    title = title.removesuffix(".") if title.count(".") == 1 else title
    return shorten(title, MAX_TITLE_LENGTH)


def _is_quoted(title: str) -> bool:
    """Tell whether one pair of quotation marks holds the whole title."""
    return (
        len(title) > 1
        and title[0] in _QUOTES
        and title[-1] in _QUOTES
        and not {title[0], title[-1]} & set(title[1:-1])
    )


def shorten(text: str, longest: int) -> str:
    """Cut a text between words, marked by an ellipsis, so that it has no more than `longest` characters."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    if not text[longest - 1].isspace() and " " in head:
        head = head.rsplit(" ", maxsplit=1)[0]
    return head.rstrip(" ,;:-") + "…"


def take_excerpt(texts: Sequence[str], room_tokens: int) -> list[str]:
    """Return all texts if they fit, else as many as fit from the beginning, the middle and the end."""
    if len(pack(texts, room_tokens)) == 1:
        return list(texts)
    thirds = pack(texts, room_tokens // 3)
    pieces = [piece for part in thirds for piece in part]
    end = pack(pieces[::-1], room_tokens // 3)[0][::-1]
    return [*thirds[0], *thirds[len(thirds) // 2], *end]

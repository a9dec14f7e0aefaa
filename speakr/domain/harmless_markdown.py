"""Make the Markdown of models harmless for viewers that follow CommonMark, and keep it readable.

A model repeats what was said or written, so its text may try to load an image, which tells a stranger who reads it, or to
run a script. Images become text, links keep their target only if it is a web or mail address, and HTML tags become text.
Code stays as it is. The number of lines stays the same, because sources are kept by line.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from itertools import islice

from speakr.domain import markdown_code

ALLOWED_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
MAX_EXAMINED = 2_000
"""Targets that are examined in a text. All further links become text."""

_RUNNABLE = frozenset(
    {
        "javascript",
        "vbscript",
        "livescript",
        "mocha",
        "data",
        "file",
        "blob",
        "filesystem",
        "about",
        "jar",
        "intent",
    }
)
_TARGET = r"[^()\n]*+(?:\([^()\n]*+\)[^()\n]*+)*+"
_IMAGE = re.compile(rf"!\[([^\[\]\n]*+)\]\({_TARGET}\)")
_OTHER_IMAGE_START = re.compile(r"!\[(?!(?<=[\w#]!\[)[^\[\]\n]*+\](?![\[(:]))")
"""All but the exclamation mark in `wow![1]`, which is an image only if the text defines what `[1]` is."""
_LINK = re.compile(rf"\({_TARGET}\)")
_DEFINITION = re.compile(r"\]:(?=[ \t]*+\n?[ \t]*+(?:<|[^ \t\n:&\\]*+[:&\\]))")
"""Definitions of links whose target may have a scheme."""
_AUTOLINK = re.compile(r"""(?<![A-Za-z0-9+.-])<(https?://[^\s<>"'`\[\]!\\]+)>""")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_BLANK = re.compile(r"\s*")
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_FIRST_WORD = re.compile(r"[^ \t\r\n]*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):.")
_UNFINISHED = re.compile(r"[A-Za-z0-9+.-]*+(?:&[#\w]*)?\\?")
_HOST_AND_PORT = re.compile(
    r"(?:localhost|(?:[a-z0-9-]+\.)+[a-z0-9-]+):[0-9]{1,5}(?:[/?#].*)?", re.IGNORECASE
)
_PROSE = re.compile(r"([A-Za-z]+):\w[\w.,;!'-]*")
"""`[12:30]: Note:Yes` is a line of minutes."""
_MAX_TARGET = 100
"""Characters of a target that are examined. Without an end before, it must not begin with a long scheme."""
_AFTER_COLON = 40
_MAX_TAGS = 100_000
"""Above, every `<` gets a space, because that is faster."""
_NO_FENCES = {ord("`"): None, ord("~"): None}


def harmless(markdown: str, *, is_defined_elsewhere: bool = False, has_code: bool = True) -> str:
    """Return Markdown without images, HTML tags and targets of links other than `ALLOWED_SCHEMES`.

    `is_defined_elsewhere`: the text becomes a part of a document that may define what `![1]` is. `has_code=False`: what looks
    like code is cleaned, too.
    """
    is_defined = is_defined_elsewhere or "]:" in markdown
    if not has_code:
        return _cleaned(markdown, is_defined=is_defined)
    parts: list[str] = []
    position = 0
    budget = MAX_EXAMINED
    for start, end in markdown_code.ranges(markdown):
        parts += (
            _cleaned(markdown[position:start], is_defined=is_defined, budget=budget),
            markdown[start:end],
        )
        budget = max(
            0, budget - markdown.count("](", position, start) - markdown.count("]:", position, start)
        )
        position = end
    parts.append(_cleaned(markdown[position:], is_defined=is_defined, budget=budget))
    return "".join(parts)


def _cleaned(text: str, *, is_defined: bool, budget: int = MAX_EXAMINED) -> str:
    if "![" in text:
        text = _without_images(text, budget, is_defined=is_defined)
    if "](" in text:
        text = _without_bad_links(text, budget)
    if "]:" in text:
        text = _without_bad_definitions(text, budget)
    if "<" in text:
        text = _AUTOLINK.sub(r"\1", text, count=budget) if budget and "<http" in text else text
        text = text.replace("<", "< ") if text.count("<") > _MAX_TAGS else _TAG.sub("< ", text)
    return text


def _without_images(text: str, budget: int, *, is_defined: bool) -> str:
    if budget:
        # What viewers take for code must not change, so no fence may appear.
        text = _IMAGE.sub(lambda match: match[1].translate(_NO_FENCES).strip() or "image", text, count=budget)
    if is_defined or text.count("![") > budget:
        return text.replace("![", "! [")
    return _OTHER_IMAGE_START.sub("! [", text)


def _without_bad_links(text: str, budget: int) -> str:
    """Drop targets that are not allowed. Where a target may span lines, a space before it makes it no link."""
    parts: list[str] = []
    position = 0
    for _ in range(budget):
        start = text.find("](", position)
        if start < 0:
            break
        parts.append(text[position : start + 1])
        position = start + 1
        if _is_bad(text, start + 2):
            target = _LINK.match(text, position)
            if target is not None:
                position = target.end()
            if text.startswith(("(", ":"), position):  # else they would begin a new target or definition
                parts.append(" ")
    rest = text[position:]
    return "".join(parts) + (rest.replace("](", "] (") if rest else "")


def _without_bad_definitions(text: str, budget: int) -> str:
    parts: list[str] = []
    position = 0
    for match in islice(_DEFINITION.finditer(text), budget):
        is_bad = _is_bad(text, match.end(), is_prose=_is_prose)
        parts += (text[position : match.start()], "] :" if is_bad else "]:")
        position = match.end()
    rest = text[position:]
    return "".join(parts) + (rest.replace("]:", "] :") if len(parts) >= 2 * budget else rest)


def _is_prose(target: str) -> bool:
    prose = _PROSE.fullmatch(target)
    return prose is not None and prose[1].lower() not in _RUNNABLE


def _is_bad(text: str, start: int, *, is_prose: Callable[[str], bool] = lambda _: False) -> bool:
    """Tell whether the target here has a scheme that is not allowed, in whatever spelling viewers decode."""
    blank = _BLANK.match(text, start)
    start = start if blank is None else blank.end()
    target = text[start : start + _MAX_TARGET]
    is_cut = len(text) > start + _MAX_TARGET
    if target.startswith("<"):
        target, ends, _ = target[1:].partition(">")
        is_cut = is_cut and not ends
    else:
        word = _FIRST_WORD.match(target)
        first = "" if word is None else word[0]
        is_cut, target = is_cut and len(first) == len(target), first
    colon = target.find(":")
    if colon >= 0:
        target = target[: colon + _AFTER_COLON]
    decoded = _INVISIBLE.sub("", html.unescape(_ESCAPED.sub(r"\1", target)))
    scheme = _SCHEME.match(decoded)
    if scheme is None:
        return is_cut and colon < 0 and _UNFINISHED.fullmatch(decoded) is not None
    if scheme[1].lower() in ALLOWED_SCHEMES or is_prose(decoded):
        return False
    return _HOST_AND_PORT.match(decoded.partition(")")[0]) is None

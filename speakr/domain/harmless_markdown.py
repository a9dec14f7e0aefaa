"""Make the Markdown of models harmless for any viewer, and keep it readable.

A model repeats what was said or written, so its text may try to load an image, which tells a stranger who reads it, or to
run a script. Images become text, links keep their target only if it is a web or mail address, and HTML tags become text.
The number of lines stays the same, because sources are kept by line.
"""

from __future__ import annotations

import html
import re

ALLOWED_SCHEMES = frozenset({"http", "https", "mailto", "tel"})

_TARGET = r"[^()\n]*(?:\([^()\n]*\)[^()\n]*)*"
_IMAGE = re.compile(rf"!\[([^\[\]\n]*)\]\({_TARGET}\)")
_LINK = re.compile(rf"\]\(({_TARGET})\)")
_LINK_START = re.compile(r"\]\(")
_DEFINITION_START = re.compile(r"\]:")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
"""Autolinks such as `<https://example.com>` too: browsers take them for tags, and may find attributes in the path."""
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029]")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):.")
_MAX_SCHEME_TEXT = 1_000
"""Characters of a target that are examined: long enough for a scheme in any spelling."""


def harmless(markdown: str) -> str:
    """Return Markdown without images, HTML tags and targets of links other than `ALLOWED_SCHEMES`."""
    text = markdown
    if "![" in text:
        text = _IMAGE.sub(lambda match: match[1] or "image", text).replace("![", "! [")
    if "](" in text:
        text = _LINK.sub(lambda match: "]" if _is_bad(match[1]) else match[0], text)
        # What is left may span lines: a space between text and target makes it no link.
        text = _LINK_START.sub(lambda match: "] (" if _is_bad_at(match) else match[0], text)
    if "]:" in text:
        text = _DEFINITION_START.sub(lambda match: "] :" if _is_bad_at(match) else match[0], text)
    return _TAG.sub("< ", text) if "<" in text else text


def _is_bad_at(match: re.Match[str]) -> bool:
    return _is_bad(match.string[match.end() : match.end() + _MAX_SCHEME_TEXT])


def _is_bad(target: str) -> bool:
    """Tell whether a target has a scheme that is not allowed, in whatever spelling viewers decode."""
    target = target[:_MAX_SCHEME_TEXT].lstrip()
    ends_at = ">" if target.startswith("<") else None
    target = target.removeprefix("<").partition(ends_at)[0] if ends_at else (target.split() or [""])[0]
    decoded = _INVISIBLE.sub("", html.unescape(_ESCAPED.sub(r"\1", target)))
    scheme = _SCHEME.match(decoded)
    return scheme is not None and scheme[1].lower() not in ALLOWED_SCHEMES

"""Take the citations out of a summary and keep them as evidence, line by line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from speakr.connectors.language.citations import CITATION, cited_lines
from speakr.connectors.language.evidence import MAX_SOURCES, Evidence
from speakr.connectors.language.sentences import find_words
from speakr.domain.statements import Source, Statement

_HEADING = re.compile(r"\s*(?:#{1,6}\s|\*\*[^*]+\*\*:?\s*$|[-=*_|:\s]+$)")
_MARKUP = re.compile(r"^\s*(?:[-*+>]|\d+[.)])?\s*(?:\[[ x]\]\s*)?|\*\*|__|`")
_BEFORE_STOP = re.compile(r"[ \t]+(?=[.,;:!?](?:\s|$))")


def separate(markdown: str, evidence: Evidence) -> tuple[str, dict[int, Statement]]:
    """Return the summary as people read it, and what each of its lines rests on, by its position (from 0)."""
    lines: list[str] = []
    claims: dict[int, Statement] = {}
    for written in markdown.splitlines():
        plain = _BEFORE_STOP.sub("", CITATION.sub("", written)).rstrip()
        if not plain and written.strip():
            continue  # it held nothing but citations
        if plain.strip() and not _HEADING.match(plain) and not _only_introduces(written, plain):
            claims[len(lines)] = _check(written, plain, evidence)
        lines.append(plain)
    return "\n".join(lines).strip("\n"), claims


def _only_introduces(written: str, plain: str) -> bool:
    return plain.endswith(":") and not CITATION.search(written)


def _check(written: str, plain: str, evidence: Evidence) -> Statement:
    """Check each statement of a line against what is cited behind it; the line is as good as the worst."""
    checked = [
        evidence.check_or_find(text, cited)
        for text, cited in _statements(written)
        if len(find_words(text)) > 1
    ]
    sources: dict[Source, None] = {source: None for claim in checked for source in claim.sources}
    return Statement(
        _MARKUP.sub("", plain).strip(),
        tuple(sources)[: 2 * MAX_SOURCES],
        is_verified=bool(checked) and all(claim.is_verified for claim in checked),
    )


def _statements(written: str) -> list[tuple[str, Sequence[int]]]:
    """Return the pieces of a line that end in citations, with what they cite, and what is left."""
    statements: list[tuple[str, list[int]]] = []
    at = 0
    for match in CITATION.finditer(written):
        text = _MARKUP.sub("", written[at : match.start()]).strip(" .;,")
        if text or not statements:
            statements.append((text, []))
        statements[-1][1].extend(cited_lines(match))
        at = match.end()
    rest = _MARKUP.sub("", written[at:]).strip(" .;,")
    if rest:
        statements.append((rest, []))
    return [(text, cited) for text, cited in statements if text]


def unproven(answer: str, evidence: Evidence) -> list[str]:
    """Return the statements of an answer that their citations do not bear out; all of it if it cites nothing."""
    if not CITATION.search(answer):
        return [answer.strip()] if answer.strip() else []
    return [
        text
        for written in answer.splitlines()
        for text, cited in _statements(written)
        if cited and not evidence.check(text, cited).is_verified
    ]

"""A whole corrected text brought back into the segments of a transcript, whose borders and speakers stay."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from itertools import accumulate, pairwise

from speakr.domain.sequence_diff import matches
from speakr.domain.word_alignment import Token, one_line, tokens_of


def without_prefixes(text: str, speakers: Collection[str]) -> str:
    """Return a text without `[Speaker]: ` or `Speaker: ` before its lines, as the text export writes them.

    Only names and labels of the recording's own speakers are removed: anything else before a colon is text.
    """
    names = "|".join(re.escape(name) for name in sorted(speakers, key=len, reverse=True) if name)
    if not names:
        return text
    prefix = re.compile(rf"^[ \t]*(?:\[(?:{names})\]|(?:{names})):(?=\s|$)", re.MULTILINE)
    return prefix.sub("", text)


def share_out(old: Sequence[str], text: str) -> list[str]:
    """Return what of a corrected text belongs to each segment, on one line each, or nothing.

    Words that stay lead the way. What replaces words of several segments is shared by its lines if there is one for
    each segment, else in proportion to characters. What is inserted between two segments belongs to the first, what
    follows a line break to the second.
    """
    known = [(token, at) for at, said in enumerate(old) for token in tokens_of(said)]
    tokens = tokens_of(text)
    if not known:
        return [one_line(text), *[""] * (len(old) - 1)] if old else []
    places = _places(known, tokens, text)
    parts = [""] * len(old)
    first = 0
    for number in range(1, len(tokens) + 1):
        if number == len(tokens) or places[number] != places[first]:
            if first < len(tokens):
                parts[places[first]] = one_line(text[tokens[first].start : tokens[number - 1].end])
            first = number
    return parts


def _places(known: Sequence[tuple[Token, int]], tokens: Sequence[Token], text: str) -> list[int]:
    """Return the segment of each token; the numbers ascend."""
    places: list[int] = []
    at_old = at_new = 0
    pairs = matches([token.key for token, _ in known], [token.key for token in tokens])
    for first_old, first_new in [*pairs, (len(known), len(tokens))]:
        run = tokens[at_new:first_new]
        if run and at_old < first_old:
            places += _replacing(known[at_old:first_old], run, text)
        elif run:
            before = known[at_old - 1][1] if at_old else None
            after = known[first_old][1] if first_old < len(known) else None
            since = tokens[at_new - 1].end if at_new else 0
            places += _inserted(before, after, run, text, since)
        if first_new < len(tokens):
            places.append(known[first_old][1])
        at_old, at_new = first_old + 1, first_new + 1
    return places


def _inserted(
    before: int | None, after: int | None, run: Sequence[Token], text: str, since: int
) -> list[int]:
    if before is None or after is None or before == after:
        return [after if before is None else before] * len(run)  # type: ignore[list-item] # one of them is known
    places = []
    is_below = False
    for token in run:
        is_below = is_below or "\n" in text[since : token.start]
        places.append(after if is_below else before)
        since = token.end
    return places


def _replacing(known: Sequence[tuple[Token, int]], run: Sequence[Token], text: str) -> list[int]:
    segments = list(dict.fromkeys(at for _, at in known))
    if len(segments) == 1:
        return segments * len(run)
    breaks = ["\n" in text[left.end : right.start] for left, right in pairwise(run)]
    if sum(breaks) == len(segments) - 1:
        return [segments[line] for line in accumulate(breaks, initial=0)]
    ends = list(accumulate(len(token.text) for token, _ in known))
    total = sum(len(token.text) for token in run)
    places, passed, at = [], 0.0, 0
    for token in run:
        middle = (passed + len(token.text) / 2) * ends[-1] / total
        while ends[at] < middle and at + 1 < len(ends):
            at += 1
        places.append(known[at][1])
        passed += len(token.text)
    return places

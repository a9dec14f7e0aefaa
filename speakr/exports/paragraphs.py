"""Join segments to paragraphs: what one speaker says without a long pause, up to a readable length."""

from __future__ import annotations

from collections.abc import Iterable

from speakr.domain.transcript import Segment

PAUSE_SECONDS = 2.0
"""Seconds. After such a pause a new paragraph begins, unless the previous one is very short."""
MIN_WORDS = 20
MAX_WORDS = 150
"""A paragraph ends with the sentence that reaches this number."""
FAR_TOO_MANY_WORDS = 300
"""A paragraph without the end of a sentence ends here."""
_SENTENCE_ENDS = (".", "?", "!", "…", "。", "？", "！")  # noqa: RUF001 - the full-width ones end Chinese and Japanese sentences


def to_paragraphs(segments: Iterable[Segment]) -> list[Segment]:
    """Return one segment per paragraph, in order."""
    paragraphs: list[Segment] = []
    words = 0
    for segment in segments:
        before = paragraphs[-1] if paragraphs else None
        if before is not None and _goes_on(before, segment, words):
            paragraphs[-1] = Segment(
                before.start,
                max(before.end, segment.end),
                f"{before.text.rstrip()} {segment.text.lstrip()}".strip(),
                before.speaker,
            )
            words += len(segment.text.split())
        else:
            paragraphs.append(segment)
            words = len(segment.text.split())
    return paragraphs


def _goes_on(before: Segment, segment: Segment, words: int) -> bool:
    if segment.speaker != before.speaker or words >= FAR_TOO_MANY_WORDS:
        return False
    ended = before.text.rstrip().endswith(_SENTENCE_ENDS)
    paused = segment.start - before.end >= PAUSE_SECONDS and words >= MIN_WORDS
    return not (ended and (paused or words >= MAX_WORDS))

"""Cutting a recording into two new ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from speakr.domain.derivation import MIN_SIDE_SECONDS, Derivation, SourcePart
from speakr.domain.errors import Invalid, NotModifiedSince
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import Actor
from speakr.domain.recordings import is_placeholder
from speakr.models import Recording
from speakr.services.recordings import deriving


def cut(
    actor: Actor,
    recording_id: int,
    *,
    at: float,
    titles: Sequence[str] | None,
    keep_original: bool,
    revision: int | None,
) -> list[Recording]:
    """Make two recordings of one: what is before `at` seconds, and the rest. A worker cuts audio and transcript.

    Raises:
        NotModifiedSince: the transcript is no longer at `revision`.
        Invalid: there is no sound on both sides of `at`.

    """
    sources = deriving.load_sources(actor, [recording_id], keep_originals=keep_original)
    source, part = sources[0], deriving.whole(sources[0])
    if revision is not None and revision != part.revision:
        raise NotModifiedSince("The transcript has changed since you read it: read it again.")
    sides = [
        Derivation(parts=(side,), has_audio=source.storage_key is not None, keep_originals=keep_original)
        for side in _sides(part, round(at, 3))
    ]
    deriving.admit(actor, sources, sides)
    halves = [
        deriving.create(actor, sources, side, _wanted(source, side, number, titles))
        for number, side in enumerate(sides)
    ]
    for half, side in zip(halves, sides, strict=True):
        deriving.submit(half, JobKind.CUT, deriving.with_siblings(side, halves))
    return halves


def _sides(part: SourcePart, at: float) -> tuple[SourcePart, SourcePart]:
    if not MIN_SIDE_SECONDS <= at <= part.duration - MIN_SIDE_SECONDS:
        message = (
            f"must be at least {MIN_SIDE_SECONDS:g} s from the start and the end of the recording, "
            f"which is {part.duration:.3f} s long"
        )
        raise Invalid(f"at {message}", errors={"at": [message]})
    return replace(part, end=at), replace(part, start=at)


def _wanted(
    source: Recording, side: Derivation, number: int, titles: Sequence[str] | None
) -> deriving.NewRecording:
    title = titles[number].strip() if titles else ""
    if not title:
        # A placeholder stays one, so that the summary brings a title.
        numbered = f" ({number + 1}/2)"
        title = source.title
        if not is_placeholder(title):
            title = title[: deriving.MAX_TITLE_LENGTH - len(numbered)] + numbered
    return deriving.NewRecording(
        title=title, meeting_date=_later(source.meeting_date, side.parts[0].start), suffix=str(number + 1)
    )


def _later(moment: datetime | None, seconds: float) -> datetime | None:
    """Return when a part took place that starts so many seconds after the recording."""
    try:
        return None if moment is None else moment + timedelta(seconds=int(seconds))
    except OverflowError:
        return moment

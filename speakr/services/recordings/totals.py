"""What a user's recordings add up to: by state, favourites, length, languages and confidence."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.domain.recordings import RecordingStatus
from speakr.models import Recording


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and sums over all recordings of one user."""

    total: int
    transcribed: int
    """Their present text is complete, even if a summary is still being made."""
    failed: int
    highlighted: int
    duration_seconds: float
    languages: tuple[str, ...]
    """Codes, sorted."""
    mean_confidence: float | None
    """0 to 1, over the recordings that have one."""

    @property
    def in_progress(self) -> int:
        """The number of recordings that wait for a transcript."""
        return self.total - self.transcribed - self.failed

    @property
    def success_rate(self) -> float:
        """Percentage of the recordings that are no longer in progress which have a transcript; 0 if there are none."""
        ended = self.transcribed + self.failed
        return 100 * self.transcribed / ended if ended else 0.0


def of_user(actor: Actor) -> Totals:
    """Add up the actor's own recordings as they are now."""
    status, mine = Recording.status, Recording.user_id == actor.user_id
    done = status.in_((RecordingStatus.COMPLETED, RecordingStatus.SUMMARIZING))
    row = db.session.execute(
        select(
            func.count(),
            func.count(case((done, 1))),
            func.count(case((status == RecordingStatus.FAILED, 1))),
            func.count(case((Recording.is_highlighted, 1))),
            func.coalesce(func.sum(Recording.audio_duration), 0.0),
            func.avg(Recording.confidence),
        ).where(mine)
    ).one()
    languages = db.session.scalars(
        select(Recording.language).where(mine, Recording.language.is_not(None)).distinct()
    )
    return Totals(
        total=row[0],
        transcribed=row[1],
        failed=row[2],
        highlighted=row[3],
        duration_seconds=float(row[4]),
        languages=tuple(sorted(filter(None, languages))),
        mean_confidence=None if row[5] is None else float(row[5]),
    )

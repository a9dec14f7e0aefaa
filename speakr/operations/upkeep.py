"""What an operator may want done now that the server does by itself in time."""

from __future__ import annotations

from collections.abc import Iterator

from speakr.services import retention as rules


def retention(*, is_meant: bool) -> Iterator[str]:
    """Remove recordings whose retention is over, or only tell of them; yield lines to print."""
    outcome = rules.run() if is_meant else rules.look()
    if not outcome.is_enabled:
        yield "Retention is off (enable_auto_deletion); these would be due."
    for due in outcome.due:
        yield (
            f"recording {due.recording_id} of user {due.user_id}: due since {due.due_at:%Y-%m-%d}, "
            f"{due.retention_days} days by the rule of its {due.rule}"
        )
    what = "The audio of {} recordings was removed." if outcome.audio_only else "{} recordings were removed."
    yield what.format(outcome.done) if is_meant else f"{len(outcome.due)} recordings are due."

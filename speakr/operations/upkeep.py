"""Run maintenance tasks now that the server also runs by itself."""

from __future__ import annotations

from collections.abc import Iterator

from speakr.services.recordings import retention as rules
from speakr.services.system import orphans, storage_owner


def retention(*, is_meant: bool) -> Iterator[str]:
    """Delete recordings past retention, or only list them; yield lines to print."""
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


def remove_orphans(*, dry_run: bool, take_over: bool = False) -> Iterator[str]:
    """Remove orphans from the storage, or only list them; yield lines to print.

    Raises:
        ForeignStorage: the storage belongs to another database, and `take_over` is not set.

    """
    if take_over:
        storage_owner.take_over()
    sweep = orphans.Sweep(dry_run=dry_run)
    has_more = True
    while has_more:
        has_more = sweep.step()
        for key, info in sweep.found:
            yield f"blob {key}: {info.size_bytes} bytes, written {info.modified_at:%Y-%m-%d %H:%M} UTC"
    partial, blobs = sweep.counts[orphans.PARTIAL], sweep.counts[orphans.BLOB]
    yield f"{partial} partial writes and {blobs} blobs {'would be' if dry_run else 'were'} removed."
    if sweep.foreign:
        yield (
            f"{sweep.foreign} blobs were left alone: they are older than the first user, "
            "so they may belong to another database."
        )

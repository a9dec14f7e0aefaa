"""Compare committed changes with events and deliveries.

Triggers write each change of a recording into a separate table, in the transaction of the change. So the database itself
records what was committed, and events and deliveries must agree with it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Engine, select, text

from speakr.domain.events import EventType
from speakr.models import Delivery, Event, Webhook

Row = list[str]

_CHANGES = "CREATE TABLE bench_changes (recording_id INTEGER, kind TEXT, field TEXT, title TEXT, word TEXT)"
_WATCHED = (
    ("INSERT", "", EventType.RECORDING_CREATED, ""),
    ("UPDATE OF title", "OLD.title <> NEW.title", EventType.RECORDING_UPDATED, "title"),
    ("UPDATE OF notes", "coalesce(OLD.notes, '') <> NEW.notes", EventType.RECORDING_UPDATED, "notes"),
    ("DELETE", "", EventType.RECORDING_DELETED, ""),
    ("UPDATE OF status", "OLD.status <> NEW.status AND NEW.status = 'PROCESSING'", EventType.TRANSCRIPTION_STARTED, ""),
    ("UPDATE OF status", "OLD.status <> NEW.status AND NEW.status = 'FAILED'", EventType.TRANSCRIPTION_FAILED, ""),
    ("UPDATE OF has_transcription", "NEW.has_transcription AND NOT OLD.has_transcription", EventType.TRANSCRIPTION_COMPLETED, ""),
    ("UPDATE OF has_summary", "NEW.has_summary AND NOT OLD.has_summary", EventType.SUMMARY_COMPLETED, ""),
)  # fmt: skip
_KINDS = {kind for _, _, kind, _ in _WATCHED}


def watch(engine: Engine) -> None:
    """Make the database record every change of a recording from now on."""
    with engine.begin() as connection:
        connection.exec_driver_sql(_CHANGES)
        for number, (on, condition, kind, field) in enumerate(_WATCHED):
            row = "OLD" if on == "DELETE" else "NEW"
            word = f"{row}.notes" if field == "notes" else f"{row}.title"
            note = (
                "INSERT INTO bench_changes (recording_id, kind, field, title, word) "  # noqa: S608 - our own words
                f"VALUES ({row}.id, '{kind.value}', '{field}', {row}.title, {word});"
            )
            when = f"WHEN ({condition})" if condition else ""
            head = f"CREATE TRIGGER bench_{number} AFTER {on} ON recordings FOR EACH ROW {when}"
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql(f"{head} BEGIN {note} END")
                continue
            connection.exec_driver_sql(
                f"CREATE FUNCTION bench_note_{number}() RETURNS trigger LANGUAGE plpgsql "
                f"AS $$ BEGIN {note} RETURN NULL; END $$"
            )
            connection.exec_driver_sql(f"{head} EXECUTE FUNCTION bench_note_{number}()")


@dataclass(frozen=True)
class Books:
    """The recorded changes, and what disagrees with them."""

    changes: int
    words: frozenset[tuple[str, str]]
    """Kind, and the title or the notes after it."""
    created: int
    deleted: frozenset[int]
    events_missing: int
    events_unexpected: int
    deliveries_amiss: int

    def row(self, name: str, more: str, lost: int) -> Row:
        """Return a row of the table."""
        found = f"{self.events_missing} / {self.events_unexpected} / {self.deliveries_amiss} / {lost}"
        what = (
            "changes without event / events without change / deliveries missing or double / answered and lost"
        )
        return [f"{name}: {what}", f"{found}; {self.changes:,} changes, {more}", "0 / 0 / 0 / 0"]


def balance(engine: Engine) -> Books:
    """Compare events and deliveries with the committed changes."""
    with engine.connect() as connection:
        notes = connection.execute(text("SELECT * FROM bench_changes")).all()
        events = connection.execute(select(Event.uuid, Event.recording_id, Event.type, Event.data)).all()
        hooks = connection.execute(select(Webhook.id, Webhook.events)).all()
        deliveries = connection.execute(select(Delivery.event_uuid, Delivery.webhook_id)).all()
    noted = Counter((note.recording_id, note.kind, note.field, note.title) for note in notes)
    sent_counts = Counter(
        (event.recording_id, event.type.value, "".join(event.data.get("fields_changed", ())), event.data["title"])
        for event in events
        if event.type in _KINDS
    )  # fmt: skip
    wanted = Counter(
        (event.uuid, hook.id) for event in events for hook in hooks if event.type.value in hook.events
    )
    written = Counter((row.event_uuid, row.webhook_id) for row in deliveries)
    return Books(
        changes=len(notes),
        words=frozenset((note.kind, note.word) for note in notes),
        created=sum(note.kind == EventType.RECORDING_CREATED for note in notes),
        deleted=frozenset(note.recording_id for note in notes if note.kind == EventType.RECORDING_DELETED),
        events_missing=(noted - sent_counts).total(),
        events_unexpected=(sent_counts - noted).total(),
        deliveries_amiss=((wanted - written) + (written - wanted)).total(),
    )

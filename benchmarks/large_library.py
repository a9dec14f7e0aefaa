"""A large library of two owners, parts of which they share with a third user, written as fast as the database allows.

Words follow Zipf's law over a vocabulary of 40,000, as in speech, so a recording has about a thousand different ones, a
few are in every recording and most in hardly any. Only some hundred texts are generated; the database itself copies
them into the recordings, each with its own title and participants.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    Table,
    Text,
    create_engine,
    event,
    insert,
    literal,
    literal_column,
    select,
    text,
)

from speakr.domain.events import EventType
from speakr.domain.jobs import JobKind, JobState
from speakr.domain.permissions import GroupRole
from speakr.domain.recordings import RecordingStatus
from speakr.domain.search import Field, document, lines_of
from speakr.models import (
    Event,
    Folder,
    Group,
    GroupMembership,
    Job,
    Recording,
    RecordingShare,
    RecordingSpeaker,
    RecordingTag,
    SearchDocument,
    SearchTerms,
    Segment,
    Speaker,
    Tag,
    User,
)
from speakr.models.search import POSTGRESQL_INDEX, SQLITE_INDEX
from speakr.schema import upgrade

OWNERS = ("tenant0", "tenant1")
READER = "reader"
"""A user without recordings who sees some of others: by a share, and by a group's tag."""

SEGMENTS, WORDS_PER_SEGMENT = 120, 33
RARE, COMMON, MIDDLING, ABSENT = "zanzibar", "the", "lighthouse", "xylophonist"
# All count towards the recordings of one owner.
RARE_EVERY, MIDDLING_EVERY, SHARED_EVERY, GROUP_TAGGED_EVERY = 10_000, 100, 10, 200
SPOKEN_BY_ANN_EVERY, FAILED_EVERY, NOTED_EVERY, STARRED_EVERY = 5, 50, 5, 10
TAGS = 20

_TEXTS = 997
"""A prime, so that texts and tags do not correlate."""
_BATCH = 1_000
_FIRST_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def vocabulary() -> np.ndarray:
    """Return 40,000 words that look like words, the most frequent first."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in")]
    made = ["".join(parts) for parts in itertools.islice(itertools.product(syllables, repeat=3), 0, None, 52)]
    rng = np.random.default_rng(1)
    rng.shuffle(made)
    return np.array([COMMON, "and", "budget", *made[:39_997]], dtype=object)


class Speech:
    """An endless stream of words."""

    def __init__(self) -> None:
        self._words = vocabulary()
        weights = 1 / np.arange(1, len(self._words) + 1)
        self._sums = np.cumsum(weights / weights.sum())
        self._rng = np.random.default_rng(2)

    def say(self, count: int) -> list[str]:
        """Return the next words."""
        found: list[str] = self._words[np.searchsorted(self._sums, self._rng.random(count))].tolist()
        return found


_scratch = MetaData()
_SPOKEN = Table(
    "bench_spoken",
    _scratch,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("start", Float),
    Column("speaker", Text),
    Column("text", Text),
)
_WRITTEN = Table(
    "bench_written",
    _scratch,
    Column("number", Integer, primary_key=True, autoincrement=False),
    *(Column(field.value, Text) for field in (Field.TRANSCRIPT, Field.SUMMARY, Field.NOTES)),
    Column("terms", Text),
)
_PLAN = Table(
    "bench_plan",
    _scratch,
    Column("recording_id", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer),
    Column("user_id", Integer),
    *(Column(field.value, Text) for field in (Field.TITLE, Field.PARTICIPANTS)),
    Column("terms", Text),
)


def write(url: str, recordings: int, say: Callable[[str], None]) -> None:
    """Write the library into an empty database, as one of its administrators."""
    upgrade(url)
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_fast_pragmas)
    with engine.connect() as connection:
        restore = _PREPARE[engine.dialect.name](connection)
        _scratch.create_all(connection)
        say("texts")
        summaries = _write_texts(connection)
        say("recordings")
        _write_recordings(connection, recordings, summaries)
        for first in range(1, recordings + 1, _BATCH):
            if first % (10 * _BATCH) == 1:
                say(f"their texts, from {first} on")
            _copy_texts(connection, first, first + _BATCH - 1)
        _scratch.drop_all(connection)
        say("the index")
        restore()
        connection.commit()
    say("statistics")
    _settle(engine)
    engine.dispose()


def _set_fast_pragmas(connection: Any, _record: object) -> None:
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-400000", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").close()


def _prepare_sqlite(connection: Connection) -> Callable[[], None]:
    triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
    for trigger in triggers:
        connection.execute(text(f"DROP TRIGGER {trigger.name}"))

    def restore() -> None:
        # Flushed after 64 MiB instead of one, so there is less to merge.
        for command in ("('hashsize', 67108864)", "('rebuild', NULL)", "('hashsize', 1048576)"):
            connection.exec_driver_sql(f"INSERT INTO {SQLITE_INDEX}({SQLITE_INDEX}, rank) VALUES {command}")  # noqa: S608
        for trigger in triggers:
            connection.exec_driver_sql(trigger.sql)

    return restore


def _prepare_postgresql(connection: Connection) -> Callable[[], None]:
    connection.execute(text("SET session_replication_role = replica"))  # foreign keys are not checked
    connection.execute(text("SET maintenance_work_mem = '1GB'"))
    name = {"name": POSTGRESQL_INDEX}
    index = connection.scalar(text("SELECT pg_get_indexdef(CAST(:name AS regclass))"), name)
    detail = connection.scalar(
        text("SELECT attstattarget FROM pg_attribute WHERE attrelid = CAST(:name AS regclass)"), name
    )
    connection.execute(text(f"DROP INDEX {POSTGRESQL_INDEX}"))

    def restore() -> None:
        connection.exec_driver_sql(str(index))
        connection.execute(
            text(f"ALTER INDEX {POSTGRESQL_INDEX} ALTER COLUMN 1 SET STATISTICS {int(detail or 0)}")
        )
        connection.execute(text("SELECT setval('recordings_id_seq', (SELECT max(id) FROM recordings))"))

    return restore


_PREPARE = {"sqlite": _prepare_sqlite, "postgresql": _prepare_postgresql}


def _settle(engine: Engine) -> None:
    """Run now what PostgreSQL would run by itself within minutes."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
            connection.execute(text("CHECKPOINT"))


def _write_texts(connection: Connection) -> list[tuple[str, str]]:
    """Write the texts, the last of them with the rare word; return their summaries and notes."""
    speech = Speech()
    spoken, written, summaries = [], [], []
    for number in range(_TEXTS + 1):
        words = speech.say(SEGMENTS * WORDS_PER_SEGMENT)
        if number == _TEXTS:
            words[len(words) // 2] = RARE
        if number < _TEXTS // MIDDLING_EVERY:
            words[len(words) // 3] = MIDDLING
        said = [
            " ".join(words[at : at + WORDS_PER_SEGMENT]) for at in range(0, len(words), WORDS_PER_SEGMENT)
        ]
        spoken += [
            {
                "number": number,
                "position": at,
                "start": at * 15.0,
                "speaker": f"SPEAKER_0{at % 3}",
                "text": line,
            }
            for at, line in enumerate(said)
        ]
        summary = "\n".join("- " + " ".join(speech.say(20)) for _ in range(8))
        notes = " ".join(speech.say(10)) if number % NOTED_EVERY == 0 else ""
        summaries.append((summary, notes))
        found = document(
            0, {Field.TRANSCRIPT: said, Field.SUMMARY: lines_of(summary), Field.NOTES: lines_of(notes)}
        )
        written.append(
            {"number": number, "terms": found.keys.partition(" ")[2]}
            | {column: found.texts[Field(column)] for column in ("transcript", "summary", "notes")}
        )
    connection.execute(insert(_SPOKEN), spoken)
    connection.execute(insert(_WRITTEN), written)
    return summaries


def _people(connection: Connection) -> tuple[list[int], int, list[list[int]], list[list[int]]]:
    """Create the users; return owners, reader, tags and speakers. A group's tag shows recordings to all members."""

    def made(table: Any, **values: Any) -> int:
        return connection.execute(insert(table).values(**values).returning(table.id)).scalar_one()

    *owners, reader = [made(User, username=name) for name in (*OWNERS, READER)]
    group = made(Group, name="bench")
    connection.execute(
        insert(GroupMembership),
        [{"group_id": group, "user_id": user, "role": GroupRole.MEMBER} for user in (*owners, reader)],
    )
    shared = made(Tag, group_id=group, name="ours", auto_share_on_apply=True)
    tags = [[made(Tag, user_id=owner, name=f"tag {n}") for n in range(TAGS)] + [shared] for owner in owners]
    for owner in owners:
        made(Folder, user_id=owner, name="folder")
    speakers = [[made(Speaker, user_id=owner, name=name) for name in ("Ann", "Bob")] for owner in owners]
    return owners, reader, tags, speakers


def _write_recordings(connection: Connection, recordings: int, summaries: list[tuple[str, str]]) -> None:
    owners, reader, tags, speakers = _people(connection)
    for first in range(1, recordings + 1, _BATCH):
        rows: dict[Any, list[dict[str, Any]]] = {
            kind: []
            for kind in (_PLAN, Recording, RecordingTag, RecordingShare, RecordingSpeaker, Job, Event)
        }
        for n in range(first, min(first + _BATCH, recordings + 1)):
            number, owner = n // len(OWNERS), n % len(OWNERS)
            text_number = _TEXTS if number % RARE_EVERY == 1 else number % _TEXTS
            recording = _recording(n, owners[owner], *summaries[text_number])
            rows[Recording].append(recording)
            found = document(
                owners[owner],
                {field: [recording[field.value]] for field in (Field.TITLE, Field.PARTICIPANTS)},
            )
            rows[_PLAN].append(
                {"recording_id": n, "number": text_number, "user_id": owners[owner], "terms": found.keys}
                | {column: found.texts[Field(column)] for column in ("title", "participants")}
            )
            of_it = {"recording_id": n}
            rows[RecordingTag].append(of_it | {"tag_id": tags[owner][number % TAGS], "position": 1})
            if number % GROUP_TAGGED_EVERY == 0:
                rows[RecordingTag].append(of_it | {"tag_id": tags[owner][-1], "position": 2})
            if number % SHARED_EVERY == 1:
                rows[RecordingShare].append(of_it | {"user_id": reader})
            if number % SPOKEN_BY_ANN_EVERY == 0:
                rows[RecordingSpeaker] += [
                    of_it | {"label": f"SPEAKER_0{at}", "name": name, "speaker_id": speakers[owner][at]}
                    for at, name in enumerate(("Ann", "Bob"))
                ]
            rows[Job] += _jobs(recording)
            rows[Event].append(_event(recording))
        for kind, values in rows.items():
            if values:
                connection.execute(insert(kind), values)


def _recording(n: int, owner: int, summary: str, notes: str) -> dict[str, Any]:
    number = n // len(OWNERS)
    moment = _FIRST_MOMENT + timedelta(minutes=n)
    is_failed = number % FAILED_EVERY == FAILED_EVERY - 1
    return {
        "id": n,
        "user_id": owner,
        "title": f"Meeting {n} about {summary.split()[1]}",
        "participants": "Ann, Bob" if number % SPOKEN_BY_ANN_EVERY == 0 else "Carl, Dora",
        "status": RecordingStatus.FAILED if is_failed else RecordingStatus.COMPLETED,
        **dict.fromkeys(("created_at", "updated_at", "completed_at", "meeting_date"), moment),
        "original_filename": "a.wav",
        "mime_type": "audio/wav",
        "file_size": 1_000_000 + n,
        "sha256": f"{n:064d}",
        "storage_key": f"audio/00/{n:032d}",
        "audio_duration": 1800.0,
        "is_highlighted": number % STARRED_EVERY == 0,
        "has_transcription": True,
        "has_summary": True,
        "summary": summary,
        "notes": notes or None,
    }


def _jobs(recording: dict[str, Any]) -> Iterator[dict[str, Any]]:
    moment = recording["created_at"]
    for kind in JobKind:
        yield {
            "recording_id": recording["id"],
            "user_id": recording["user_id"],
            "kind": kind,
            "state": JobState.SUCCEEDED,
            "progress": 100,
            **dict.fromkeys(("created_at", "queued_at", "started_at", "finished_at"), moment),
        }


def _event(recording: dict[str, Any]) -> dict[str, Any]:
    return {
        "uuid": str(uuid.uuid4()),
        "user_id": recording["user_id"],
        "recording_id": recording["id"],
        "type": EventType.RECORDING_CREATED,
        "occurred_at": recording["created_at"],
        "data": {"recording_id": recording["id"], "title": recording["title"]},
    }


def _copy_texts(connection: Connection, first: int, last: int) -> None:
    plan, spoken, written = _PLAN.c, _SPOKEN.c, _WRITTEN.c
    part = plan.recording_id.between(first, last)
    connection.execute(
        insert(Segment).from_select(
            ["recording_id", "position", "start", "end", "speaker", "confidence", "text", "words"],
            select(
                plan.recording_id,
                spoken.position,
                spoken.start,
                spoken.start + 14,
                spoken.speaker,
                literal_column("0.9"),
                spoken.text,
                literal([], Segment.__table__.c.words.type),
            )
            .join_from(_PLAN, _SPOKEN, spoken.number == plan.number)
            .where(part)
            .order_by(plan.recording_id, spoken.position),
        )
    )
    joined = _PLAN.join(_WRITTEN, written.number == plan.number)
    for kind, columns in (
        (
            SearchTerms,
            {"user_id": plan.user_id, "terms": plan.terms + " " + written.terms},
        ),
        (
            SearchDocument,
            {"title": plan.title, "participants": plan.participants}
            | {column: written[column] for column in ("transcript", "summary", "notes")},
        ),
    ):
        connection.execute(
            insert(kind).from_select(
                ["recording_id", *columns],
                select(plan.recording_id, *columns.values())
                .select_from(joined)
                .where(part)
                .order_by(plan.recording_id),
            )
        )

"""A large library for the search benchmark, written as fast as the database takes it.

Words follow Zipf's law over a vocabulary of 40,000, as they do in speech, so that a recording has about a thousand
different ones, a few of them are in every recording and most in hardly any.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

SEGMENTS, WORDS_PER_SEGMENT = 120, 33
RARE, COMMON, MIDDLING, ABSENT = "zanzibar", "the", "lighthouse", "xylophonist"
RARE_EVERY, MIDDLING_EVERY, SHARED_EVERY, GROUP_TAGGED_EVERY = 20_000, 100, 200, 200
TAGS = 20
OWNERS = 2

_BATCH = 500
_BEFORE_SEARCH = "cc5f2ca1478b"
"""The migration before the one that makes the index and takes in what is there."""


def vocabulary() -> np.ndarray:
    """Return 40,000 words that look like words; the first are the most frequent."""
    syllables = [a + b for a in "bcdfghklmnprstvw" for b in ("a", "e", "i", "o", "u", "an", "er", "in")]
    made = ["".join(parts) for parts in itertools.islice(itertools.product(syllables, repeat=3), 0, None, 52)]
    dice = np.random.default_rng(1)
    dice.shuffle(made)
    return np.array([COMMON, "and", "budget", *made[:39_997]], dtype=object)


class Speech:
    """An endless stream of words."""

    def __init__(self) -> None:
        self._words = vocabulary()
        weights = 1 / np.arange(1, len(self._words) + 1)
        self._sums = np.cumsum(weights / weights.sum())
        self._dice = np.random.default_rng(2)

    def say(self, count: int) -> list[str]:
        """Return the next words."""
        found: list[str] = self._words[np.searchsorted(self._sums, self._dice.random(count))].tolist()
        return found


def fill(url: str, recordings: int) -> float:
    """Write the library into an empty database; return how many seconds indexing it took."""
    from speakr.app import create_app
    from speakr.db import db
    from speakr.schema import upgrade

    upgrade(url, _BEFORE_SEARCH)
    with create_app().app_context():
        owners, tags = _people()
        raw = db.engine.raw_connection()
        try:
            for statement in _IN_A_HURRY[db.engine.dialect.name]:
                raw.cursor().execute(statement)
            _write(raw, db.engine.dialect.name, recordings, owners, tags)
            raw.commit()
        finally:
            raw.invalidate()
        db.session.remove()
        db.engine.dispose()
    began = datetime.now(UTC)
    upgrade(url)
    return (datetime.now(UTC) - began).total_seconds()


_IN_A_HURRY = {
    "sqlite": ("PRAGMA foreign_keys=OFF", "PRAGMA synchronous=OFF", "PRAGMA cache_size=-200000", "BEGIN"),
    "postgresql": ("SET session_replication_role = replica",),
}


def _people() -> tuple[list[int], list[list[int]]]:
    """Make two users, tags for both, and a group of both whose tag shows recordings to its members."""
    from speakr.db import unit_of_work
    from speakr.domain.permissions import GroupRole
    from speakr.models import Group, GroupMembership, Tag
    from speakr.services import users

    with unit_of_work() as session:
        owners = [users.create(username=f"bench{n}").id for n in range(OWNERS)]
        group = Group(name="bench")
        session.add(group)
        session.flush()
        session.add_all(
            GroupMembership(group_id=group.id, user_id=owner, role=GroupRole.MEMBER) for owner in owners
        )
        tags = [[Tag(user_id=owner, name=f"tag {n}") for n in range(TAGS)] for owner in owners]
        shared = Tag(group_id=group.id, name="ours", auto_share_on_apply=True)
        session.add_all([*itertools.chain(*tags), shared])
        session.flush()
        return owners, [[tag.id for tag in mine] + [shared.id] for mine in tags]


def _write(raw: Any, dialect: str, recordings: int, owners: Sequence[int], tags: list[list[int]]) -> None:
    speech = Speech()
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(1, recordings + 1, _BATCH):
        batch = range(first, min(first + _BATCH, recordings + 1))
        rows, said, tagged, shared = [], [], [], []
        for n in batch:
            words = speech.say(SEGMENTS * WORDS_PER_SEGMENT)
            if n % RARE_EVERY in {1, 2}:
                words[len(words) // 2] = RARE
            if n % MIDDLING_EVERY in {3, 4}:
                words[len(words) // 3] = MIDDLING
            number = n % OWNERS
            rows.append(_recording(n, owners[number], moment + timedelta(minutes=n), speech))
            said += [
                (
                    n, at, at * 15.0, at * 15.0 + 14, f"SPEAKER_0{at % 3}", 0.9,
                    " ".join(words[at * WORDS_PER_SEGMENT : (at + 1) * WORDS_PER_SEGMENT]), None, "[]",
                )
                for at in range(SEGMENTS)
            ]  # fmt: skip
            tagged.append((n, tags[number][n // OWNERS % TAGS], 1))
            if n // OWNERS % GROUP_TAGGED_EVERY == 0:
                tagged.append((n, tags[number][-1], 2))
            if n // OWNERS % SHARED_EVERY == 1:
                shared.append((n, owners[1 - number], False, str(moment.replace(tzinfo=None))))
        for table, columns, values in (
            ("recordings", _RECORDING, rows),
            ("segments", _SEGMENT, said),
            ("recording_tags", ("recording_id", "tag_id", "position"), tagged),
            ("recording_shares", _SHARE, shared),
        ):
            _put(raw, dialect, table, columns, values)
    if dialect == "postgresql":
        raw.cursor().execute("SELECT setval('recordings_id_seq', %s)", (recordings,))


_SEGMENT = ("recording_id", "position", "start", "end", "speaker", "confidence", "text", "raw_text", "words")
_SHARE = ("recording_id", "user_id", "can_edit", "created_at")
_RECORDING = (
    "id", "user_id", "title", "status", "created_at", "updated_at", "completed_at", "meeting_date",
    "original_filename", "mime_type", "file_size", "sha256", "storage_key", "has_video", "keep_audio_only",
    "audio_duration", "is_inbox", "is_highlighted", "deletion_exempt", "has_transcription", "has_summary",
    "hints", "participants", "summary", "notes",
)  # fmt: skip


def _recording(n: int, owner: int, moment: datetime, speech: Speech) -> tuple[Any, ...]:
    when = str(moment.replace(tzinfo=None))
    summary = "\n".join("- " + " ".join(speech.say(20)) for _ in range(8))
    return (
        n, owner, f"Meeting {n} about {speech.say(1)[0]}", "COMPLETED", when, when, when, when, "a.wav", "audio/wav",
        1_000_000 + n, f"{n:064d}", f"audio/00/{n:032d}", False, False, 1800.0, True, n % 10 == 0, False, True, True,
        "{}", "Ann, Bob", summary, " ".join(speech.say(10)) if n % 5 == 0 else None,
    )  # fmt: skip


def _put(raw: Any, dialect: str, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    with contextlib.closing(raw.cursor()) as cursor:
        if dialect == "postgresql":
            with cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            places = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", list(rows))  # noqa: S608


@contextlib.contextmanager
def database(kind: str, folder: Any) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/speakr.db"
        return
    from tests.servers import postgres_server

    with postgres_server() as url:
        yield url

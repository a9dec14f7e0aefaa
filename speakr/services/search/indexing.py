"""Keeping the search index in step: written in the same transaction as the texts it tells of."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, delete, func, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from speakr.db import db, release, unit_of_work
from speakr.domain.search import Field, IndexDocument, document, lines_of
from speakr.models import Recording, SearchDocument, SearchStale, SearchTerms, Segment
from speakr.offload import run_cpu

_BATCH = 50
"""Recordings that are indexed in one transaction: on SQLite all other writers wait for it."""

_AT_ONCE = 20
"""Recordings that are indexed in the transaction that changed them. More follow within seconds."""

_MAX_CHARACTERS_AT_ONCE = 100_000
"""Longer texts are indexed within seconds, by a process without an event loop and outside the transaction."""

_MAX_SEGMENTS_AT_ONCE = 2_000

_BATCHES_PER_ROUND = 20
_IDS_PER_STATEMENT = 5_000
"""SQLite takes 32,766 values with a statement, PostgreSQL 65,535."""

_R = Recording.__table__.c
_S = Segment.__table__.c
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


SEARCHED = frozenset({"title", "participants", "notes", "summary"})
"""The fields of a recording that are in the index, beside its segments."""


def index(*recording_ids: int) -> None:
    """Index recordings' texts as they are now. Call it after every change of one of them.

    Few recordings with short texts are indexed in the caller's transaction; the others are marked for `catch_up`.
    """
    db.session.flush()
    at_once = _short(recording_ids[:_AT_ONCE])
    if at_once:
        _lock(_R.id.in_(at_once), len(at_once))
        _store(_documents(_texts_of(at_once)))
        _forget_marks(SearchStale.recording_id.in_(at_once))
    later = sorted(set(recording_ids) - set(at_once))
    for first in range(0, len(later), _IDS_PER_STATEMENT):  # renaming a speaker may touch all recordings
        _mark(later[first : first + _IDS_PER_STATEMENT])


def _short(recording_ids: Sequence[int]) -> list[int]:
    """Return those of the recordings whose texts are short enough to be indexed at once."""
    if not recording_ids:
        return []
    # Adding up the lengths of a long transcript takes half a second, so its last segments are looked for first.
    many = set(
        db.session.connection().scalars(
            select(_S.recording_id).where(
                _S.recording_id.in_(recording_ids), _S.position == _MAX_SEGMENTS_AT_ONCE
            )
        )
    )
    recording_ids = [recording_id for recording_id in recording_ids if recording_id not in many]
    written = func.coalesce(func.length(_R.summary), 0) + func.coalesce(func.length(_R.notes), 0)
    spoken = (
        select(func.coalesce(func.sum(func.length(_S.text)), 0))
        .where(_S.recording_id == _R.id)
        .scalar_subquery()
    )
    query = select(_R.id).where(_R.id.in_(recording_ids), written + spoken <= _MAX_CHARACTERS_AT_ONCE)
    return sorted(db.session.connection().scalars(query))


def _mark(recording_ids: Sequence[int]) -> None:
    insertion: Any = _INSERT[db.engine.dialect.name](SearchStale).from_select(
        ["recording_id", "mark"],
        select(_R.id, literal(secrets.randbits(62))).where(_R.id.in_(recording_ids)),
    )
    db.session.execute(
        insertion.on_conflict_do_update(
            index_elements=[SearchStale.recording_id], set_={"mark": insertion.excluded.mark}
        )
    )


def _forget_marks(condition: Any) -> None:
    db.session.execute(delete(SearchStale).where(condition), execution_options={"synchronize_session": False})


def catch_up() -> None:
    """Index what was left for later, a few recordings at a time.

    Texts are read and words are found outside any transaction that writes. What changed meanwhile has a new
    mark, so it is skipped and found again.
    """
    for _ in range(_BATCHES_PER_ROUND):
        release()
        marks = _oldest_marks()
        if not marks:
            return
        found = _documents(_texts_of(list(marks)))
        release()
        for document_of_one in found:
            with unit_of_work():
                _store_if_unchanged(document_of_one, marks[document_of_one.recording_id])
        release()
        with unit_of_work():  # marks of recordings that are gone
            _forget_marks(SearchStale.recording_id.in_(marks.keys() - {each.recording_id for each in found}))


def _oldest_marks() -> dict[int, int]:
    """Return marks of recordings whose texts fit into memory together: many short ones, or one long one."""
    rows = db.session.execute(
        select(SearchStale.recording_id, SearchStale.mark).order_by(SearchStale.recording_id).limit(_BATCH)
    ).all()
    short = set(_short([row.recording_id for row in rows]))
    chosen = [row for row in rows if row.recording_id in short] or rows[:1]
    return {row.recording_id: row.mark for row in chosen}


def _store_if_unchanged(found: _Indexed, mark: int) -> None:
    _lock(_R.id == found.recording_id, 1)
    is_unchanged = db.session.scalar(
        select(SearchStale.recording_id).where(
            SearchStale.recording_id == found.recording_id, SearchStale.mark == mark
        )
    )
    if is_unchanged is not None:
        _store([found])
        _forget_marks(SearchStale.recording_id == found.recording_id)


def reindex() -> Iterator[int]:
    """Index everything anew while the server runs; yield how many recordings are done.

    All recordings are marked first. If this process ends, maintenance indexes those that are left.
    """
    count = sum(_mark_all())
    left = count
    while left:
        catch_up()
        now_left = _marked()
        yield max(0, count - now_left)
        if now_left >= left:  # other processes change recordings as fast as this one indexes them
            return
        left = now_left


def _mark_all() -> Iterator[int]:
    last = 0
    while True:
        ids = list(
            db.session.scalars(select(_R.id).where(_R.id > last).order_by(_R.id).limit(_IDS_PER_STATEMENT))
        )
        release()
        if not ids:
            return
        with unit_of_work():
            _mark(ids)
        last = ids[-1]
        yield len(ids)


def _marked() -> int:
    release()
    return db.session.scalar(select(func.count()).select_from(SearchStale)) or 0


@dataclass(frozen=True, slots=True)
class _Texts:
    """The texts of one recording."""

    recording_id: int
    user_id: int
    lines: Mapping[Field, Sequence[str]]


@dataclass(frozen=True, slots=True)
class _Indexed:
    """What the index holds of one recording."""

    recording_id: int
    user_id: int
    document: IndexDocument


def _lock(condition: Any, most: int) -> list[int]:
    """Lock recordings until the end of the transaction; return their ids.

    Of two transactions that change different texts of a recording, the second then sees what the first wrote.
    """
    query = (
        select(_R.id)
        .where(condition)
        .order_by(_R.id)
        .limit(most)
        .with_for_update(key_share=True, of=Recording.__table__)
    )
    return list(db.session.connection().scalars(query))


def _texts_of(recording_ids: Sequence[int]) -> list[_Texts]:
    rows = (
        db.session.connection()
        .execute(
            select(_R.id, _R.user_id, _R.title, _R.participants, _R.summary, _R.notes)
            .where(_R.id.in_(recording_ids))
            .order_by(_R.id)
        )
        .all()
    )
    spoken = _spoken([row.id for row in rows])
    return [
        _Texts(
            row.id,
            row.user_id,
            {
                **{field: lines_of(getattr(row, field)) for field in Field if field is not Field.TRANSCRIPT},
                Field.TRANSCRIPT: spoken[row.id],
            },
        )
        for row in rows
    ]


def _documents(texts: Sequence[_Texts]) -> list[_Indexed]:
    """Find the words of texts, beside the event loop if there is one."""
    return run_cpu(
        lambda: [
            _Indexed(each.recording_id, each.user_id, document(each.user_id, each.lines)) for each in texts
        ]
    )


def _store(found: Sequence[_Indexed]) -> None:
    _put(
        SearchTerms.__table__,
        [
            {"recording_id": each.recording_id, "user_id": each.user_id, "terms": each.document.keys}
            for each in found
        ],
    )
    _put(
        SearchDocument.__table__,
        [{"recording_id": each.recording_id} | _texts(each.document) for each in found],
    )


def _spoken(recording_ids: Sequence[int]) -> dict[int, list[str]]:
    """Return what was said per recording, each segment at its position."""
    found: dict[int, list[str]] = {recording_id: [] for recording_id in recording_ids}
    for recording_id, position, text in db.session.connection().execute(
        select(_S.recording_id, _S.position, _S.text)
        .where(_S.recording_id.in_(recording_ids))
        .order_by(_S.recording_id, _S.position)
    ):
        said = found[recording_id]
        said += [""] * (position - len(said))
        said.append(text)
    return found


def _texts(found: IndexDocument) -> dict[str, str]:
    return {field.value: text for field, text in found.texts.items()}


def _put(table: Any, rows: list[dict[str, Any]]) -> None:
    assert isinstance(table, Table)  # noqa: S101 - tells the type checker
    statement: Any = _INSERT[db.engine.dialect.name](table) if rows else insert(table)
    changed = {column.name: statement.excluded[column.name] for column in table.c if not column.primary_key}
    db.session.connection().execute(
        statement.on_conflict_do_update(index_elements=[table.c.recording_id], set_=changed), rows
    )

"""Pages of recordings. Long texts are never read, and every sort order ends in a unique tie-breaker."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, bindparam, false, func, or_, select
from sqlalchemy.orm import aliased

from speakr.db import db
from speakr.domain.permissions import Actor
from speakr.domain.recordings import MAX_COPIES, RecordingStatus
from speakr.models import Folder, Recording, RecordingTag, Tag
from speakr.services.accounts import memberships
from speakr.services.recordings import access, cursors

AnyRow = Row[*tuple[Any, ...]]

SORT_COLUMNS: Mapping[str, Any] = {
    "created_at": Recording.created_at,
    "updated_at": Recording.updated_at,
    "meeting_date": Recording.meeting_date,
    "title": Recording.title,
    "file_size": Recording.file_size,
    "audio_duration": Recording.audio_duration,
    "status": Recording.status,
}

STATUS_FILTERS: Mapping[str, Sequence[RecordingStatus]] = {
    "pending": (RecordingStatus.PENDING,),
    "processing": (RecordingStatus.PROCESSING, RecordingStatus.SUMMARIZING),
    "completed": (RecordingStatus.COMPLETED,),
    "failed": (RecordingStatus.FAILED,),
}

UNFILED = "none"
"""The value of the folder filter for recordings without a folder."""

ITEM_COLUMNS = (
    Recording.id,
    Recording.title,
    Recording.status,
    Recording.created_at,
    Recording.completed_at,
    Recording.meeting_date,
    Recording.file_size,
    Recording.original_filename,
    Recording.participants,
    Recording.is_inbox,
    Recording.is_highlighted,
    Recording.storage_key,
    Recording.audio_duration,
    Recording.has_transcription,
    Recording.has_summary,
    Recording.processing_time_seconds,
    Recording.transcription_duration_seconds,
    Recording.summarization_duration_seconds,
    Recording.folder_id,
    Recording.deletion_exempt,
    Recording.error_message,
    Recording.keep_audio_only,
    Recording.mime_type,
    Recording.updated_at,
    Recording.language,
    Recording.confidence,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Filters of a list; None means no filter."""

    status: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    tag_id: int | None = None
    tag_name: str | None = None
    folder: int | str | None = None
    text: str | None = None
    is_inbox: bool | None = None
    is_starred: bool | None = None
    updated_since: datetime | None = None
    ids: Sequence[int] | None = None
    statuses: Sequence[RecordingStatus] | None = None
    language: str | None = None
    tag_ids: Sequence[int] | None = None
    """Recordings with any of these tags."""


_ANY = Filters()


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """One page: rows of `ITEM_COLUMNS`, their tags and folder names, the total, and the cursor of the next page."""

    rows: Sequence[AnyRow]
    tags: Mapping[int, Sequence[AnyRow]]
    folders: Mapping[int, str]
    total: int
    next_cursor: str | None


def list_page(
    actor: Actor,
    filters: Filters,
    *,
    sort_by: str,
    descending: bool,
    page: int,
    per_page: int,
    cursor: str | None = None,
    shared: bool = False,
) -> RecordingPage:
    """Return one page of the actor's own recordings or, with `shared`, of other users' recordings shared with them.

    A cursor overrides `page`. Tags, folders and flags are for the owner only: a page of shared recordings neither shows
    them nor filters by them.
    """
    place = None
    if cursor is not None:
        place = cursors.read(cursor, SORT_COLUMNS[sort_by], sort_by=sort_by, descending=descending)
    skipped = (page - 1) * per_page if place is None else 0
    window = _Window(sort_by, descending, place, skipped, per_page)
    found, total = (_read_shared if shared else _read_own)(actor, filters, window)
    rows = found[:per_page]
    following = None
    if len(found) > per_page:
        last = rows[-1]
        following = cursors.Cursor(sort_by, descending, getattr(last, sort_by), last.id).write()
    if shared:
        return RecordingPage(rows, {}, {}, total, following)
    return RecordingPage(rows, tags_of([row.id for row in rows]), folder_names(rows), total, following)


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of a list that forms a page: sort order, preceding row, rows to skip and rows per page."""

    sort_by: str
    descending: bool
    behind: cursors.Cursor | None
    skipped: int
    per_page: int

    def ids(self, recording: Any) -> Select[int]:
        """Return a query for the ids of the page and one more, which shows whether there is a next page.

        `recording` is the model or an alias of it. Ids are selected first and rows read afterwards: rows are wide, and
        those that are only sorted, filtered or skipped need not be read.
        """
        column = getattr(recording, self.sort_by)
        query = select(recording.id).order_by(*self.order(recording))
        if self.behind is not None:
            query = query.where(cursors.after(self.behind, column, recording.id))
        return query.limit(self.per_page + 1).offset(self.skipped)

    def order(self, recording: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Return the sort order of the list, which ends in a tie-breaker."""
        column, tie = getattr(recording, self.sort_by), recording.id
        return (column.desc(), tie.desc()) if self.descending else (column.asc(), tie.asc())


def _read_own(actor: Actor, filters: Filters, window: _Window) -> tuple[Sequence[AnyRow], int]:
    if filters == _ANY and window.behind is None:
        return _read_all(actor, window)
    conditions = [Recording.user_id == actor.user_id, *narrowing(actor, filters)]
    total = db.session.scalar(select(func.count()).select_from(Recording).where(*conditions)) or 0
    if window.skipped >= total:
        return [], total
    query = _rows_of(window.ids(Recording).where(*conditions), window.order(Recording))
    return db.session.connection().execute(query).all(), total


def _read_all(actor: Actor, window: _Window) -> tuple[Sequence[AnyRow], int]:
    """Read a page of an unfiltered list. Clients poll this list, so its queries are built once."""
    number, page = _queries(window.sort_by, descending=window.descending)
    owner = {"user_id": actor.user_id}
    connection = db.session.connection()
    total: int = connection.execute(number, owner).scalar_one()
    if window.skipped >= total:
        return [], total
    part = {"most": window.per_page + 1, "skipped": window.skipped}
    return connection.execute(page, owner | part).all(), total


@functools.cache
def _queries(sort_by: str, *, descending: bool) -> tuple[Select[int], Select[*tuple[Any, ...]]]:
    """Return the queries for the count of an owner's recordings and for a page of them."""
    is_own = Recording.user_id == bindparam("user_id")
    window = _Window(sort_by, descending, None, 0, 0)
    ids = window.ids(Recording).where(is_own).limit(bindparam("most")).offset(bindparam("skipped"))
    number = select(func.count()).select_from(Recording).where(is_own)
    return number, _rows_of(ids, window.order(Recording))


def _rows_of(ids: Select[int], order: Sequence[ColumnElement[Any]]) -> Select[*tuple[Any, ...]]:
    found = ids.subquery()
    query = select(*ITEM_COLUMNS).join_from(found, Recording, Recording.id == found.c.id)
    return query.order_by(*order)


def _read_shared(actor: Actor, filters: Filters, window: _Window) -> tuple[Sequence[AnyRow], int]:
    """Read a page of shared recordings. No index covers these, so one scan serves both the count and the page."""
    shown = (
        select(Recording.id, getattr(Recording, window.sort_by))
        .where(
            Recording.id.in_(access.ids_shown_to(actor)),
            Recording.user_id != actor.user_id,
            *narrowing_of_others(filters),
        )
        .cte("shown")
    )
    number = select(func.count()).select_from(shown)
    found = window.ids(aliased(Recording, shown)).subquery()
    query = select(*ITEM_COLUMNS, number.scalar_subquery().label("total")).join_from(
        found, Recording, Recording.id == found.c.id
    )
    rows = db.session.connection().execute(query.order_by(*window.order(Recording))).all()
    if rows:
        return rows, rows[0].total
    is_first = window.behind is None and not window.skipped
    return [], 0 if is_first else db.session.scalar(number) or 0


def items(recording_ids: Sequence[int]) -> Sequence[AnyRow]:
    """Return rows of `ITEM_COLUMNS` and `user_id`, in the order of the ids. Checks no permission."""
    rows = db.session.connection().execute(
        select(*ITEM_COLUMNS, Recording.user_id).where(Recording.id.in_(recording_ids))
    )
    found = {row.id: row for row in rows}
    return [found[recording_id] for recording_id in recording_ids if recording_id in found]


def asks_for_marks(filters: Filters) -> bool:
    """Tell whether a filter uses flags, tags or folders, which are not shown for recordings of other users."""
    is_marked = filters.is_inbox or filters.is_starred or filters.folder not in {None, UNFILED}
    is_tagged = (filters.tag_id, filters.tag_ids, filters.tag_name) != (None, None, None)
    return bool(is_marked or is_tagged)


def narrowing_of_others(filters: Filters) -> list[ColumnElement[bool]]:
    """Return a filter's conditions for recordings of other users, without revealing their owners' flags or filing."""
    return [false()] if asks_for_marks(filters) else _plain_conditions(filters)


def narrowing(actor: Actor, filters: Filters) -> list[ColumnElement[bool]]:
    """Return a filter's conditions for the actor's own recordings."""
    found = _plain_conditions(filters)
    if filters.folder == UNFILED:
        found.append(Recording.folder_id.is_(None))
    elif filters.folder is not None:
        found.append(Recording.folder_id == filters.folder)
    if filters.is_inbox is not None:
        found.append(Recording.is_inbox.is_(filters.is_inbox))
    if filters.is_starred is not None:
        found.append(Recording.is_highlighted.is_(filters.is_starred))
    return found + _tag_conditions(actor, filters)


def _plain_conditions(filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.status is not None:
        found.append(Recording.status.in_(STATUS_FILTERS[filters.status]))
    if filters.statuses is not None:
        found.append(Recording.status.in_(filters.statuses))
    if filters.language is not None:
        found.append(Recording.language == filters.language)
    if filters.created_from is not None:
        found.append(Recording.created_at >= filters.created_from)
    if filters.created_to is not None:
        found.append(Recording.created_at <= filters.created_to)
    if filters.updated_since is not None:
        found.append(Recording.updated_at >= filters.updated_since)
    if filters.ids is not None:
        found.append(Recording.id.in_(filters.ids))
    if filters.text:
        found.append(
            or_(_contains(Recording.title, filters.text), _contains(Recording.participants, filters.text))
        )
    return found


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    # SQLite's LIKE ignores case by itself, for the same letters as its lower().
    if db.engine.dialect.name == "sqlite":
        return column.contains(text, autoescape=True)  # type: ignore[no-any-return] # column type is unknown
    return column.icontains(text, autoescape=True)  # type: ignore[no-any-return]


def _tag_conditions(actor: Actor, filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.tag_id is not None:
        found.append(
            Recording.id.in_(select(RecordingTag.recording_id).where(RecordingTag.tag_id == filters.tag_id))
        )
    if filters.tag_ids is not None:
        found.append(
            Recording.id.in_(
                select(RecordingTag.recording_id).where(RecordingTag.tag_id.in_(filters.tag_ids))
            )
        )
    if filters.tag_name is not None:
        found.append(
            Recording.id.in_(
                select(RecordingTag.recording_id)
                .join(Tag, Tag.id == RecordingTag.tag_id)
                .where(memberships.can_use(Tag, actor), Tag.name == filters.tag_name)
            )
        )
    return found


# Built once, because every page runs it.
_TAGS = (
    select(RecordingTag.recording_id, Tag.id, Tag.name, Tag.color, Tag.created_at)
    .join(Tag, Tag.id == RecordingTag.tag_id)
    .where(RecordingTag.recording_id.in_(bindparam("recording_ids", expanding=True)))
    .order_by(RecordingTag.recording_id, RecordingTag.position, Tag.id)
)


def tags_of(recording_ids: Sequence[int]) -> Mapping[int, Sequence[AnyRow]]:
    """Return (id, name, color, created_at) of the tags of recordings by recording id, in the order of the tags."""
    found: dict[int, list[AnyRow]] = {recording_id: [] for recording_id in recording_ids}
    if recording_ids:
        for row in db.session.connection().execute(_TAGS, {"recording_ids": recording_ids}):
            found[row.recording_id].append(row)
    return found


def folder_names(rows: Sequence[AnyRow]) -> Mapping[int, str]:
    """Return the names of the folders of the given rows by folder id."""
    return _folder_names({row.folder_id for row in rows if row.folder_id})


def _folder_names(folder_ids: set[int]) -> Mapping[int, str]:
    if not folder_ids:
        return {}
    return {
        row.id: row.name
        for row in db.session.execute(select(Folder.id, Folder.name).where(Folder.id.in_(folder_ids)))
    }


def folder_name(folder_id: int | None) -> str | None:
    """Return a folder's name."""
    return None if folder_id is None else _folder_names({folder_id}).get(folder_id)


def copies_of(actor: Actor, sha256: str) -> Sequence[AnyRow]:
    """Return (id, title, created_at) of the actor's recordings of the same bytes, oldest first."""
    return db.session.execute(
        select(Recording.id, Recording.title, Recording.created_at)
        .where(Recording.user_id == actor.user_id, Recording.sha256 == sha256)
        .order_by(Recording.created_at, Recording.id)
        .limit(MAX_COPIES)
    ).all()

"""Taking a recording in: look at the bytes first, then write every row in one transaction."""

from __future__ import annotations

import errno
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from speakr.backends import get_backends
from speakr.db import db, release
from speakr.domain.clock import now
from speakr.domain.errors import MediaToolFailed, OutOfSpace, TooLarge
from speakr.domain.events import RecordingCreated
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import Actor
from speakr.domain.recordings import placeholder_title
from speakr.domain.transcript import Hints
from speakr.media.base import MediaInfo, MediaLimits
from speakr.media.extract import extract_audio
from speakr.media.probe import probe
from speakr.models import Folder, Recording, RecordingTag, Tag, User
from speakr.services import (
    budgets,
    engines,
    events,
    folders,
    hints,
    memberships,
    search_index,
    system_settings,
)
from speakr.services.jobs import requests as jobs
from speakr.services.recordings import tagging
from speakr.storage.base import CHUNK_BYTES, StorageFull, new_key

_MIB = 1024 * 1024
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

_sandboxes = threading.BoundedSemaphore(4)
"""How many files one process has looked at at the same time: each costs a child of 40 MB and a processor."""


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """The most a file may weigh, in MiB: as sound, or as a film of which the sound is kept."""

    audio_mb: int
    video_mb: int

    @property
    def most_mb(self) -> int:
        """Over this it is too large whatever is in it."""
        return max(self.audio_mb, self.video_mb)


def size_limits() -> SizeLimits:
    """Return the limits as they are now."""
    return SizeLimits(
        system_settings.get("max_file_size_mb"), system_settings.get("max_audio_only_video_size_mb")
    )


def most_upload_bytes() -> int:
    """Return the size over which a file is too large whatever is in it."""
    return size_limits().most_mb * _MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """A blob that has been looked at: what it is and where it lies. `sha256` is of the bytes as received."""

    key: str
    sha256: str
    size_bytes: int
    info: MediaInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadForm:
    """What came with the file. Everything is optional but the name."""

    filename: str
    title: str | None = None
    notes: str | None = None
    meeting_date: datetime | None = None
    file_last_modified: datetime | None = None
    tag_ids: Sequence[int] = ()
    fallback_tag_ids: Sequence[int] = ()
    """What is meant if none of the others can be used."""
    tag_names: Sequence[str] = ()
    folder_id: int | None = None
    keep_audio_only: bool = False
    hints: Hints = field(default_factory=Hints)
    is_language_given: bool = False
    prompt_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An older recording of the same bytes."""

    recording_id: int
    title: str
    created_at: datetime


def examine(key: str, *, sha256: str, size_bytes: int, keep_audio_only: bool) -> StoredMedia:
    """Look at an uploaded blob and drop the picture of a video unless it is to be kept.

    Slow (a child process reads the file), so no transaction may be open.

    Raises:
        UnusableMedia: nothing in it can be heard.
        TooLarge: it is over the limit for its kind; the message names the limit.
        OutOfSpace: there is no room to put the sound beside the picture for a moment.

    """
    settings, storage, limits = get_backends().settings, get_backends().storage, size_limits()
    release()
    with _sandboxes, storage.local_path(key) as path:
        info = probe(path, MediaLimits(max_seconds=settings.max_duration_hours * 3600))
        sound_only = info.has_video and (keep_audio_only or not settings.video_retention)
        _check_size(limits, size_bytes, audio_only_mode=sound_only)
        if not sound_only:
            return StoredMedia(key=key, sha256=sha256, size_bytes=size_bytes, info=info)
        with _room():
            sound_key, sound_bytes, sound = _keep_sound(path, limits)
    storage.delete(key)
    # The container's date belongs to the recording, whatever is kept of it.
    info = replace(sound, recorded_at=info.recorded_at or sound.recorded_at)
    return StoredMedia(key=sound_key, sha256=sha256, size_bytes=sound_bytes, info=info)


@contextmanager
def _room() -> Iterator[None]:
    """Tell the user when the storage, or the disk for work in progress, is full."""
    try:
        yield
    except (StorageFull, MediaToolFailed, OSError) as error:
        is_full = isinstance(error, StorageFull) or (
            error.errno in _NO_ROOM if isinstance(error, OSError) else error.slug == OutOfSpace.code
        )
        if not is_full:
            raise
        raise OutOfSpace("The server has no room left for this file.") from error


def _keep_sound(video: Path, limits: SizeLimits) -> tuple[str, int, MediaInfo]:
    settings, storage = get_backends().settings, get_backends().storage
    with tempfile.TemporaryDirectory(prefix="speakr-", dir=settings.scratch_dir or None) as folder:
        target = Path(folder) / "sound"
        info = extract_audio(video, target)
        size_bytes = target.stat().st_size
        if size_bytes > limits.audio_mb * _MIB:
            raise TooLarge(
                f"The sound of this video is larger than {limits.audio_mb} MB.",
                max_size_mb=limits.audio_mb,
                extracted_audio_mb=round(size_bytes / _MIB, 1),
                audio_only_mode=True,
                chunking_enabled=True,
            )
        key = new_key("audio")
        sink = storage.create(key)
        try:
            with target.open("rb") as source:
                shutil.copyfileobj(source, sink, CHUNK_BYTES)
            sink.commit()
        except BaseException:
            sink.abort()
            raise
    return key, size_bytes, info


def _check_size(limits: SizeLimits, size_bytes: int, *, audio_only_mode: bool) -> None:
    limit = limits.video_mb if audio_only_mode else limits.audio_mb
    if size_bytes > limit * _MIB:
        raise _too_large(limits, limit, audio_only_mode=audio_only_mode)


def _too_large(limits: SizeLimits, limit_mb: int, *, audio_only_mode: bool) -> TooLarge:
    """Return the documented refusal of a file that is over a limit."""
    return TooLarge(
        f"The file is larger than the {limit_mb} MB this server accepts.",
        max_size_mb=limits.audio_mb,
        effective_limit_mb=limit_mb,
        audio_only_mode=audio_only_mode,
    )


def over_every_limit() -> TooLarge:
    """Return the refusal of a body that is too large whatever is in it."""
    limits = size_limits()
    return _too_large(limits, limits.most_mb, audio_only_mode=limits.video_mb > limits.audio_mb)


def create(actor: Actor, media: StoredMedia, form: UploadForm) -> tuple[Recording, Duplicate | None]:
    """Write the recording, its tags, its event with deliveries and its job; all or nothing."""
    budgets.admit_upload(actor.user_id, size_bytes=media.size_bytes, seconds=media.info.duration_seconds)
    user = db.session.get_one(User, actor.user_id)
    tags, folder = _tags(actor, form), _folder(actor, form)
    moment = now()
    duplicate = _duplicate(actor, media.sha256)
    wanted = _hints(form, tags=tags, folder=folder, user=user)
    options = hints.to_json(wanted)
    if form.prompt_variables:
        options["prompt_variables"] = dict(form.prompt_variables)
    recording = Recording(
        user_id=actor.user_id,
        folder_id=folder.id if folder else None,
        title=(form.title or "").strip()[:200] or placeholder_title(form.filename),
        notes=form.notes,
        original_filename=form.filename,
        mime_type=media.info.mime_type,
        file_size=media.size_bytes,
        sha256=media.sha256,
        storage_key=media.key,
        has_video=media.info.has_video,
        keep_audio_only=form.keep_audio_only,
        audio_duration=media.info.duration_seconds,
        created_at=moment,
        meeting_date=form.meeting_date or form.file_last_modified or media.info.recorded_at or moment,
        hints=options,
    )
    db.session.add(recording)
    db.session.flush()  # to know recording.id
    db.session.add_all(
        RecordingTag(recording_id=recording.id, tag_id=tag.id, position=position)
        for position, tag in enumerate(tags, start=1)
    )
    events.record(
        actor.user_id,
        RecordingCreated(
            recording_id=recording.id,
            title=recording.title,
            file_size=recording.file_size,
            original_filename=recording.original_filename,
        ),
        recording_id=recording.id,
    )
    jobs.submit(recording, JobKind.TRANSCRIBE, options)
    search_index.index(recording.id)
    return recording, duplicate


def _hints(form: UploadForm, *, tags: Sequence[Tag], folder: Folder | None, user: User) -> Hints:
    asked = asdict(form.hints)
    if form.is_language_given and asked["language"] is None:
        asked["language"] = ""
    return hints.resolve(asked, tags=tags, folder=folder, user=user, models=engines.offered_models())


def _tags(actor: Actor, form: UploadForm) -> Sequence[Tag]:
    tags = tagging.usable(actor, form.tag_ids, form.tag_names)
    return tags if tags or not form.fallback_tag_ids else tagging.usable(actor, form.fallback_tag_ids)


def _folder(actor: Actor, form: UploadForm) -> Folder | None:
    if form.folder_id is None or not folders.are_enabled():
        return None
    return db.session.scalar(
        select(Folder).where(Folder.id == form.folder_id, memberships.can_use(Folder, actor))
    )


def _duplicate(actor: Actor, sha256: str) -> Duplicate | None:
    row = db.session.execute(
        select(Recording.id, Recording.title, Recording.created_at)
        .where(Recording.user_id == actor.user_id, Recording.sha256 == sha256)
        .order_by(Recording.id)
        .limit(1)
    ).first()
    return Duplicate(row.id, row.title, row.created_at) if row else None

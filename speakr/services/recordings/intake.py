"""Create a recording from a stored file: examine the bytes first, then write all rows in one transaction."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import after_commit, after_rollback, db, release, unit_of_work
from speakr.domain import recording_dates
from speakr.domain.caps import CAPS, Noun
from speakr.domain.clock import now
from speakr.domain.events import RecordingCreated
from speakr.domain.jobs import JobKind
from speakr.domain.permissions import Actor
from speakr.domain.recordings import Channels, DateSource, Warned, placeholder_title
from speakr.domain.transcript import Hints
from speakr.media.base import MediaInfo, MediaLimits
from speakr.media.extract import extract_audio
from speakr.media.probe import probe
from speakr.media.refusals import NotCopied
from speakr.models import Folder, Recording, RecordingTag, Tag, User
from speakr.offload import run_blocking
from speakr.services import caps
from speakr.services.accounts import budgets, memberships
from speakr.services.jobs import requests as jobs
from speakr.services.recordings import folders, moments, tagging
from speakr.services.recordings.size_limits import MIB, SizeLimits
from speakr.services.recordings.space import reporting_full_storage
from speakr.services.search import indexing
from speakr.services.speech import engines, hints
from speakr.services.system import unwanted_blobs
from speakr.services.webhooks import events
from speakr.storage.base import CHUNK_BYTES, new_key

T = TypeVar("T")

_sandboxes = threading.BoundedSemaphore(4)
"""Files that one process examines at the same time; each needs a child process of 40 MB and one processor."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A committed blob of received bytes. Without `sha256`, `examine` computes the hash."""

    key: str
    sha256: str | None
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMedia:
    """An examined blob: its format and its key. `sha256` is the hash of the bytes as received."""

    key: str
    sha256: str
    size_bytes: int
    info: MediaInfo
    original_key: str
    """The blob as received; it differs from `key` when only the audio tracks of a video are kept."""
    warnings: Sequence[Warned] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadForm:
    """The fields that came with the file. All but the filename are optional."""

    filename: str
    title: str | None = None
    notes: str | None = None
    meeting_date: datetime | None = None
    file_last_modified: datetime | None = None
    file_time_hint: datetime | None = None
    """When the file was changed; counts less than what the file itself says."""
    tag_ids: Sequence[int] = ()
    fallback_tag_ids: Sequence[int] = ()
    """Used if none of the other tags can be used."""
    tag_names: Sequence[str] = ()
    folder_id: int | None = None
    keep_audio_only: bool = False
    channels: Channels = Channels.AUTO
    hints: Hints = field(default_factory=Hints)
    is_language_given: bool = False
    prompt_variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An older recording of the same bytes."""

    recording_id: int
    title: str
    created_at: datetime


def examine(file: StoredFile, limits: SizeLimits, *, is_sound_enough: bool) -> StoredMedia:
    """Examine an uploaded blob, and extract the audio of a video unless the video is kept.

    This is slow, because a child process reads the file, so no transaction may be open. It deletes nothing.

    Raises:
        UnusableMedia: the file has no audio that can be decoded.
        TooLarge: the file exceeds the limit for its kind; the message names the limit.
        OutOfSpace: the storage has no space for the audio in addition to the video.

    """
    backends = get_backends()
    settings = backends.settings
    release()
    with _sandboxes, backends.storage.local_path(file.key) as path:
        info = probe(path, MediaLimits(max_seconds=settings.max_duration_hours * 3600))
        audio_only = info.has_video and (is_sound_enough or not settings.video_retention)
        warnings: tuple[Warned, ...] = ()
        if audio_only and not all(track.is_decodable for track in info.tracks):
            # What was not transcribed is not deleted either.
            audio_only, warnings = False, (Warned.VIDEO_KEPT,)
        limits.require_fits(file.size_bytes, is_audio_kept_only=audio_only)
        sha256 = file.sha256 or hash_file(path)
        if not audio_only:
            return _as_received(file, sha256, info, warnings)
        try:
            with reporting_full_storage():
                audio_key, audio_bytes, audio = _store_audio(path, limits)
        except NotCopied:
            limits.require_fits(file.size_bytes, is_audio_kept_only=False)
            return _as_received(file, sha256, info, (Warned.VIDEO_KEPT,))
    # Keep the container's date even if only the audio is kept.
    info = replace(audio, recorded_at=info.recorded_at or audio.recorded_at)
    return StoredMedia(key=audio_key, sha256=sha256, size_bytes=audio_bytes, info=info, original_key=file.key)


def _as_received(file: StoredFile, sha256: str, info: MediaInfo, warnings: Sequence[Warned]) -> StoredMedia:
    return StoredMedia(
        key=file.key,
        sha256=sha256,
        size_bytes=file.size_bytes,
        info=info,
        original_key=file.key,
        warnings=warnings,
    )


def look_at(key: str, size_bytes: int, limits: SizeLimits) -> MediaInfo:
    """Examine a blob whose sound alone is of interest. This is slow, so no transaction may be open.

    Raises:
        UnusableMedia: the file has no audio that can be decoded.
        TooLarge: the file exceeds the limit for its kind.

    """
    settings = get_backends().settings
    release()
    with _sandboxes, get_backends().storage.local_path(key) as path:
        info = probe(path, MediaLimits(max_seconds=settings.max_duration_hours * 3600))
    limits.require_fits(size_bytes, is_audio_kept_only=info.has_video)
    return info


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, while other greenlets continue."""

    def digest() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    return run_blocking(digest)


def _store_audio(video: Path, limits: SizeLimits) -> tuple[str, int, MediaInfo]:
    settings, storage = get_backends().settings, get_backends().storage
    with tempfile.TemporaryDirectory(prefix="speakr-", dir=settings.scratch_dir or None) as folder:
        target = Path(folder) / "audio"
        info = extract_audio(video, target)
        size_bytes = target.stat().st_size
        if size_bytes > limits.audio_mb * MIB:
            raise limits.sound_too_large(size_bytes)
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


def store(actor: Actor, media: StoredMedia, form: UploadForm) -> tuple[Recording, Duplicate | None]:
    """Write the rows in a unit of work. A rollback deletes all blobs, a commit the blob that is not kept."""

    def write() -> tuple[Recording, Duplicate | None]:
        stored = create(actor, media, form)
        drop_original(media)
        return stored

    return in_unit_with_blobs((media.key, media.original_key), write)


def in_unit_with_blobs(keys: Iterable[str], write: Callable[[], T]) -> T:
    """Write rows in a unit of work, again after a conflict; delete these blobs if the last try is rolled back.

    The bytes of an upload are received once, so they outlast a conflict.
    """
    blobs = list(dict.fromkeys(keys))
    is_last, is_undone = False, False

    def undo() -> None:
        nonlocal is_undone
        is_undone = True
        if is_last:  # what follows in the same transaction has failed
            delete_blobs(blobs)

    def unit() -> T:
        nonlocal is_undone
        is_undone = False
        with unit_of_work():
            after_rollback(undo)
            return write()

    try:
        written = conflicts.repeat(unit)
    except BaseException:
        if is_undone:
            delete_blobs(blobs)
        raise
    is_last = True
    return written


def drop_original(media: StoredMedia) -> None:
    """Mark the video for deletion if only its audio is kept. Call this in the transaction that stores the audio."""
    if media.original_key != media.key:
        unwanted_blobs.add(media.original_key)
        after_commit(_clear_unwanted)


def _clear_unwanted() -> None:
    unwanted_blobs.clear()


def delete_blobs(keys: Iterable[str]) -> None:
    """Delete blobs for which no row was written."""
    for key in keys:
        get_backends().storage.delete(key)


def create(actor: Actor, media: StoredMedia, form: UploadForm) -> tuple[Recording, Duplicate | None]:
    """Write the recording, its tags, its event with deliveries and its job: all or none."""
    budgets.admit_upload(actor.user_id, size_bytes=media.size_bytes, seconds=media.info.duration_seconds)
    user = db.session.get_one(User, actor.user_id)
    tags, folder = _tags(actor, form), _folder(actor, form)
    moment = now()
    meeting_date, date_source = _date(form, media.info, user, moment)
    duplicate = _duplicate(actor, media.sha256)
    wanted = _hints(form, tags=tags, folder=folder, user=user)
    options = hints.to_json(wanted)
    if form.channels is not Channels.AUTO:
        options["channels"] = form.channels.value
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
        meeting_date=meeting_date,
        meeting_date_source=date_source.value,
        tracks=[track.to_json(index) for index, track in enumerate(media.info.tracks)],
        warnings=[code.value for code in media.warnings],
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
    indexing.index(recording.id)
    return recording, duplicate


def _date(form: UploadForm, info: MediaInfo, user: User, moment: datetime) -> tuple[datetime, DateSource]:
    """Return when the recording was made, and how that is known: the most trustworthy source that says it."""
    sources = (
        (form.file_last_modified, DateSource.FILE_LAST_MODIFIED),
        (info.recorded_at, DateSource.EMBEDDED),
        (recording_dates.from_filename(form.filename, moment), DateSource.FILE_NAME),
        (form.file_time_hint, DateSource.FILE_TIME_HINT),
    )
    if form.meeting_date is not None:
        return form.meeting_date, DateSource.GIVEN
    for found, source in sources:
        if found is not None and recording_dates.is_believable(found, moment):
            return recording_dates.in_zone(found, moments.time_zone_of(user)), source
    return moment, DateSource.UPLOAD


def _hints(form: UploadForm, *, tags: Sequence[Tag], folder: Folder | None, user: User) -> Hints:
    asked = asdict(form.hints)
    if form.is_language_given and asked["language"] is None:
        asked["language"] = ""
    return hints.resolve(asked, tags=tags, folder=folder, user=user, offered_models=engines.offered_models)


def _tags(actor: Actor, form: UploadForm) -> Sequence[Tag]:
    tags = tagging.usable(actor, form.tag_ids, form.tag_names)
    if not tags and form.fallback_tag_ids:
        tags = tagging.usable(actor, form.fallback_tag_ids)
    if len(tags) > CAPS[Noun.RECORDING_TAGS]:
        raise caps.reached(Noun.RECORDING_TAGS)
    return tags


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

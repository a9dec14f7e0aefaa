"""Delete what crashed uploads and jobs leave in the storage: partial writes, and blobs that no row refers to.

A blob is written before its row, so every blob is without a row at first. Only its age distinguishes a blob that
waits for its row from one whose process died.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

import structlog
from redis.exceptions import RedisError
from sqlalchemy import CompoundSelect, func, select, union_all

from speakr.backends import get_backends
from speakr.db import db, release
from speakr.domain.clock import now
from speakr.domain.errors import SpeakrError
from speakr.models import Recording, UnwantedBlob, UploadPart, User
from speakr.services.jobs import blobs
from speakr.services.system import storage_owner
from speakr.storage.base import PREFIXES, BlobInfo

logger = structlog.get_logger(__name__)

PARTIAL_AGE = timedelta(hours=24)
"""S3 counts from the start of an upload, and a large one may take hours over a slow line."""

BLOB_AGE = timedelta(hours=24)
"""A row follows its blob within minutes of the last byte, but S3 may date a blob to the start of its upload."""

AT_ONCE = 500
"""Blobs or partial writes per step."""

_CHECKED_AT_ONCE = 20
"""Deletions per check of the rows: few, so that each check is recent."""

PARTIAL, BLOB = "partial", "blob"
ORPHAN_COUNTS_KEY = "speakr:orphans:counts"
"""Numbers of deletions by all processes since Redis was last emptied, by kind."""

_unreported: Counter[str] = Counter()
"""Numbers of deletions by this process that are not in Redis yet, by kind."""


class ForeignStorage(SpeakrError):
    """The storage belongs to another database, whose recordings would count as orphans."""

    code = "foreign_storage"

    def __init__(self) -> None:
        super().__init__(
            "The storage belongs to another database, so no orphans are removed. Give each database a storage of "
            "its own. If the other database is gone, run: speakr remove-orphans --take-over"
        )


class Sweep:
    """One pass over the storage: call `step` until it returns False, outside of any transaction.

    After an exception, `step` may be called again. It skips what failed; the next pass finds it again.
    """

    def __init__(self, *, dry_run: bool = False) -> None:
        self._dry_run = dry_run
        self._is_checked = False
        self._has_partial = True
        self._prefixes = list(PREFIXES)
        self._listing: Iterator[tuple[str, BlobInfo]] | None = None
        self.counts: Counter[str] = Counter()
        """Numbers of deletions so far, or of intended ones in a dry run, by kind."""
        self.found: list[tuple[str, BlobInfo]] = []
        """The blobs of the last step that were deleted, or would be."""
        self.foreign = 0
        """Number of blobs without a row that are older than the database; these are not deleted."""

    def step(self) -> bool:
        """Check up to `AT_ONCE` partial writes or blobs; return whether there may be more.

        Raises:
            ForeignStorage: the storage belongs to another database. Nothing was deleted.

        """
        self.found = []
        release()
        try:
            return self._step()
        finally:
            _report_counts()

    def _step(self) -> bool:
        if not self._is_checked:
            if not storage_owner.owns_storage(dry_run=self._dry_run):
                raise ForeignStorage
            self._is_checked = True
        if self._has_partial:
            self._has_partial = False  # before the work: if it fails, the next step continues with the blobs
            self._remove_partial()
            return True
        if self._listing is None:
            if not self._prefixes:
                return False
            self._listing = get_backends().storage.keys(self._prefixes.pop(0))
        # A listing ends when it fails, and the next prefix follows.
        batch = dict(islice(self._listing, AT_ONCE))
        if batch:
            self._remove_unused(batch)
        else:
            self._listing = None
            self._warn_of_foreign()
        return True

    def _remove_partial(self) -> None:
        storage, age = get_backends().storage, PARTIAL_AGE.total_seconds()
        if self._dry_run:
            self.counts[PARTIAL] += storage.sweep_partial(age, dry_run=True)
            return
        removed = storage.sweep_partial(age, at_most=AT_ONCE)
        self._count(PARTIAL, removed)
        self._has_partial = removed == AT_ONCE
        if removed:
            logger.info("partial_writes_removed", count=removed)

    def _remove_unused(self, batch: Mapping[str, BlobInfo]) -> None:
        before = now() - BLOB_AGE
        unused = _unused([key for key, info in batch.items() if info.modified_at <= before])
        ours = self._without_foreign(batch, unused)
        if self._dry_run:
            self.found = [(key, batch[key]) for key in ours]
            self.counts[BLOB] += len(ours)
            return
        for start in range(0, len(ours), _CHECKED_AT_ONCE):
            for key in _unused(ours[start : start + _CHECKED_AT_ONCE]):
                get_backends().storage.delete(key)
                self.found.append((key, batch[key]))
                self._count(BLOB, 1)
                logger.info("orphan_removed", key=key, size_bytes=batch[key].size_bytes)

    def _without_foreign(self, batch: Mapping[str, BlobInfo], unused: Sequence[str]) -> Sequence[str]:
        """Leave out blobs that are older than the first user.

        A new, empty database that is configured with a full storage by mistake must not empty it.
        """
        if not unused:
            return []
        first = _first_user_at()
        ours = [key for key in unused if first is not None and batch[key].modified_at >= first]
        self.foreign += len(unused) - len(ours)
        return ours

    def _warn_of_foreign(self) -> None:
        if self.foreign and not self._prefixes:
            logger.warning("blobs_older_than_the_database", count=self.foreign)

    def _count(self, kind: str, count: int) -> None:
        self.counts[kind] += count
        _unreported[kind] += count


def _unused(keys: Collection[str]) -> list[str]:
    """Return those keys that no row refers to, and end the transaction."""
    if not keys:
        return []
    query: CompoundSelect[str] = union_all(
        select(Recording.storage_key).where(Recording.storage_key.in_(keys)),
        blobs.in_use(keys),
        select(UploadPart.storage_key).where(UploadPart.storage_key.in_(keys)),
        select(UnwantedBlob.storage_key).where(UnwantedBlob.storage_key.in_(keys)),  # deleted there
    )
    used = set(db.session.scalars(query))
    release()
    return [key for key in keys if key not in used]


def _first_user_at() -> datetime | None:
    first = db.session.scalar(select(func.min(User.created_at)))
    release()
    return first


def _report_counts() -> None:
    """Add the new deletions to the counts in Redis; if Redis is unreachable, keep them for the next call."""
    for kind, count in list(_unreported.items()):
        try:
            get_backends().memory.hincrby(ORPHAN_COUNTS_KEY, kind, count)
        except RedisError:
            return
        del _unreported[kind]


def removed_counts() -> dict[str, int]:
    """Return the numbers of deletions by all processes, by kind; empty while Redis is unreachable."""
    try:
        partial, blobs = get_backends().memory.hmget(ORPHAN_COUNTS_KEY, [PARTIAL, BLOB])
    except RedisError:
        return {}
    return {PARTIAL: int(partial or 0), BLOB: int(blobs or 0)}

"""Write the bytes of one request to a resumable upload.

Bytes are stored in steps: they are made durable first and then counted by a compare-and-set on the claim's fence. If
the client, the connection or the process fails, counted bytes are stored, and the next request overwrites uncounted
ones.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Protocol

from sqlalchemy import delete, update

from speakr.backends import get_backends
from speakr.db import db, release, unit_of_work
from speakr.domain.clock import now
from speakr.domain.errors import Conflict, Invalid, NotFound, TooLarge
from speakr.domain.permissions import Actor
from speakr.models import Upload, UploadPart
from speakr.services.recordings import resumable
from speakr.services.recordings.resumable import LOCK, Claim
from speakr.services.recordings.space import reporting_full_storage
from speakr.storage.base import Appender, BlobMissing, Part, StorageUnavailable

STEP_BYTES = 8 * 1024 * 1024
"""The most that a dying process loses, and what an S3 upload buffers in memory."""
_RENEW_EVERY_SECONDS = LOCK.total_seconds() / 3


class Checksum(Protocol):
    """The checksum that the client sent for the bytes of one request."""

    def update(self, data: bytes) -> None:
        """Hash the next bytes."""
        ...

    def is_right(self) -> bool:
        """Compare the checksum, after the last byte."""
        ...


def receive(
    actor: Actor, upload_id: int, offset: int, blocks: Iterable[bytes], checksum: Checksum | None = None
) -> Claim:
    """Write the blocks to an upload from `offset` on; return the new position, with the lock ended.

    If the blocks stop with an exception, the earlier ones are kept. With a checksum, all blocks count or none.

    Raises:
        NotFound, Conflict, UploadLocked: see `resumable.claim`; `upload_taken_over` if another request takes over.
        TooLarge: `upload_overflow`: more bytes than the upload's size.
        Invalid: `checksum_mismatch`.
        OutOfSpace: the storage is full.

    """
    with unit_of_work():
        claim = resumable.claim(actor, upload_id, offset)
    return write(claim, blocks, checksum)


def write(claim: Claim, blocks: Iterable[bytes], checksum: Checksum | None = None) -> Claim:
    """Do so for an upload that is claimed already. Raises as `receive` does, but for `UploadLocked`."""
    writer = _Writer(claim, is_whole=checksum is not None)
    try:
        writer.open()
        for block in blocks:
            writer.write(block)
            if checksum is not None:
                checksum.update(block)
        if checksum is not None:
            _verify(checksum)
    except BaseException:
        with contextlib.suppress(Conflict, NotFound):  # report the first error
            writer.close(is_complete=False)
        raise
    return writer.close(is_complete=True)


def _verify(checksum: Checksum) -> None:
    if not checksum.is_right():
        raise Invalid("The bytes do not match the checksum sent with them.", code="checksum_mismatch")


class _Writer:
    """Writes the bytes of one request to the storage."""

    def __init__(self, claim: Claim, *, is_whole: bool) -> None:
        self._claim = claim
        self._is_whole = is_whole
        self._offset = claim.received_bytes
        self._counted_bytes = claim.received_bytes
        self._parts: Sequence[Part] = claim.parts
        self._known_keys = {part.key for part in claim.parts}
        """Keys of blobs that the rows name or that only this writer knows."""
        self._counted_keys = set(self._known_keys)
        self._unsynced_bytes = 0
        self._renewed_at = time.monotonic()
        self._appender: Appender | None = None

    def open(self) -> None:
        try:
            with reporting_full_storage():
                self._appender = get_backends().storage.append(self._claim.parts)
        except BlobMissing:
            raise NotFound("The bytes of this upload are lost.", code="upload_lost") from None

    def write(self, data: bytes) -> None:
        if self._offset + len(data) > self._claim.size_bytes:
            raise TooLarge("The request has more bytes than the size of the upload.", code="upload_overflow")
        if time.monotonic() - self._renewed_at > _RENEW_EVERY_SECONDS:
            self._change_row(held_until=now() + LOCK)
        with reporting_full_storage():
            self._opened().write(data)
        self._offset += len(data)
        self._unsynced_bytes += len(data)
        if self._unsynced_bytes >= STEP_BYTES:
            self._sync()
            if not self._is_whole:
                self._count()

    def close(self, *, is_complete: bool) -> Claim:
        """Count the bytes to keep and end the lock. Return the claim at its new position."""
        try:
            if self._appender is not None and (is_complete or not self._is_whole):
                self._sync()
                self._count(is_last=True)
            else:
                self._change_row(held_until=None)
        finally:
            if self._appender is not None:
                self._appender.close()
            self._drop_uncounted()
        return Claim(
            self._claim.upload_id,
            self._claim.fence,
            self._claim.size_bytes,
            self._counted_bytes,
            self._parts,
            self._claim.state,
        )

    def _opened(self) -> Appender:
        if self._appender is None:
            raise RuntimeError("the upload was not opened")
        return self._appender

    def _sync(self) -> None:
        """Make the written bytes durable."""
        if self._unsynced_bytes == 0:
            return
        release()
        with reporting_full_storage():
            self._parts = self._opened().sync()
        self._known_keys |= {part.key for part in self._parts}
        self._unsynced_bytes = 0

    def _count(self, *, is_last: bool = False) -> None:
        """Store the number of durable bytes in the row."""
        if self._offset == self._counted_bytes:
            if is_last:
                self._change_row(held_until=None)
            return
        moment = now()
        with unit_of_work():
            self._update(
                received_bytes=self._offset,
                expires_at=resumable.expiry(),
                held_until=None if is_last else moment + LOCK,
            )
            self._store_parts()
            keys = {part.key for part in self._parts}
            resumable.delete_blobs(sorted(self._known_keys - keys))
        self._known_keys = self._counted_keys = keys
        self._counted_bytes = self._offset
        self._renewed_at = time.monotonic()

    def _store_parts(self) -> None:
        of_this = UploadPart.upload_id == self._claim.upload_id
        db.session.execute(delete(UploadPart).where(of_this).execution_options(synchronize_session=False))
        db.session.add_all(
            UploadPart(
                upload_id=self._claim.upload_id,
                position=position,
                storage_key=part.key,
                size_bytes=part.size_bytes,
            )
            for position, part in enumerate(self._parts)
        )

    def _change_row(self, **values: object) -> None:
        release()
        with unit_of_work():
            self._update(**values)
        self._renewed_at = time.monotonic()

    def _update(self, **values: object) -> None:
        """Change the row if the claim is still valid; otherwise raise `Conflict`."""
        changed = db.session.execute(
            update(Upload)
            .where(self._claim.holds())
            .values(**values)
            .returning(Upload.id)
            .execution_options(synchronize_session=False)
        ).first()
        if changed is None:
            raise Conflict("Another request has taken over this upload.", code="upload_taken_over")

    def _drop_uncounted(self) -> None:
        """Delete blobs that no row will name. If the process dies first, the orphan sweep deletes them."""
        for key in self._known_keys - self._counted_keys:
            with contextlib.suppress(StorageUnavailable):
                get_backends().storage.delete(key)

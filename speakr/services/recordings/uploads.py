"""Receive a file: store its bytes, examine them, and create a recording.

Each API family uploads with these lines; it parses its own form and renders its own response:

    with uploads.begin() as incoming:
        received = receive_upload(request, incoming)
        recording, duplicate = incoming.complete(actor, read_form(received))

A failure at any point leaves no bytes behind: before the commit the sink is aborted, afterwards the blob is deleted.
If the process dies, the sweep of `services/system/orphans.py` deletes the rest.
"""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import Self

from speakr.backends import get_backends
from speakr.db import release
from speakr.domain.errors import TooLarge
from speakr.domain.permissions import Actor
from speakr.models import Recording
from speakr.services.recordings import intake, size_limits
from speakr.services.recordings.intake import Duplicate, StoredFile, UploadForm
from speakr.services.recordings.size_limits import SizeLimits
from speakr.services.recordings.space import out_of_space
from speakr.storage.base import Sink, Storage, StorageFull, new_key


class IncomingFile:
    """A file that is being received: limited, counted and hashed. Its `with` block aborts an uncommitted file."""

    def __init__(self, storage: Storage, limits: SizeLimits) -> None:
        self.size_bytes = 0
        self.max_bytes = limits.max_bytes
        self._storage = storage
        self._limits = limits
        self._key = new_key("audio")
        self._sha256 = hashlib.sha256()
        self._sink: Sink | None = None

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def open(self) -> None:
        """Open the storage for writing. Raises `OutOfSpace`."""
        try:
            self._sink = self._storage.create(self._key)
        except StorageFull as error:
            raise out_of_space() from error

    def write(self, data: bytes) -> None:
        """Append bytes. Raises `TooLarge`, `OutOfSpace`."""
        self.size_bytes += len(data)
        if self.size_bytes > self.max_bytes:
            raise self.too_large()
        self._sha256.update(data)
        try:
            self._opened().write(data)
        except StorageFull as error:
            raise out_of_space() from error

    def abort(self) -> None:
        """Discard the written bytes, unless they were committed."""
        if self._sink is not None:
            self._sink.abort()

    def too_large(self) -> TooLarge:
        """Return the error for a file over every limit."""
        return self._limits.too_large()

    def make_durable(self) -> StoredFile:
        """Sync the received bytes. The caller deletes the blob if it is not used. Raises `OutOfSpace`."""
        try:
            self._opened().commit()
        except StorageFull as error:
            raise out_of_space() from error
        return StoredFile(self._key, self.sha256, self.size_bytes)

    def complete(self, actor: Actor, form: UploadForm) -> tuple[Recording, Duplicate | None]:
        """Create the recording from the received bytes.

        This is slow: the file is synced and examined before the transaction begins.

        Raises:
            UnusableMedia, TooLarge, OutOfSpace, Forbidden: see `intake`; nothing is stored.

        """
        file = self.make_durable()
        try:
            media = intake.examine(file, self._limits, is_sound_enough=form.keep_audio_only)
        except BaseException:
            self._storage.delete(self._key)
            raise
        return intake.store(actor, media, form)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _opened(self) -> Sink:
        if self._sink is None:
            raise RuntimeError("no file was opened")
        return self._sink


def begin() -> IncomingFile:
    """Prepare to receive a file. Leaves no transaction open, because the bytes may take minutes to arrive."""
    limits = size_limits.current()
    release()
    return IncomingFile(get_backends().storage, limits)

"""Receiving a file: its bytes go into the storage, are examined, and become a recording.

Any API family uploads in these lines; it parses its own form and renders its own answer:

    with uploads.begin() as incoming:
        received = receive_upload(request, incoming)
        recording, duplicate = incoming.complete(actor, read_form(received))

Whatever fails in between, no byte stays behind: before the commit the sink is aborted, after it the blob is
deleted. If the process dies, the sweep of `services/orphans.py` removes what is left.
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
    """A file on its way into the storage: bounded, counted and hashed. At the end of its block it is aborted."""

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
        """The hash of the bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()

    def open(self) -> None:
        """Begin to write. Raises `OutOfSpace`."""
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
        """Drop what was written, unless it was committed."""
        if self._sink is not None:
            self._sink.abort()

    def too_large(self) -> TooLarge:
        """Return the refusal of a file that is over every limit."""
        return self._limits.too_large()

    def complete(self, actor: Actor, form: UploadForm) -> tuple[Recording, Duplicate | None]:
        """Make the recording of what was received.

        Slow: the file is synced and examined before the transaction begins.

        Raises:
            UnusableMedia, TooLarge, OutOfSpace, Forbidden: see `intake`; nothing is kept then.

        """
        sink = self._opened()
        try:
            sink.commit()
        except StorageFull as error:
            raise out_of_space() from error
        file = StoredFile(self._key, self.sha256, self.size_bytes)
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
    """Prepare to receive a file; no transaction is open afterwards, for the bytes may take minutes to arrive."""
    limits = size_limits.current()
    release()
    return IncomingFile(get_backends().storage, limits)

"""Sending a large file by tus 1.0: in pieces, and after a break from where the server says.

With a memory the address of the upload is kept in a file until the upload is done, so that another run of the client
goes on with it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speakr.client.errors import ApiError, ClientError, FileTrouble, Unreachable
from speakr.client.multipart import Mark, Progress
from speakr.client.transport import PAUSES_SECONDS, Json, Transport

RESUMABLE_BYTES = 64 * 1024 * 1024
"""Larger files are sent in pieces."""
PIECE_BYTES = 32 * 1024 * 1024
_BLOCK_BYTES = 256 * 1024
_GONE = 404
_TRY_AGAIN = frozenset({409, 423, 429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class Memory:
    """Where addresses of unfinished uploads are kept: a folder, one small file for each."""

    folder: Path

    def file_of(self, *identity: object) -> Path:
        """Return the file for one upload; whatever makes it another upload is part of the name."""
        name = hashlib.sha256(json.dumps(identity, default=str).encode()).hexdigest()[:32]
        return self.folder / f"{name}.json"

    def recall(self, file: Path) -> str | None:
        """Return the address that was kept, if there is one."""
        try:
            return str(json.loads(file.read_text("utf-8"))["path"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, file: Path, path: str) -> None:
        """Write an address so that a crash leaves the old file or the new one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps({"path": path}), "utf-8")
        unfinished.replace(file)

    def forget(self, file: Path) -> None:
        """Remove an address."""
        file.unlink(missing_ok=True)


class Piece:
    """A part of a file as `requests` sends it: read from the disk, with its length known before."""

    def __init__(self, path: Path, mark: Mark, start: int, length: int, progress: Progress | None) -> None:
        self._path = path
        self._mark = mark
        self._position = start
        self._end = start + length
        self._length = length
        self._progress = progress

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """Yield the blocks. Raises `FileTrouble` when the file is not what it was."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._position)
                while self._position < self._end:
                    block = file.read(min(_BLOCK_BYTES, self._end - self._position))
                    if not block or Mark.of(file.fileno()) != self._mark:
                        raise FileTrouble(
                            f"{self._path.name} changed while it was being sent; send it again."
                        )
                    self._position += len(block)
                    yield block
                    if self._progress is not None:
                        self._progress(self._position, self._mark.size)
        except OSError as error:  # not to be taken for trouble of the network
            raise FileTrouble(f"{self._path.name} cannot be read: {error.strerror}.") from error


@dataclass(slots=True)
class ResumableUpload:
    """One file on its way to one server."""

    transport: Transport
    path: Path
    filename: str
    fields: Sequence[tuple[str, str]]
    memory: Memory | None = None
    progress: Progress | None = None
    sleep: Callable[[float], None] = time.sleep

    def run(self) -> Json:
        """Send the file, or what the server lacks of it, and return the recording.

        Raises:
            ApiError: the server refuses the file.
            Unreachable: no progress was made for about a minute.
            FileTrouble: the file changed; the upload is given up.

        """
        mark = Mark.of(self.path)
        kept = self._kept_in(mark)
        address = self.memory.recall(kept) if self.memory and kept else None
        pauses = iter(PAUSES_SECONDS)
        offset = -1
        while True:
            try:
                if address is None:
                    address = self._open(mark)
                    if self.memory and kept:
                        self.memory.keep(kept, address)
                state = self.transport.ask("GET", address)
                if state["received_bytes"] > offset:
                    offset, pauses = state["received_bytes"], iter(PAUSES_SECONDS)
                if state["state"] == "receiving":
                    self._send(address, mark, offset)
                    continue
                return self._outcome(state, kept)
            except FileTrouble:
                self._give_up(address, kept)
                raise
            except (ApiError, Unreachable) as error:
                if isinstance(error, ApiError) and error.status == _GONE and address is not None:
                    address, offset = None, -1  # it has expired, or belongs to another server
                    continue
                pause = next(pauses, None)
                if pause is None or not _may_help(error):
                    raise
                self.sleep(pause)

    def _open(self, mark: Mark) -> str:
        fields = [("filename", self.filename), *self.fields]
        metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in fields)
        answer = self.transport.send(
            "POST", "/uploads", headers={"Upload-Length": str(mark.size), "Upload-Metadata": metadata}
        )
        location = answer.headers.get("Location", "")
        _, found, number = location.rpartition("/api/v1/uploads/")
        if not found or not number.isdigit():
            raise ApiError(answer.status_code, "not_speakr", "What answers at this address is not Speakr.")
        return f"/uploads/{number}"

    def _send(self, address: str, mark: Mark, offset: int) -> None:
        length = min(PIECE_BYTES, mark.size - offset)
        if length < 0 or Mark.of(self.path) != mark:
            raise FileTrouble(f"{self.path.name} changed while it was being sent; send it again.")
        piece: Any = Piece(self.path, mark, offset, length, self.progress) if length else b""
        headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
        self.transport.send("PATCH", address, headers=headers, data=piece)

    def _outcome(self, state: Json, kept: Path | None) -> Json:
        if self.memory and kept:
            self.memory.forget(kept)
        if state["state"] == "failed":
            error = state["error"] or {}
            raise ApiError(400, error.get("code", "invalid"), error.get("error", "The file was refused."))
        return self.transport.ask("GET", f"/recordings/{state['recording_id']}", params={"format": "minimal"})

    def _kept_in(self, mark: Mark) -> Path | None:
        if self.memory is None:
            return None
        return self.memory.file_of(
            self.transport.base_url, self.path.resolve(), mark.inode, mark.size, mark.modified_ns,
            self.filename, list(self.fields),
        )  # fmt: skip

    def _give_up(self, address: str | None, kept: Path | None) -> None:
        if self.memory and kept:
            self.memory.forget(kept)
        if address is not None:
            try:
                self.transport.ask("DELETE", address)
            except ClientError:
                return  # it will expire


def _may_help(error: ClientError) -> bool:
    """Tell whether the same may do better later."""
    if isinstance(error, ApiError):
        return error.status in _TRY_AGAIN and error.code != "too_many_uploads"
    return isinstance(error, Unreachable)

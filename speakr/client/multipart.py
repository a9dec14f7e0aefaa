"""A form with a file in it (RFC 7578), read from the disk as it is sent.

`requests` would build the whole body in memory.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from speakr.client.errors import FileTrouble

Progress = Callable[[int, int], None]
"""Called with the bytes sent so far and the size of the file. The count restarts at 0 when an upload is retried."""

_MAX_AT_ONCE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Mark:
    """What changes when a file does."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, file: Path | int) -> Self:
        """Look at a path or at an open file."""
        found = os.stat(file)  # noqa: PTH116 - takes descriptors too
        return cls(found.st_ino, found.st_size, found.st_mtime_ns)


class MultipartBody:
    """The body, as a file that `requests` sends piece by piece, with its length known before."""

    def __init__(
        self,
        path: Path,
        fields: Sequence[tuple[str, str]],
        *,
        filename: str,
        only_as: Mark | None = None,
        progress: Progress | None = None,
    ) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        self._path = path
        self._progress = progress
        self._file = path.open("rb")
        self._mark = Mark.of(self._file.fileno())
        if only_as not in {None, self._mark}:
            self._file.close()
            raise _changed(path)
        self._left_of_file = self._mark.size
        self._head = b"".join(
            [*(_field(boundary, name, value) for name, value in fields), _file_head(boundary, filename)]
        )
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._length = len(self._head) + self._mark.size + len(self._tail)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        """Be a stream to `requests`, which asks for this method and then reads."""
        while piece := self.read():
            yield piece

    def read(self, size: int = -1) -> bytes:
        """Return the next piece, b"" at the end. The end of the file and of the form never come together.

        Raises:
            FileTrouble: the file is not what it was, or unreadable. The form stays unfinished then, so the server
                keeps nothing.

        """
        most = _MAX_AT_ONCE if size < 0 else min(size, _MAX_AT_ONCE)
        if self._head:
            piece, self._head = self._head[:most], self._head[most:]
        elif self._left_of_file:
            piece = self._read_file(most)
        else:
            piece, self._tail = self._tail[:most], self._tail[most:]
        return piece

    def _read_file(self, most: int) -> bytes:
        try:
            piece = self._file.read(min(most, self._left_of_file))
        except OSError as error:  # not to be taken for trouble of the network
            raise FileTrouble(f"{self._path.name} cannot be read: {error.strerror}.") from error
        self._left_of_file -= len(piece)
        is_at_end = not piece or not self._left_of_file
        if is_at_end and (self._left_of_file or Mark.of(self._file.fileno()) != self._mark):
            raise _changed(self._path)
        if self._progress is not None:
            self._progress(self._mark.size - self._left_of_file, self._mark.size)
        return piece


def _changed(path: Path) -> FileTrouble:
    return FileTrouble(f"{path.name} changed while it was being sent; send it again.")


def _field(boundary: str, name: str, value: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
    ).encode("utf-8", "surrogateescape")


def _file_head(boundary: str, filename: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(filename)}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode("utf-8", "surrogateescape")


def _quoted(name: str) -> str:
    """Write a name as browsers do (HTML, "multipart/form-data encoding algorithm")."""
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")

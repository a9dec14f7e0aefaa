"""The journal of a watched folder: lines of JSON, each synced to disk before work continues.

A crash can damage the last line only. Its entry counts as not done, and is done again with the same key.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from speakr.client.errors import ClientError
from speakr.client.multipart import Mark

NAME = ".speakr-watch.jsonl"


@dataclass(frozen=True, slots=True)
class Intent:
    """An upload that is about to be tried: everything that makes a repetition the same request."""

    content: str
    name: str
    key: str
    options: dict[str, Any]
    began_at: float


class Journal:
    """One folder's memory of one library. Only one process has it at a time."""

    def __init__(self, folder: Path, library: str) -> None:
        """Open and read it.

        Raises:
            ClientError: another process watches the folder, its files went to another library, or it cannot be
                written.

        """
        self._path = folder / NAME
        try:
            self._file = self._path.open("a+b", buffering=0)
        except OSError as error:
            raise ClientError(f"{self._path} cannot be written: {error.strerror}.") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise ClientError(f"Another process watches {folder} already.") from None
        self.intents: dict[str, Intent] = {}
        self.sent: dict[str, int] = {}
        self.times_gone: Counter[str] = Counter()
        self.marks: dict[str, tuple[Mark, str]] = {}
        self._refused: set[tuple[str, int]] = set()
        self._skipped: set[str] = set()
        self._library: str | None = None
        self._read()
        self._belong_to(library)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def intend(self, intent: Intent) -> None:
        """Remember an upload before it is tried."""
        self._note({"what": "intent", **asdict(intent)})

    def note_sent(self, content: str, recording_id: int) -> None:
        """Remember that the server has this content."""
        self._note({"what": "sent", "content": content, "recording": recording_id})

    def note_gone(self, content: str) -> None:
        """Record that the server no longer has this content, so that it may be sent again."""
        self._note({"what": "gone", "content": content})

    def note_mark(self, name: str, mark: Mark, content: str) -> None:
        """Remember what is in a file that stays, so that it need not be read again."""
        self._note({"what": "mark", "name": name, "mark": asdict(mark), "content": content})

    def note_refused(self, content: str, mark: Mark, why: str) -> None:
        """Remember that the server does not want this content."""
        self._note({"what": "refused", "content": content, "modified_ns": mark.modified_ns, "why": why})

    def is_refused(self, content: str, mark: Mark) -> bool:
        """Tell whether the server refused this content; `touch` makes it be tried again."""
        return (content, mark.modified_ns) in self._refused

    def skip(self, name: str) -> bool:
        """Remember that a name was passed over; tell whether that is news."""
        if name in self._skipped:
            return False
        self._note({"what": "skipped", "name": name})
        return True

    # -- the file

    def _read(self) -> None:
        self._file.seek(0)
        for line in self._file.readall().splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):
                continue  # empty, or torn by a crash

    def _belong_to(self, library: str) -> None:
        if self._library is None:
            self._note({"what": "library", "library": library})
        elif self._library != library:
            self._file.close()
            raise ClientError(
                f"The files in this folder went to {self._library}, and you are {library}; "
                f"move {self._path} away to start again."
            )

    def _note(self, entry: dict[str, Any]) -> None:
        # The line break in front ends a line that was torn, by a crash or a full disk.
        self._file.write(b"\n" + json.dumps(entry).encode() + b"\n")
        os.fsync(self._file.fileno())
        self._take(entry)

    def _take(self, entry: dict[str, Any]) -> None:
        match entry["what"]:
            case "library":
                self._library = entry["library"]
            case "intent":
                fields = {name: entry[name] for name in Intent.__slots__}
                self.intents[entry["content"]] = Intent(**fields)
            case "sent":
                self.sent[entry["content"]] = entry["recording"]
            case "gone":
                del self.sent[entry["content"]], self.intents[entry["content"]]
                self.times_gone[entry["content"]] += 1
            case "mark":
                self.marks[entry["name"]] = (Mark(**entry["mark"]), entry["content"])
            case "refused":
                self._refused.add((entry["content"], entry["modified_ns"]))
            case "skipped":
                self._skipped.add(entry["name"])

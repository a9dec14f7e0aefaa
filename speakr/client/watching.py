"""Uploading what appears in a folder: each content once, whenever this is killed, and never half a file.

Before an upload is tried, everything that makes it the same request when repeated is in the journal; after it, that
it is done. Killed in between, the next run repeats the request and the server gives its first answer again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from speakr.client.api import Speakr
from speakr.client.errors import ApiError, ClientError, FileTrouble, Unreachable
from speakr.client.journal import Intent, Journal
from speakr.client.multipart import Mark

MEDIA_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".3gpp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".amr", ".ape", ".asf", ".au", ".avi", ".awb",
    ".bwf", ".caf", ".eac3", ".f4v", ".flac", ".flv", ".m2ts", ".m4a", ".m4b", ".m4r", ".m4v", ".mka", ".mkv", ".mov",
    ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mpga", ".mts", ".oga", ".ogg", ".ogv", ".opus", ".qt", ".qta", ".spx",
    ".ts", ".tta", ".vob", ".w64", ".wav", ".weba", ".webm", ".wma", ".wmv", ".wv",
})  # fmt: skip
"""What is taken for audio or video when no pattern says otherwise; the server looks at the bytes."""

DONE_FOLDER = "done"
ABOUT_THE_FILE = frozenset(
    {
        "empty_file",
        "no_audio_stream",
        "not_media",
        "too_large",
        "too_long",
        "undecodable",
        "unsupported_format",
        "unusable_media",
    }
)
"""Refusals that the same bytes will meet again."""

_KEYS_LAST_SECONDS = 23 * 3600.0
"""Servers keep keys for a day; an hour is left for the upload itself."""
_SERVER_ERRORS = 500
_TOO_MANY = 429


class Done(StrEnum):
    """What becomes of a file that was uploaded."""

    MOVE = "move"
    KEEP = "keep"
    DELETE = "delete"


class Watch:
    """Looks at one folder, again and again."""

    def __init__(
        self,
        speakr: Speakr,
        folder: Path,
        journal: Journal,
        *,
        patterns: Sequence[str] = (),
        done: Done = Done.KEEP,
        options: Mapping[str, Any] | None = None,
        tell: Callable[[str], None],
        warn: Callable[[str], None],
        sent: Callable[[dict[str, Any]], None] = lambda _: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare to watch.

        Args:
            speakr: where files go.
            folder: where they come from.
            journal: its memory.
            patterns: names to take; none: audio and video by their suffix.
            done: what becomes of uploaded files.
            options: of every upload, for JSON: `language`, `tags` and so on.
            tell: called with a sentence for each upload.
            warn: called with a sentence for each file that was not uploaded.
            sent: given the answer to every new upload.
            clock: tells the time.

        """
        self._speakr = speakr
        self._folder = folder
        self._journal = journal
        self._patterns = patterns
        self._done = done
        self._options = dict(options or {})
        self._tell = tell
        self._warn = warn
        self._sent = sent
        self._clock = clock
        self._last_look: dict[str, Mark] = {}
        self._contents = dict(journal.marks) if done is Done.KEEP else {}
        self._settled: dict[str, Mark] = {}
        self._reported: set[str] = set()
        self._warned: dict[str, str] = {}

    def look(self) -> list[str]:
        """Deal with every file that is as it was at the last look; return the names that must wait.

        Raises:
            ClientError: going on makes no sense: the token is not accepted, say.

        """
        now = self._candidates()
        waiting = []
        for path in now:
            mark = _mark(path)
            if mark is None or mark.size == 0 or self._settled.get(path.name) == mark:
                continue
            if self._last_look.get(path.name) != mark:
                self._last_look[path.name] = mark
                waiting.append(path.name)
            elif not self._deal(path, mark):
                waiting.append(path.name)
        names = {path.name for path in now}
        for memory in (self._last_look, self._settled, self._warned, self._contents):
            for name in memory.keys() - names:
                del memory[name]
        return waiting

    def _candidates(self) -> list[Path]:
        try:
            found = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
        except OSError as error:
            raise ClientError(f"{self._folder} cannot be read: {error.strerror}.") from error
        if self._patterns:
            chosen = [path for path in found if any(path.match(pattern) for pattern in self._patterns)]
            return [path for path in chosen if path.is_file()]
        chosen = []
        for path in found:
            if not path.is_file():
                continue
            if path.suffix.lower() in MEDIA_SUFFIXES:
                chosen.append(path)
            elif self._journal.skip(path.name):
                self._warn(f"{path.name} is skipped: no audio or video by its name; --pattern takes others.")
        return chosen

    # -- one file

    def _deal(self, path: Path, mark: Mark) -> bool:
        """Bring a file to its end; tell whether that was reached."""
        try:
            content = self._content(path, mark)
            if content is None:
                return False
            if not self._journal.is_refused(content, mark):
                if not self._is_sent(content):
                    self._upload(path, mark, content)
                elif content not in self._reported and self._journal.marks.get(path.name) != (mark, content):
                    self._tell(f"{path.name} is recording {self._journal.sent[content]} already.")
                self._reported.add(content)
                self._finish(path, mark, content)
        except ApiError as error:
            return self._after_refusal(error, path, mark)
        except (Unreachable, FileTrouble) as error:
            return self._later(path, str(error))
        except OSError as error:
            return self._later(path, f"{error.strerror}.")
        self._settled[path.name] = mark
        return True

    def _content(self, path: Path, mark: Mark) -> str | None:
        """Return what identifies the bytes; None if they change meanwhile."""
        known_mark, content = self._contents.get(path.name, (None, ""))
        if known_mark != mark:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            if _mark(path) != mark:
                return None
            self._contents[path.name] = (mark, content)
        return content

    def _is_sent(self, content: str) -> bool:
        """Tell whether the server has it. Before a file goes away because of an upload long ago, the server is asked."""
        recording_id = self._journal.sent.get(content)
        if recording_id is None or self._done is Done.KEEP:
            return recording_id is not None
        try:
            self._speakr.status(recording_id)
        except ApiError as error:
            if error.code != "not_found":
                raise
            self._journal.note_gone(content)
            return False
        return True

    def _upload(self, path: Path, mark: Mark, content: str) -> None:
        intent = self._journal.intents.get(content)
        if intent is None:
            options = {**self._options, "time_hint_ms": mark.modified_ns // 1_000_000}
            times_gone = self._journal.times_gone[
                content
            ]  # another key: the old one still gives the old answer
            identity = json.dumps([content, path.name, options, times_gone], sort_keys=True)
            key = f"watch-{hashlib.sha256(identity.encode()).hexdigest()}"
            intent = Intent(content, path.name, key, options, self._clock())
            self._journal.intend(intent)
        answer = self._speakr.upload(
            path, filename=intent.name, idempotency_key=intent.key, only_as=mark, **intent.options
        )
        recording_id = self._only_one(intent, answer)
        self._journal.note_sent(content, recording_id)
        self._tell(f"{path.name} is recording {recording_id}.")
        if recording_id == answer["id"]:
            self._sent(answer)

    def _only_one(self, intent: Intent, answer: dict[str, Any]) -> int:
        """Return the recording to keep.

        A try from before a day may have arrived, and the server has forgotten its key since. If it did, the same
        bytes are there now twice, and the answer says so.
        """
        new_id: int = answer["id"]
        warning = answer.get("duplicate_warning")
        if warning is None or self._clock() - intent.began_at < _KEYS_LAST_SECONDS:
            return new_id
        existing_id: int = warning["existing_recording_id"]
        try:
            self._speakr.delete(new_id)
        except ApiError as error:
            if error.code != "not_found":
                return new_id  # this server does not let users delete
        return existing_id

    def _finish(self, path: Path, mark: Mark, content: str) -> None:
        if self._done is Done.KEEP:
            if self._journal.marks.get(path.name) != (mark, content):
                self._journal.note_mark(path.name, mark, content)
            return
        if _mark(path) != mark:  # another file has come under this name
            return
        if self._done is Done.DELETE:
            path.unlink()
        else:
            path.rename(_free_name(self._folder / DONE_FOLDER, path))

    # -- what goes wrong

    def _after_refusal(self, error: ApiError, path: Path, mark: Mark) -> bool:
        if error.code in ABOUT_THE_FILE:
            self._journal.note_refused(self._contents[path.name][1], mark, error.message)
            self._warn(f"{path.name} is skipped: {error.message}")
            self._settled[path.name] = mark
            return True
        if (
            error.status >= _SERVER_ERRORS
            or error.status == _TOO_MANY
            or error.code == "idempotency_in_flight"
        ):
            return self._later(path, error.message)
        raise error

    def _later(self, path: Path, sentence: str) -> bool:
        """Tell trouble once; the next look tries again."""
        if self._warned.get(path.name) != sentence:
            self._warned[path.name] = sentence
            self._warn(f"{path.name} has to wait: {sentence}")
        return False


def _mark(path: Path) -> Mark | None:
    try:
        return Mark.of(path)
    except OSError:
        return None


def _free_name(folder: Path, path: Path) -> Path:
    """Return a path that replaces no other file; no other process watches this folder."""
    folder.mkdir(exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem} ({number}){path.suffix}"
    return target

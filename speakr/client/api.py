"""The REST API as a Python class; docs/api describes the answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, Self

from requests.auth import HTTPBasicAuth

from speakr.client.editing import Editing
from speakr.client.errors import TookTooLong
from speakr.client.multipart import Mark, MultipartBody, Progress
from speakr.client.remote import RemoteUpload
from speakr.client.resumable import RESUMABLE_BYTES, Memory, ResumableUpload
from speakr.client.transport import Json, Transport
from speakr.client.webhooks import Webhooks

FINAL_STATUSES = frozenset({"COMPLETED", "FAILED"})
_MAX_PER_PAGE = 100
_FIRST_LOOK_SECONDS = 0.5
_SELDOMEST_LOOK_SECONDS = 5.0
"""Twelve requests a minute, of a hundred that the rate limit allows."""


class Speakr(Editing, Webhooks):
    """A server and a token. Methods return the server's JSON and raise `ClientError`s; thin on purpose.

    Use it as a context manager, or `close()` it.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        timeout: float = 600.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Name the server.

        Args:
            base_url: where it is, for example `https://speakr.example.org`.
            token: an API token.
            timeout: seconds the server may be silent. It looks at an upload before it answers, which takes time.
            sleep: waits between tries and looks.

        """
        self._sleep = sleep
        self._transport = Transport.with_token(base_url, token, timeout=timeout, sleep=sleep)

    @property
    def base_url(self) -> str:
        """Where the server is."""
        return self._transport.base_url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    # -- people and numbers

    def me(self) -> Json:
        """Return the user of the token."""
        return self._get("/users/me")

    def request_email_verification(self) -> Json:
        """Have an e-mail with a code sent to your address."""
        return self._transport.ask("POST", "/users/me/email/verification")

    def verify_email(self, code: str) -> Json:
        """Verify your e-mail address with the code; return the user."""
        return self._transport.ask("POST", "/users/me/email/verify", json={"code": code})

    def tokens(self) -> list[Json]:
        """List the caller's tokens, without their secrets."""
        found: list[Json] = self._get("/tokens")["tokens"]
        return found

    @staticmethod
    def create_token(
        base_url: str, username: str, password: str, *, name: str, scopes: Sequence[str] | None = None
    ) -> Json:
        """Make a token with a password; the `token` is in this answer and in no other. Scopes: all but admin."""
        # As bytes: text would be sent as Latin-1, in which not every password can be written.
        auth = HTTPBasicAuth(username.encode(), password.encode())
        with closing(Transport(base_url, auth, timeout=60.0)) as transport:
            body = {"name": name} if scopes is None else {"name": name, "scopes": list(scopes)}
            return transport.ask("POST", "/tokens", json=body)

    @staticmethod
    def register(base_url: str, username: str, password: str, *, email: str | None = None) -> Json:
        """Create an account on a server that allows it; return the `user` and tokens of a login."""
        with closing(Transport(base_url, HTTPBasicAuth(b"", b""), timeout=60.0)) as transport:
            form = {"username": username, "password": password, "email": email}
            return transport.ask("POST", "/auth/register", json=form)

    def revoke_token(self, token_id: int) -> None:
        """End a token."""
        self._transport.ask("DELETE", f"/tokens/{token_id}")

    def stats(self, scope: Literal["user", "all"] = "user") -> Json:
        """Count."""
        return self._get("/stats", scope=scope)

    # -- recordings

    def upload(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        notes: str | None = None,
        meeting_date: str | None = None,
        language: str | None = None,
        tags: Sequence[str] = (),
        folder_id: int | None = None,
        min_speakers: int | None = None,
        max_speakers: int | None = None,
        channels: Literal["auto", "separate", "mix"] | None = None,
        filename: str | None = None,
        last_modified_ms: int | None = None,
        time_hint_ms: int | None = None,
        idempotency_key: str | None = None,
        only_as: Mark | None = None,
        progress: Progress | None = None,
        resumable: bool | None = None,
        remember_in: str | Path | None = None,
    ) -> Json:
        """Upload a file; transcription is queued when this returns.

        Files over 64 MiB are sent in pieces, and after a break from where the server says (`resumable` decides it
        otherwise). With a folder `remember_in` another run goes on with what this one did not finish. An
        `idempotency_key` or `only_as` means one request.

        The file is sent from the disk, never held in memory. All tries carry one Idempotency-Key, so an upload
        whose answer was lost is stored once. `progress(sent, total)` is called as bytes leave. By default the file's own name
        is sent, and its modification time as a hint (`time_hint_ms`), which counts less than a date in the file or in its
        name. A time in `last_modified_ms` counts more than these. Both are milliseconds since 1970.

        Raises:
            FileTrouble: the file changed while it was sent, or is not `only_as` it was once.

        """
        path = Path(path)
        if last_modified_ms is None and time_hint_ms is None:
            time_hint_ms = path.stat().st_mtime_ns // 1_000_000
        body = {
            "title": title,
            "notes": notes,
            "meeting_date": meeting_date,
            "language": language,
            "folder_id": folder_id,
            "min_speakers": min_speakers,
            "max_speakers": max_speakers,
            "channels": channels,
            "file_last_modified": last_modified_ms,
            "file_time_hint": time_hint_ms,
        }
        fields = [(name, str(value)) for name, value in body.items() if value is not None]
        fields += [("tags", name) for name in tags]
        if resumable is None:
            is_one_request = idempotency_key is not None or only_as is not None
            resumable = not is_one_request and path.stat().st_size > RESUMABLE_BYTES
        if resumable:
            memory = None if remember_in is None else Memory(Path(remember_in))
            return ResumableUpload(
                self._transport, path, filename or path.name, fields, memory, progress, self._sleep
            ).run()
        return self._transport.ask(
            "POST",
            "/recordings/upload",
            idempotency_key=idempotency_key,
            open_body=lambda: MultipartBody(
                path, fields, filename=filename or path.name, only_as=only_as, progress=progress
            ),
        )

    def upload_from_url(
        self,
        url: str,
        *,
        timeout: float | None = None,
        on_state: Callable[[Json], None] | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Json:
        """Have the server fetch a file, wait until it has it, and return the recording.

        `fields` are those of docs/api: title, tags, headers ... Raises `ApiError` when the file cannot be fetched, and
        `TookTooLong` when the server has no file after `timeout` seconds; it goes on.
        """
        remote = RemoteUpload(self._transport, self._sleep, timeout, on_state)
        return remote.run({"url": url, **fields}, idempotency_key)

    def create_signed_upload(self, filename: str, **fields: Any) -> Json:
        """Make an address to which a client without a token may PUT one file; fields as in docs/api."""
        return self._transport.ask("POST", "/uploads/signed", json={"filename": filename, **fields})

    def recordings(
        self,
        *,
        status: str | None = None,
        query: str | None = None,
        tag: str | None = None,
        folder_id: int | None = None,
        date_from: str | None = None,
        date_to: str | None = None,
        sort_by: str | None = None,
        sort_order: Literal["asc", "desc"] | None = None,
        per_page: int = _MAX_PER_PAGE,
    ) -> Iterator[Json]:
        """Go through the recordings, newest first unless asked otherwise; a page is fetched when it is reached."""
        seen = set()
        for found in self._pages(
            "/recordings",
            "recordings",
            per_page,
            status=status,
            q=query,
            tag=tag,
            folder_id=folder_id,
            date_from=date_from,
            date_to=date_to,
            sort_by=sort_by,
            sort_order=sort_order,
        ):
            if found["id"] not in seen:  # what comes in meanwhile pushes others to the next page
                seen.add(found["id"])
                yield found

    def recording(self, recording_id: int, *, with_texts: bool = True) -> Json:
        """Return a recording."""
        return self._get(f"/recordings/{recording_id}", format="full" if with_texts else "minimal")

    def status(self, recording_id: int) -> Json:
        """Return the status of a recording."""
        return self._get(f"/recordings/{recording_id}/status")

    def wait(
        self,
        recording_id: int,
        *,
        timeout: float | None = None,
        on_status: Callable[[Json], None] | None = None,
    ) -> Json:
        """Ask for the status until it is COMPLETED or FAILED, and return it.

        Raises:
            TookTooLong: it was neither after `timeout` seconds.

        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = _FIRST_LOOK_SECONDS
        while True:
            found = self.status(recording_id)
            if on_status is not None:
                on_status(found)
            if found["status"] in FINAL_STATUSES:
                return found
            if deadline is not None and time.monotonic() + pause > deadline:
                raise TookTooLong(f"Recording {recording_id} is still {found['status']} after {timeout:g} s.")
            self._sleep(pause)
            pause = min(pause * 1.5, _SELDOMEST_LOOK_SECONDS)

    def delete(self, recording_id: int) -> None:
        """Delete a recording with its audio and texts."""
        self._transport.ask("DELETE", f"/recordings/{recording_id}")

    # -- texts

    def transcript(
        self,
        recording_id: int,
        format: str = "text",  # noqa: A002 - the API's word
        *,
        style: str = "lines",
    ) -> str:
        """Return the transcript in one of the server's text formats (`text`, `srt`, `vtt`).

        style: of text: `lines` with speakers, or `paragraphs` without.

        Raises:
            ApiError: the server has no such format, and names those that it has.

        """
        asked = {"format": format} if style == "lines" else {"format": format, "style": style}
        content: str = self._get(f"/recordings/{recording_id}/transcript", **asked)["content"]
        return content

    def segments(self, recording_id: int, *, words: bool = False) -> list[Json]:
        """Return the transcript in pieces, with speakers and times."""
        found: list[Json] = self._get(
            f"/recordings/{recording_id}/transcript", format="json", words="true" if words else "false"
        )["segments"]
        return found

    def summary(self, recording_id: int) -> str | None:
        """Return the summary, in Markdown."""
        found: str | None = self._get(f"/recordings/{recording_id}/summary")["summary"]
        return found

    def notes(self, recording_id: int) -> str | None:
        """Return the notes."""
        found: str | None = self._get(f"/recordings/{recording_id}/notes")["notes"]
        return found

    def insights(self, recording_id: int) -> Json:
        """Return key points, action items, chapters and topics, each with the words it rests on."""
        return self._get(f"/recordings/{recording_id}/insights")

    def events(self, recording_id: int) -> list[Json]:
        """Return the dated events, by time."""
        found: list[Json] = self._get(f"/recordings/{recording_id}/events")["events"]
        return found

    def search(self, words: str, *, per_page: int = 25) -> Iterator[Json]:
        """Go through what was found, newest first: a `recording` and where in it (`matches`, as HTML)."""
        return self._pages("/search", "results", per_page, q=words)

    # -- work

    def transcribe(self, recording_id: int, **options: Any) -> Json:
        """Transcribe a recording again; options as in docs/api."""
        return self._transport.ask("POST", f"/recordings/{recording_id}/transcribe", json=options)

    def summarize(self, recording_id: int, *, custom_prompt: str | None = None) -> Json:
        """Summarise a recording again."""
        body = {} if custom_prompt is None else {"custom_prompt": custom_prompt}
        return self._transport.ask("POST", f"/recordings/{recording_id}/summarize", json=body)

    def summarize_text(
        self,
        text: str,
        *,
        format: Literal["paragraph", "bullet_points", "key_points"] = "paragraph",  # noqa: A002 - the API's word
        max_words: int = 300,
    ) -> Json:
        """Queue a summary of a text of your own; `text_summary` returns it once it is written."""
        body = {"text": text, "format": format, "max_words": max_words}
        return self._transport.ask("POST", "/summaries", json=body)

    def text_summary(self, summary_id: int) -> Json:
        """Return a summary of a text of your own, and the state of its job."""
        return self._get(f"/summaries/{summary_id}")

    def extract(self, recording_id: int) -> Json:
        """Find insights and dated events again."""
        return self._transport.ask("POST", f"/recordings/{recording_id}/extract")

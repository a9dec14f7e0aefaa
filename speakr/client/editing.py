"""Corrections of transcripts, and recordings made of others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from speakr.client.asking import Requests
from speakr.client.transport import Json


class Editing(Requests):
    """Methods of `Speakr` that change transcripts, and merge and cut recordings."""

    def correct_transcript(
        self, recording_id: int, *, text: str | None = None, segments: Sequence[Json] | None = None
    ) -> Json:
        """Replace the transcript by a text, or by segments; words that stay keep their times."""
        body = {"text": text} if segments is None else {"segments": list(segments)}
        return self._transport.ask("PUT", f"/recordings/{recording_id}/transcript", json=body)

    def correct_segment(self, recording_id: int, index: int, **changes: Any) -> Json:
        """Change text, speaker, start or end of one segment, counted from 0."""
        return self._transport.ask(
            "PATCH", f"/recordings/{recording_id}/transcript/segments/{index}", json=changes
        )

    def retranscribe_segment(
        self, recording_id: int, index: int, *, apply: bool = False, **options: Any
    ) -> Json:
        """Transcribe one segment again and wait for the text; `apply` puts it into the transcript. Options as in docs/api."""
        return self._transport.ask(
            "POST",
            f"/recordings/{recording_id}/segments/{index}/retranscribe",
            json={"apply": apply, **options},
        )

    def retranscribe_range(self, recording_id: int, start: float, end: float, **options: Any) -> Json:
        """Transcribe a range again, in seconds, and wait for the text; the transcript stays. Options as in docs/api."""
        body = {"start": start, "end": end, **options}
        return self._transport.ask("POST", f"/recordings/{recording_id}/retranscribe", json=body)

    def transcript_history(self, recording_id: int, *, per_page: int = 50) -> Json:
        """Tell who changed a transcript and when, newest first."""
        return self._get(f"/recordings/{recording_id}/transcript/history", per_page=per_page)

    def undo_correction(self, recording_id: int) -> Json:
        """Undo the last change of a transcript that has not been undone."""
        return self._transport.ask("POST", f"/recordings/{recording_id}/transcript/undo")

    def redo_correction(self, recording_id: int) -> Json:
        """Redo what the last undo took away."""
        return self._transport.ask("POST", f"/recordings/{recording_id}/transcript/redo")

    def replace_in_transcripts(self, find: str, replace: str, *, preview: bool = True, **where: Any) -> Json:
        """Find and replace in transcripts; `where` is recording_ids, tag_id or folder_id, and options of docs/api."""
        body = {"find": find, "replace": replace, "preview": preview, **where}
        return self._transport.ask("POST", "/recordings/batch/replace", json=body)

    def merge(
        self,
        recording_ids: Sequence[int],
        *,
        title: str | None = None,
        keep_originals: bool = True,
        gap_seconds: float = 0.0,
    ) -> Json:
        """Make one recording of several, in this order; return the new one, which a worker completes."""
        body: Json = {"recording_ids": list(recording_ids), "keep_originals": keep_originals}
        body |= {"gap_seconds": gap_seconds} | ({} if title is None else {"title": title})
        return self._transport.ask("POST", "/recordings/merge", json=body)

    def cut(
        self,
        recording_id: int,
        at: float,
        *,
        titles: Sequence[str] | None = None,
        keep_original: bool = True,
    ) -> list[Json]:
        """Make two recordings of one, cut `at` so many seconds; return the new ones, which a worker completes."""
        body: Json = {"at": at, "keep_original": keep_original}
        body |= {} if titles is None else {"titles": list(titles)}
        found: list[Json] = self._transport.ask("POST", f"/recordings/{recording_id}/cut", json=body)[
            "recordings"
        ]
        return found

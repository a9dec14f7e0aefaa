"""A transcription as it goes on, for connections that show it to people: progress and segments, each sent once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from speakr.db import release
from speakr.domain.errors import NotFound
from speakr.domain.permissions import Actor
from speakr.domain.transcript import Span
from speakr.services.accounts import credentials
from speakr.services.jobs import chunks, progress
from speakr.services.jobs.progress import Progress
from speakr.services.recordings import access
from speakr.services.speech import transcripts
from speakr.web.live import BEGINNING, Event, follow

_LOOK_SECONDS = 5.0
"""A client that vanished keeps its place no longer than this."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """A segment with words, in the form of live events."""

    segment: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gone:
    """The recording was deleted, or is not the actor's to see any more. Nothing follows."""


Update = Progress | Recognised | Gone


def follow_transcription(actor: Actor, recording_id: int, keep: Callable[[], bool]) -> Iterator[Update]:
    """Yield the progress at once, what was recognised so far, and what follows. The last update is final.

    The percentage never falls. keep: called every few seconds; the client is gone if it returns False.

    Raises:
        NotFound: the actor may not see the recording.

    """
    feed = _Feed(actor, recording_id)
    events = follow(
        recording_id,
        BEGINNING,
        feed.snapshot,
        feed.may_see,
        keep=keep,
        is_over=lambda _: feed.made.is_over,
        wait_seconds=_LOOK_SECONDS,
    )
    for event in events:
        yield from feed.updates_of(event)
    yield from feed.last()


class _Feed:
    """What one connection has been sent."""

    def __init__(self, actor: Actor, recording_id: int) -> None:
        self._actor = actor
        self._recording_id = recording_id
        self._percent = 0
        self._texts: dict[str, str] = {}
        """Id of a segment that was sent -> its text. After a crash a chunk publishes its segments again."""
        self._chunk = ""
        self._reached = (0, 0)
        """The latest chunk that was shown, counted from 0, and its percentage: neither goes back while workers share chunks."""
        self._spans: tuple[int | None, list[list[Span]]] = (None, [])
        """A job, and the stretches of speech of its chunks."""
        self._is_gone = False
        self.made = self._look()

    def may_see(self) -> bool:
        """Tell whether the actor may still see the recording."""
        return credentials.still_valid(self._actor) and access.may_see(self._actor, self._recording_id)

    def snapshot(self) -> dict[str, Any] | None:
        """Read the rows again; None once there is nothing to see."""
        try:
            if not credentials.still_valid(self._actor):
                return None
            self.made = self._look()
        except NotFound:
            return None
        return {}

    def _look(self) -> Progress:
        try:
            made = progress.of_recording(self._actor, self._recording_id)
        finally:
            release()
        self._percent = max(self._percent, made.percent)
        return replace(made, percent=self._percent)

    def updates_of(self, event: Event) -> Iterator[Update]:
        """Yield the updates of one event; the final one is for `last`."""
        if event.kind == "deleted":
            self._is_gone = True
            return
        segment = event.data if event.kind == "segment" else None
        if segment is None or self._begins_chunk(segment["id"]):
            # What a `status` says was read just now; other events say that more has happened.
            is_known = event.kind == "status" or self.snapshot() is not None
            if is_known and not self.made.is_over:
                yield self._at_rows() if segment is None else self._at(segment, 0)
        if segment is not None and segment["text"].strip() and self._is_new(segment):
            yield Recognised(segment)
            if not self.made.is_over:
                yield self._at(segment, self._percent_of(segment))

    def _at_rows(self) -> Progress:
        """Return the progress that the rows tell: they know whole chunks."""
        last = max(0, self.made.chunk_count - 1)
        is_last_done = 0 < self.made.chunk_count == self.made.chunks_done
        return self._reach(min(self.made.chunks_done, last), 100 if is_last_done else 0)

    def _at(self, segment: dict[str, Any], percent: int) -> Progress:
        """Return the progress at a segment. The rows may be further already if this feed is late."""
        return self._reach(_chunk_of(segment), percent)

    def _reach(self, chunk: int, percent: int) -> Progress:
        self._reached = max(self._reached, (chunk, percent))
        done, percent = self._reached
        return replace(self.made, chunks_done=done, chunk_percent=percent)

    def _percent_of(self, segment: dict[str, Any]) -> int:
        """Return how much of its chunk has been recognised at the end of a segment."""
        job_id, spans = self.made.job_id, self._spans[1]
        if job_id is not None and job_id != self._spans[0]:
            spans = chunks.spans_of(job_id)
            release()
            self._spans = (job_id, spans)
        chunk = _chunk_of(segment)
        return progress.recognised_percent(spans[chunk], segment["end"]) if chunk < len(spans) else 0

    def _begins_chunk(self, segment_id: str) -> bool:
        before, self._chunk = self._chunk, segment_id.partition(".")[0]
        return before != self._chunk

    def _is_new(self, segment: dict[str, Any]) -> bool:
        name, text = str(segment["id"]), str(segment["text"])
        is_new = self._texts.get(name) != text
        self._texts[name] = text
        return is_new

    def last(self) -> Iterator[Update]:
        """Yield what follows when nothing more happens."""
        if self._is_gone:
            yield Gone()
            return
        if self.made.is_transcribed and not self._texts:  # the live events have expired
            kept = transcripts.labelled_segments_of(self._recording_id)
            release()
            yield from (Recognised(transcripts.to_json(each)) for each in kept if each.text.strip())
        yield self.made


def _chunk_of(segment: dict[str, Any]) -> int:
    """Return the position of the chunk that a segment comes from; the ids are `chunk.number`."""
    return int(segment["id"].partition(".")[0])

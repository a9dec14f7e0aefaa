"""What an engine reports while it transcribes a chunk."""

from __future__ import annotations

import time
from dataclasses import replace

from speakr.backends import get_backends
from speakr.db import release
from speakr.domain.errors import ClaimLost
from speakr.domain.transcript import Segment, numbered_label
from speakr.jobs import watchdog
from speakr.jobs.plan import TranscriptionPlan
from speakr.services.jobs import chunks
from speakr.services.speech import transcripts

ASK_WHETHER_WANTED_SECONDS = 1.0


class ChunkListener:
    """Publishes segments, and checks at intervals whether the result is still wanted."""

    def __init__(self, chunk: chunks.ChunkClaim) -> None:
        self._chunk = chunk
        self._speaker = TranscriptionPlan.from_json(chunk.plan).number_of_speaker(chunk.position)
        self._count = 0
        self._asked_at = time.monotonic()

    def begin(self) -> None:
        """Restart the ids, so that segments replace those that another engine published for this chunk."""
        self._count = 0

    def on_segment(self, segment: Segment) -> None:
        """Publish a segment to open event streams."""
        self.heartbeat()
        if self._speaker is not None:
            segment = replace(segment, speaker=numbered_label(self._speaker))
        message = transcripts.to_json(segment)
        del message["words"], message["overlap"]  # overlaps are known at the end only
        # A chunk that is transcribed again after a crash publishes its segments again, under the same ids.
        message["id"] = f"{self._chunk.position}.{self._count}"
        self._count += 1
        get_backends().live.publish(self._chunk.topic, "segment", message)

    def heartbeat(self) -> None:
        """Check at intervals; raise `ClaimLost` when the result is no longer wanted."""
        watchdog.reset(get_backends().settings.transcription_silence_seconds)
        if time.monotonic() - self._asked_at < ASK_WHETHER_WANTED_SECONDS:
            return
        self._asked_at = time.monotonic()
        wanted = chunks.is_wanted(self._chunk)
        release()
        if not wanted:
            raise ClaimLost("This chunk is no longer wanted.")

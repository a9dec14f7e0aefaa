"""A worker with short chunks: half a minute of speech becomes six or more.

Everything else is as in `worker.py`. There are two engines, so that one deployment serves all tests: the
OpenAI-compatible one, and the embedded one for recordings uploaded with the model "embedded". Libraries that every work
horse would load are loaded before the fork, which saves a second per job.
"""

from __future__ import annotations

from dataclasses import replace

import speakr.connectors.openai_client
import speakr.media.speech  # noqa: F401 - see above
from speakr.app import create_core_app
from speakr.backends import connect
from speakr.connectors.transcription.base import AudioChunk, OnSegment
from speakr.connectors.transcription.embedded import EmbeddedConnector
from speakr.connectors.transcription.openai import OpenAIConnector
from speakr.domain.transcript import Hints, Hypothesis
from speakr.jobs.worker import work
from speakr.settings import Settings

EMBEDDED = "embedded"
TARGET_CHUNK_SECONDS = 4.0
MAX_CHUNK_SECONDS = 8.0


class ShortChunkConnector(OpenAIConnector):
    """The OpenAI-compatible connector, with the embedded engine as one of its models."""

    def __init__(self, settings: Settings) -> None:
        made = OpenAIConnector.from_settings(settings)
        super().__init__(made._access, models=made.models, default_model=settings.transcription_model)
        self.capabilities = replace(
            self.capabilities, target_chunk_seconds=TARGET_CHUNK_SECONDS, max_chunk_seconds=MAX_CHUNK_SECONDS
        )
        self._embedded = EmbeddedConnector()

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        engine = self._embedded if hints.model == EMBEDDED else super()
        return engine.transcribe(chunk, hints, on_segment)


def main() -> None:
    settings = Settings.from_env()
    plugs = replace(connect(settings), make_transcriber=lambda: ShortChunkConnector(settings))
    work(create_core_app(settings, plugs))


if __name__ == "__main__":
    main()

"""TOY: a speech engine with an address of its own. This file and one line are all there is to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from speakr.connectors.transcription.base import SECTION, About, AudioChunk, Capabilities, OnSegment
from speakr.domain.transcript import Hints, Hypothesis, Segment
from speakr.environment import setting
from speakr.settings import Settings


@dataclass(frozen=True, kw_only=True)
class ToySettings:
    address: str = setting("http://toy", env="TOY_URL", section=SECTION, help="Address of the toy.")
    loudness: int = setting(11, env="TOY_LOUDNESS", section=SECTION, help="How loud the toy is.")


class ToyConnector:
    name = "toy"
    about: ClassVar[About] = About(
        description="A toy", needs="`TOY_URL`", supports="hotwords", settings=ToySettings
    )
    capabilities = Capabilities(hotwords=True, target_chunk_seconds=30.0, max_chunk_seconds=60.0)
    default_model: str | None = None
    models: Sequence[str] = ()

    def __init__(self, own: ToySettings) -> None:
        self.own = own

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(settings.engine_settings(ToySettings))

    def capabilities_with(self, model: str | None) -> Capabilities:
        return self.capabilities

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        segments = [Segment(span.start, span.end, f"toy at {self.own.address}") for span in chunk.spans]
        for segment in segments:
            on_segment(segment)
        return Hypothesis(segments, language=hints.language)

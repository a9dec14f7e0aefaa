"""The part of the embedded engine that transcribes speech in other languages than English."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from speakr.connectors.transcription.whisper_base import WhisperBase
from speakr.domain.errors import ConnectorRejected

if TYPE_CHECKING:
    from speakr.connectors.transcription.base import AudioChunk, OnSegment
    from speakr.domain.transcript import Hints, Hypothesis
    from speakr.settings import Settings

ENGLISH_ONLY = (
    "This server transcribes English only. Ask for English or for detection of the language, "
    "or let the administrator set up another speech engine."
)


class OtherLanguages(Protocol):
    """A recogniser of speech in any language. It is made once per work horse and loads its model on first use."""

    def is_available(self) -> bool:
        """Return whether it can transcribe on this server. It is cheap, and loads no library and no model."""
        ...

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:
        """Transcribe a chunk; detect the language if `hints.language` is None.

        The result must depend on the arguments only. `Hypothesis.language` is the language found, and
        `Hypothesis.model` the name of the model.

        Raises:
            ConnectorRejected: asking again cannot help.
            ConnectorUnavailable: asking again later may help.
        """
        ...


class NoOtherLanguages:
    """Stands in where no such recogniser is set up."""

    def is_available(self) -> bool:
        """Return False."""
        return False

    def transcribe(self, chunk: AudioChunk, hints: Hints, on_segment: OnSegment) -> Hypothesis:  # noqa: ARG002 - the protocol's
        """Refuse.

        Raises:
            ConnectorRejected: always.
        """
        raise ConnectorRejected(ENGLISH_ONLY)


def make_other_languages(settings: Settings) -> OtherLanguages:
    """Make the recogniser for other languages; nothing is loaded."""
    return WhisperBase.from_settings(settings)

"""What is known of people's voices. Nobody's is learned yet, so nobody is recognised by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speakr.models import Recording


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Who a voice may be; `similarity` in percent."""

    speaker_id: int
    name: str
    similarity: float


def confidences(speaker_ids: Sequence[int]) -> Mapping[int, float]:
    """Return how far each speaker's profile can be trusted, 0 to 1; who has none is left out."""
    del speaker_ids
    return {}


def suggest(recording: Recording, labels: Sequence[str]) -> Mapping[str, Sequence[Suggestion]]:
    """Return for each label up to three of the owner's speakers who sound like it, the likeliest first."""
    del recording, labels
    return {}

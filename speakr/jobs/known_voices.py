"""Compare the speakers of a clip with reference recordings of people's voices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import structlog

from speakr.backends import get_backends
from speakr.domain.clips import MAX_REFERENCE_SECONDS
from speakr.domain.errors import PermanentJobError, UnusableMedia
from speakr.domain.transcript import Span
from speakr.jobs import scratch, voices
from speakr.media.decode import decode
from speakr.services.speech.voice_profiles import ProfileVoice
from speakr.storage.base import BlobMissing

if TYPE_CHECKING:
    from speakr.media.voices.vectors import Floats

logger = structlog.get_logger(__name__)

SIMILAR_COSINE: Final = 0.5
"""Minimum cosine of two recordings of one voice. Other speakers reach 0.48 (`voice_profiles.ACCEPTED`)."""


def names_of(found: Sequence[ProfileVoice], references: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the names of those labels whose voice is similar to a reference: each name and label at most once.

    references: {name, key} each; `key` is the blob of a file with some seconds of that voice.

    Raises:
        PermanentJobError: `reference_unusable`; a reference has no speech.

    """
    import numpy as np  # noqa: PLC0415 - in the work horse only

    if not found or not references:
        return {}
    vectors = {each.label: np.frombuffer(each.vector, "<f2").astype(np.float32) for each in found}
    pairs = [
        (_cosine(vector, of_reference), label, reference["name"])
        for reference in references
        if (of_reference := _voice_of(reference)) is not None
        for label, vector in vectors.items()
    ]
    names: dict[str, str] = {}
    for cosine, label, name in sorted(pairs, key=lambda pair: -pair[0]):
        if cosine >= SIMILAR_COSINE and label not in names and name not in names.values():
            names[label] = name
    return names


def _cosine(one: Floats, other: Floats) -> float:
    import numpy as np  # noqa: PLC0415

    return float(one @ other / max(float(np.linalg.norm(one) * np.linalg.norm(other)), 1e-12))


def _voice_of(reference: Mapping[str, str]) -> Floats | None:
    """Return the mean voice vector of a reference; None when this worker has no model."""
    from speakr.jobs.transcribe import find_speech  # noqa: PLC0415 - it imports the speech libraries
    from speakr.media import speech  # noqa: PLC0415
    from speakr.media.voices import windows  # noqa: PLC0415

    try:
        with scratch.folder() as folder, get_backends().storage.local_path(reference["key"]) as path:
            decode(path, folder / "pcm", MAX_REFERENCE_SECONDS)
            samples = speech.read_pcm(folder / "pcm")
            spans = find_speech(folder / "pcm") or [Span(0.0, samples.size / 16_000)]
            kept = voices.embed(samples, 0.0, spans, voices.step_for(MAX_REFERENCE_SECONDS))
    except (UnusableMedia, BlobMissing) as error:
        logger.info("reference_unusable", reason=type(error).__name__)
        raise PermanentJobError(
            f"The reference recording of {reference['name']!r} cannot be used: it must be audio of at most "
            f"{MAX_REFERENCE_SECONDS:g} s.",
            code="reference_unusable",
        ) from None
    if kept is None:
        return None
    vectors = windows.from_json([kept]).vectors
    mean: Floats = vectors.mean(axis=0) if len(vectors) else vectors.sum(axis=0)
    return mean

"""VOICES: make the voices of a recording again, with the present model, from its audio and its transcript."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.domain.errors import PermanentJobError
from speakr.domain.transcript import Span
from speakr.jobs import scratch
from speakr.media.base import SAMPLE_RATE
from speakr.media.decode import decode
from speakr.media.voices.weights import VoiceModelMissing
from speakr.services.jobs import claims
from speakr.services.recordings import sources
from speakr.services.speech import outdated_voices
from speakr.services.speech.voice_profiles import ProfileVoice
from speakr.storage.base import BlobMissing

if TYPE_CHECKING:
    from speakr.media.speech import Samples
    from speakr.media.voices.networks import VoiceNetworks

_STEP_SECONDS = 0.8


def run(held: claims.Claim) -> None:
    """Replace the outdated voices of a recording. The earlier ones stay until all are complete."""
    from speakr.media import speech  # noqa: PLC0415 - in the work horse only
    from speakr.media.voices import networks  # noqa: PLC0415

    made_from = outdated_voices.speech(held.recording_id)
    release()
    voices: list[ProfileVoice] = []
    if made_from.spans:
        try:
            loaded = networks.load(get_backends().settings.models_folder)
        except VoiceModelMissing as missing:
            raise PermanentJobError(str(missing), code="voice_model_missing") from None
        with scratch.folder() as folder:
            pcm = folder / "pcm"
            key = sources.audio_key(held.recording_id)
            release()
            try:
                with get_backends().storage.local_path(key) as source:
                    decode(source, pcm, get_backends().settings.max_duration_hours * 3600)
            except BlobMissing:
                raise PermanentJobError(
                    "The audio of this recording is gone.", code="audio_missing"
                ) from None
            samples = speech.read_pcm(pcm)
            for number, (label, spans) in enumerate(made_from.spans.items()):
                with unit_of_work():
                    claims.report(held, "Making voices again", 10 + 85 * number // len(made_from.spans))
                voice = _voice(samples, label, spans, loaded)
                if voice is not None:
                    voices.append(voice)
    conflicts.in_unit(lambda: outdated_voices.store(held, made_from, voices))


def _voice(
    samples: Samples, label: str, spans: Sequence[Span], networks: VoiceNetworks
) -> ProfileVoice | None:
    """Return the voice of one label by its segments; None if they hold no audio."""
    import numpy as np  # noqa: PLC0415

    from speakr.media.voices.vectors import DIMENSIONS, normalised  # noqa: PLC0415
    from speakr.media.voices.windows import embed_spans  # noqa: PLC0415

    total, seconds = np.zeros(DIMENSIONS, np.float32), 0.0
    for span in spans:
        cut = samples[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]
        found = embed_spans(cut, span.start, [span], _STEP_SECONDS, networks)
        total += (found.vectors * found.seconds[:, None]).sum(axis=0)
        seconds += float(found.seconds.sum())
    if not seconds:
        return None
    return ProfileVoice(label, normalised(total).astype("<f2").tobytes(), round(seconds, 3))

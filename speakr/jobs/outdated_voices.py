"""VOICES: make the voices of a recording again, with the present model, from its audio and its transcript."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.domain import time_overlap
from speakr.domain.errors import PermanentJobError
from speakr.domain.recordings import Channels
from speakr.domain.transcript import Span
from speakr.jobs import scratch
from speakr.jobs.preparing import Preparation
from speakr.media.base import SAMPLE_RATE
from speakr.media.decode import decode_track
from speakr.media.voices.weights import VoiceModelMissing
from speakr.services.jobs import claims
from speakr.services.recordings import sources
from speakr.services.speech import outdated_voices
from speakr.services.speech.voice_profiles import ProfileVoice
from speakr.storage.base import BlobMissing

if TYPE_CHECKING:
    from speakr.media.speech import Samples
    from speakr.media.voices.networks import VoiceNetworks


@dataclass(frozen=True, slots=True)
class _Source:
    """A channel of sound at 16 kHz, and where it holds speech: in order, without overlaps."""

    samples: Samples
    speech: Sequence[Span]


def run(held: claims.Claim) -> None:
    """Replace the outdated voices of a recording. The earlier ones stay until all are complete."""
    from speakr.media.voices import networks  # noqa: PLC0415 - in the work horse only

    if not get_backends().settings.voice_profiles:
        # As a failure it does not count as done: voices that are wanted again are made a day later.
        raise PermanentJobError("This server makes no voice profiles.", code="no_voice_profiles")
    made_from = outdated_voices.speech(held.recording_id)
    release()
    voices: list[ProfileVoice] = []
    if made_from.spans:
        try:
            loaded = networks.load(get_backends().settings.models_folder)
        except VoiceModelMissing as missing:
            raise PermanentJobError(str(missing), code="voice_model_missing") from None
        with scratch.folder() as folder:
            parts = _decode(held, made_from, folder)
            for number, (label, spans) in enumerate(made_from.spans.items()):
                with unit_of_work():
                    claims.report(held, "Making voices again", 10 + 85 * number // len(made_from.spans))
                voice = _voice(_source_of(parts, spans), label, spans, loaded)
                if voice is not None:
                    voices.append(voice)
    conflicts.in_unit(lambda: outdated_voices.store(held, made_from, voices))


def _decode(held: claims.Claim, made_from: outdated_voices.Speech, folder: Path) -> list[_Source]:
    """Return each source of a recording: tracks, and sides of calls that were transcribed separately."""
    from speakr.media import speech  # noqa: PLC0415

    def find_speech(pcm: Path) -> list[Span]:
        samples = speech.read_pcm(pcm)
        if made_from.has_one_track and not made_from.is_split:  # then there is nothing to choose
            return [Span(0.0, samples.size / SAMPLE_RATE)]
        return speech.find_speech(samples)

    preparation = Preparation(
        max_seconds=get_backends().settings.max_duration_hours * 3600,
        channels=Channels.SEPARATE if made_from.is_split else Channels.MIX,
        decode_track=decode_track,
        find_speech=find_speech,
    )
    key = sources.audio_key(held.recording_id)
    release()
    try:
        with get_backends().storage.local_path(key) as media:
            audio = preparation.prepare(media, folder)
    except BlobMissing:
        raise PermanentJobError("The audio of this recording is gone.", code="audio_missing") from None
    return [
        _Source(speech.read_pcm(source.path), time_overlap.merged(source.spans)) for source in audio.sources
    ]


def _source_of(parts: Sequence[_Source], spans: Sequence[Span]) -> Samples:
    """Return the samples of the source that has speech in these spans; of several, of the loudest one there."""
    import numpy as np  # noqa: PLC0415

    if len(parts) == 1:
        return parts[0].samples
    wanted = time_overlap.merged(spans)
    shares = [time_overlap.shared_seconds(source.speech, wanted) for source in parts]
    # A quiet copy of the voice in another channel is speech too.
    likely = [source for source, share in zip(parts, shares, strict=True) if share >= 0.8 * max(shares)]

    def energy(source: _Source) -> float:
        cuts = (_cut(source.samples, span) for span in spans)
        return sum(float(np.square(cut, dtype=np.float64).sum()) for cut in cuts)

    return max(likely, key=energy).samples


def _cut(samples: Samples, span: Span) -> Samples:
    return samples[round(span.start * SAMPLE_RATE) : round(span.end * SAMPLE_RATE)]


def _voice(
    samples: Samples, label: str, spans: Sequence[Span], networks: VoiceNetworks
) -> ProfileVoice | None:
    """Return the voice of one label by its segments; None if they hold no audio."""
    import numpy as np  # noqa: PLC0415

    from speakr.media.voices.vectors import DIMENSIONS, normalised  # noqa: PLC0415
    from speakr.media.voices.windows import CLOSEST_STEP_SECONDS, embed_regions  # noqa: PLC0415

    total, seconds = np.zeros(DIMENSIONS, np.float32), 0.0
    for span in spans:
        cut = _cut(samples, span)
        if not cut.size:  # the transcript is longer than the audio
            continue
        found = embed_regions(cut, span.start, [span], CLOSEST_STEP_SECONDS, networks)
        total += (found.vectors * found.seconds[:, None]).sum(axis=0)
        seconds += float(found.seconds.sum())
    if not seconds:
        return None
    return ProfileVoice(label, normalised(total).astype("<f2").tobytes(), round(seconds, 3))

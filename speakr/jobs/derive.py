"""MERGE and CUT: make the audio of a recording from that of others, then its transcript from theirs.

A worker that takes such a job over starts again: the audio has one key for all tries, and nothing else is stored
before the transaction that completes the recording.
"""

from __future__ import annotations

import contextlib

from speakr import conflicts
from speakr.backends import get_backends
from speakr.db import release, unit_of_work
from speakr.domain.derivation import Derivation
from speakr.domain.errors import ClaimLost, PermanentJobError, TransientJobError
from speakr.jobs import scratch
from speakr.media.join import FLAC, OPUS, AudioPart, join
from speakr.services.jobs import blobs, claims
from speakr.services.recordings import sources
from speakr.services.recordings.intake import hash_file
from speakr.services.speech import derived_transcripts, originals
from speakr.services.speech.derived_transcripts import NewAudio
from speakr.storage.base import BlobMissing, StorageFull, put_file


def run(held: claims.Claim) -> None:
    """Make the recording of a job."""
    derivation = Derivation.from_json(held.options)
    audio = _make_audio(held, derivation) if derivation.has_audio else None
    try:
        with unit_of_work():
            claims.report(held, "Putting the transcript together", 90)
            texts = originals.read(held, derivation)
        conflicts.in_unit(lambda: derived_transcripts.store(held, derivation, texts, audio))
    except ClaimLost:
        if audio is not None:
            with unit_of_work():
                blobs.drop_late(held.job_id, audio.key)
        raise


def _make_audio(held: claims.Claim, derivation: Derivation) -> NewAudio:
    """Write the audio into the job's own blob."""
    with unit_of_work():
        key = claims.reserve_blob(held, "audio")
        claims.report(held, "Making the audio", 1)
        found = originals.audio(held, derivation)
        mime_type = sources.mime_type(held.recording_id)
    release()
    storage = get_backends().storage
    with scratch.folder() as folder, contextlib.ExitStack() as local:
        try:
            paths = [local.enter_context(storage.local_path(original.key)) for original in found]
        except BlobMissing:
            raise PermanentJobError("The audio of an original is gone.", code="audio_missing") from None
        parts = [
            AudioPart(path, part.start, part.end, original.tracks)
            for path, original, part in zip(paths, found, derivation.parts, strict=True)
        ]
        target = folder / "audio"
        form = FLAC if mime_type == FLAC.mime_type else OPUS
        join(parts, target, form, gap_seconds=derivation.gap_seconds)
        audio = NewAudio(key, target.stat().st_size, hash_file(target))
        try:
            put_file(storage, key, target)
        except StorageFull:
            raise TransientJobError("The server's storage is full.", code="out_of_space") from None
    return audio

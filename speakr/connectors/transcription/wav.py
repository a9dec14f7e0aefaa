"""Samples as a file that every engine reads."""

from __future__ import annotations

import io
import wave

from speakr.connectors.transcription.base import SAMPLE_RATE, AudioChunk


def wav_file(chunk: AudioChunk) -> bytes:
    """Wrap the samples as a 16 bit mono WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(SAMPLE_RATE)
        writer.writeframes(chunk.samples.astype("<i2", copy=False).tobytes())
    return file.getvalue()

"""The bundled sample recording: seventeen seconds of a LibriVox reading (public domain, see LICENCE.md beside it)."""

from __future__ import annotations

from pathlib import Path

SAMPLE = Path(__file__).resolve().parent.parent / "sample" / "sense_and_sensibility.flac"
SECONDS = 17.1
TITLE = "Sense and Sensibility (sample)"

RUN_NAME = "Sample run of speakr up"
"""Name of the sample run's temporary webhook and token."""

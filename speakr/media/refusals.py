"""Errors for unusable media: one sentence per fault, without FFmpeg's output."""

from __future__ import annotations

import re
from collections.abc import Mapping

from speakr.domain.errors import UnusableMedia

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "empty_file": ("empty_file", "The file is empty."),
    "not_media": ("not_media", "This is not an audio or video file."),
    "unsupported_format": (
        "unsupported_format",
        "This kind of file is not supported. MP3, M4A, WAV, FLAC, OGG, WebM, MP4 and their relatives are.",
    ),
    "dictation": (
        "unsupported_format",
        "This is a file of a dictation machine (DSS or DS2), which is not supported. Export it as WAV or MP3.",
    ),
    "no_audio_stream": ("no_audio_stream", "There is no sound in this file."),
    "undecodable": ("undecodable", "The sound in this file cannot be decoded; the file may be damaged."),
    "no_decoder": (
        "undecodable",
        "This server has no decoder for the sound in this file. Convert it to MP3, M4A, WAV or FLAC.",
    ),
    "not_to_be_copied": ("undecodable", "The sound of this file cannot be separated from the rest."),
    "unreadable": ("undecodable", "The sound in this file cannot be decoded; another try would not help."),
    "absurd_rate": ("undecodable", "The sample rate of this file is outside of 4 to 768 kHz."),
    "hostile": ("undecodable", "The sound in this file cannot be decoded; the file may be damaged."),
    "too_expensive": ("undecodable", "This file is too expensive to decode."),
}
"""Fault -> the slug that clients see, and the sentence."""


class NotCopied(UnusableMedia):
    """The sound of a video cannot be taken out as it is, or not all of it."""


_CODEC = re.compile("^[a-z0-9_]{1,32}$")


def refusal(fault: str, codec: str = "") -> UnusableMedia:
    """Return the error for a fault. codec: FFmpeg's name of the codec for which there is no decoder.

    Raises:
        KeyError: there is no such fault.
    """
    slug, sentence = _SENTENCES[fault]
    if fault == "not_to_be_copied":
        return NotCopied(sentence, code=slug)
    if fault == "no_decoder" and _CODEC.match(codec):
        sentence = sentence.replace("the sound in this file", f"the sound in this file (codec {codec})")
    return UnusableMedia(sentence, code=slug)


def too_long(max_seconds: float) -> UnusableMedia:
    """Return the error for too long a recording."""
    hours = f"{max_seconds / 3600:g} hours" if max_seconds >= 3600 else f"{max_seconds / 60:g} minutes"  # noqa: PLR2004 - an hour
    sentence = f"The recording is longer than the {hours} this server accepts."
    return UnusableMedia(sentence, code="too_long", max_seconds=max_seconds)

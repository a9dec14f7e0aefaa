"""Read the fields of a transcription form that several API families share."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

from speakr.domain import languages
from speakr.domain.clips import MAX_KNOWN_SPEAKERS, MAX_REFERENCE_BYTES, MAX_SPEAKER_NAME, KnownSpeaker
from speakr.domain.errors import Invalid
from speakr.web.names import clean_text

_DATA_URL = re.compile(r"data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)


def language(text: str | None, field: str = "language") -> str | None:
    """Return an ISO 639-1 code, or None for detection. Raises `Invalid`."""
    try:
        return languages.read(text or "") or None
    except languages.NoLanguage:
        message = "must be a language: a code such as en, or its English name"
        raise Invalid(f"{field} {message}", errors={field: [message]}) from None


def known_speakers(
    names: Sequence[str], references: Sequence[str], field: str = "known_speaker_references"
) -> tuple[KnownSpeaker, ...]:
    """Return people with reference recordings, which are data URLs (RFC 2397). Raises `Invalid`."""
    if len(names) != len(references):
        raise _wrong(field, "needs as many entries as known_speaker_names")
    if len(names) > MAX_KNOWN_SPEAKERS:
        raise _wrong(field, f"takes at most {MAX_KNOWN_SPEAKERS} speakers")
    cleaned = [clean_text(name, MAX_SPEAKER_NAME) for name in names]
    if not all(cleaned) or len(set(cleaned)) < len(cleaned):
        raise _wrong("known_speaker_names", "must be different names")
    return tuple(
        KnownSpeaker(name=name, audio=_bytes_of(url, field))
        for name, url in zip(cleaned, references, strict=True)
    )


def _bytes_of(url: str, field: str) -> bytes:
    head = _DATA_URL.match(url.strip())
    if head is None:
        raise _wrong(field, "must be data URLs, for example data:audio/wav;base64,...")
    body = url.strip()[head.end() :]
    try:
        is_base64 = head[2].lower().endswith(";base64")
        data = (
            base64.b64decode(unquote_to_bytes(body), validate=True) if is_base64 else unquote_to_bytes(body)
        )
    except (binascii.Error, ValueError):
        raise _wrong(field, "holds no valid Base64") from None
    if not data or len(data) > MAX_REFERENCE_BYTES:
        raise _wrong(field, f"must hold 1 to {MAX_REFERENCE_BYTES} bytes of audio each")
    return data


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(f"{field} {message}", errors={field: [message]})

"""Audio for uploads, and forms that carry it."""

from __future__ import annotations

import io
import wave
from typing import Any

import numpy as np


def wav(seconds: float = 1.0, *, frequency: float = 220.0, rate: int = 16_000) -> bytes:
    """Return a small WAV file with a tone in it; each frequency gives other bytes."""
    time = np.arange(round(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * frequency * time) * 8_000).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def multipart(
    data: bytes, filename: str, fields: dict[str, Any], *, file_field: str = "file"
) -> tuple[bytes, str]:
    """Build a form with a file in it (RFC 7578); return its bytes and content type."""
    boundary = "a-boundary-of-the-tests"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, values in fields.items()
        for value in (values if isinstance(values, list) else [values])
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{file_field}"; filename="{filename}"\r\n\r\n'
    )
    body = b"".join(
        [*parts, head.encode("utf-8", "surrogateescape"), data, f"\r\n--{boundary}--\r\n".encode()]
    )
    return body, f"multipart/form-data; boundary={boundary}"

"""Encrypt stored secrets that Speakr must read again (Fernet: AES-128-CBC with HMAC-SHA256)."""

from __future__ import annotations

import base64
import functools
import hashlib

from cryptography.fernet import Fernet

from speakr.backends import get_backends


@functools.lru_cache(maxsize=4)
def _box(secret_key: str) -> Fernet:
    derived = hashlib.sha256(b"speakr sealing v1:" + secret_key.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(derived))


def seal(secret: str) -> str:
    """Encrypt a secret for the database."""
    return _box(get_backends().settings.secret_key).encrypt(secret.encode()).decode()


def unseal(sealed: str) -> str:
    """Decrypt a sealed secret. Raises `cryptography.fernet.InvalidToken` when SPEAKR_SECRET_KEY has changed."""
    return _box(get_backends().settings.secret_key).decrypt(sealed.encode()).decode()

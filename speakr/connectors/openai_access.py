"""Address and key of an OpenAI-compatible API."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIAccess:
    """One API's address and key; both may be empty: the public API, a server that wants no key."""

    base_url: str
    api_key: str = field(repr=False)
    timeout_seconds: float
    """Maximum seconds without a byte while waiting for an answer."""

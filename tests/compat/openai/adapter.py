"""This API shows no recordings: what it transcribes is not kept."""

from __future__ import annotations

from tests.compat.adapters import Adapter

ADAPTER = Adapter(name="openai")

"""Import slow libraries once in a worker, before it forks: its work horses then find them loaded.

The package `openai` costs more than a second of CPU and 60 MB. Without this every job with an engine behind HTTP would spend
that second while a user waits.
"""

from __future__ import annotations

import importlib

import structlog

from speakr.connectors.transcription import choose
from speakr.settings import Settings

logger = structlog.get_logger(__name__)


def preload(settings: Settings) -> None:
    """Import what jobs of this configuration need."""
    uses_openai = (
        choose(settings) == "openai"
        or settings.transcription_fallback == "openai"
        or bool(settings.llm_base_url or settings.llm_api_key)
    )
    if not uses_openai:
        return
    importlib.import_module("speakr.connectors.openai_client")
    # The classes of the APIs are imported when they are first used.
    importlib.import_module("openai.resources.audio")
    importlib.import_module("openai.resources.chat")
    logger.debug("openai_preloaded")

"""The external systems of a process: database, storage, Redis, engines. Tests set fakes that satisfy the same Protocols."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from speakr.connectors.clean_answers import CleanTranscriber, CleanWriter
from speakr.connectors.embedding import make_embedding_connector, model_of
from speakr.connectors.embedding.base import EmbeddingConnector
from speakr.connectors.language import make_language_connector
from speakr.connectors.language.base import LanguageConnector
from speakr.connectors.transcription import check_own_settings, make_connector, make_fallback
from speakr.connectors.transcription.base import TranscriptionConnector
from speakr.egress.guard import fetch_allow_list
from speakr.live import LiveFeed, RedisLiveFeed
from speakr.queue import JobNotifier, RedisJobNotifier
from speakr.settings import Settings
from speakr.storage import make_storage
from speakr.storage.base import Storage


@dataclass(frozen=True, slots=True)
class Backends:
    """Connections to external systems. Engines are made on demand, so only work horses load models."""

    settings: Settings
    memory: redis.Redis
    """Redis with short timeouts and no retries, for optional data."""
    redis: redis.Redis
    storage: Storage
    notifier: JobNotifier
    live: LiveFeed
    make_transcriber: Callable[[], TranscriptionConnector]
    make_writer: Callable[[], LanguageConnector]
    make_fallback: Callable[[], TranscriptionConnector | None] = lambda: None
    """The second transcription engine, if one is configured."""
    make_embedder: Callable[[], EmbeddingConnector | None] = lambda: None
    """The embedding engine, if one is configured."""

    def transcriber(self) -> TranscriptionConnector:
        """Make the transcription engine; its text is clean."""
        return CleanTranscriber(self.make_transcriber())

    def fallback(self) -> TranscriptionConnector | None:
        """Make the second transcription engine, if one is configured; its text is clean."""
        made = self.make_fallback()
        return None if made is None else CleanTranscriber(made)

    @property
    def embedding_model(self) -> str:
        """The name of the embedding model in use, as stored with vectors; empty if there is none."""
        return model_of(self.settings)

    def writer(self) -> LanguageConnector:
        """Make the language engine; its text is clean."""
        return CleanWriter(self.make_writer())


def connect(settings: Settings) -> Backends:
    """Return the backends that the settings name. They connect on first use.

    Raises `SettingsError` for settings that only the packages which use them can check.
    """
    check_own_settings(settings)
    fetch_allow_list(settings)
    # Short timeouts: Redis only carries wake-ups, so a request must not wait long for it.
    connection = redis.Redis.from_url(
        settings.redis_url, socket_connect_timeout=2.0, socket_timeout=40.0, health_check_interval=30
    )
    impatient = redis.Redis.from_url(
        settings.redis_url, socket_connect_timeout=1.0, socket_timeout=2.0, retry=Retry(NoBackoff(), 0)
    )
    return Backends(
        settings=settings,
        redis=connection,
        memory=impatient,
        storage=make_storage(settings),
        notifier=RedisJobNotifier(connection),
        live=RedisLiveFeed(connection),
        make_transcriber=lambda: make_connector(settings),
        make_writer=lambda: make_language_connector(settings),
        make_fallback=lambda: make_fallback(settings),
        make_embedder=lambda: make_embedding_connector(settings),
    )


_backends: Backends | None = None


def set_backends(backends: Backends) -> None:
    """Set the backends of this process."""
    global _backends  # noqa: PLW0603 - the one place where wiring becomes ambient, so that services stay functions
    _backends = backends


def get_backends() -> Backends:
    """Return the backends of this process."""
    if _backends is None:
        raise RuntimeError("create_app() has not been called")
    return _backends

"""The engines: transcription, language model and embeddings. Further settings of speech engines: `speakr.speech_settings`."""

from __future__ import annotations

from dataclasses import dataclass

from speakr.environment import SettingsError, check_time_zone, setting


@dataclass(frozen=True, kw_only=True)
class TranscriptionSettings:
    """The first speech engine, and what is done with voices."""

    transcription_connector: str = setting(
        default="auto",
        env="TRANSCRIPTION_CONNECTOR",
        section="Transcription",
        help="auto, {engines}. auto takes openai when a base URL or key is set, else the embedded English engine.",
    )
    transcription_base_url: str = setting(
        default="",
        env="TRANSCRIPTION_BASE_URL",
        section="Transcription",
        help="Base URL of the engine, for example http://whisper:8000/v1 for an OpenAI-compatible one.",
    )
    transcription_api_key: str = setting(
        default="",
        env="TRANSCRIPTION_API_KEY",
        secret=True,
        section="Transcription",
        help="Key for that API.",
    )
    transcription_model: str = setting(
        default="whisper-1",
        env="TRANSCRIPTION_MODEL",
        section="Transcription",
        help="Default model of openai. Other engines have their own default.",
    )
    transcription_models: str = setting(
        default="",
        env="TRANSCRIPTION_MODELS_AVAILABLE",
        section="Transcription",
        help="Comma list of models that a request may name (value or value:label). Empty: only the default.",
    )
    transcription_timeout_seconds: float = setting(
        default=600.0,
        env="TRANSCRIPTION_TIMEOUT_SECONDS",
        section="Transcription",
        help="Time limit for one chunk at a remote transcription API, in seconds.",
    )
    diarization: bool = setting(
        default=True, env="SPEAKR_DIARIZATION", section="Transcription", help="Tell speakers apart."
    )
    voice_profiles: bool = setting(
        default=True, env="SPEAKR_VOICE_PROFILES", section="Transcription", help="Learn and recognise voices."
    )


@dataclass(frozen=True, kw_only=True)
class FormattedTextSettings:
    """How a transcript becomes paragraphs."""

    format_text: bool = setting(
        default=True,
        env="WHISPER_FORMAT_TEXT",
        section="Formatted text",
        help="Format text as paragraphs where a client asks for it. Off: the text stays as it was recognised.",
    )
    paragraph_break_seconds: float = setting(
        default=2.0,
        env="WHISPER_PARAGRAPH_BREAK_SECONDS",
        section="Formatted text",
        help="A longer pause between two segments ends a paragraph, in seconds.",
    )
    max_sentence_length: int = setting(
        default=150,
        env="WHISPER_MAX_SENTENCE_LENGTH",
        section="Formatted text",
        help="A paragraph of segments ends when it is longer than twice this, in characters.",
    )

    def check_formatted_text(self) -> None:
        """Refuse a negative pause and a length below 1."""
        if self.paragraph_break_seconds < 0 or self.max_sentence_length < 1:
            raise SettingsError(
                "WHISPER_PARAGRAPH_BREAK_SECONDS must be 0 or more and WHISPER_MAX_SENTENCE_LENGTH above 0"
            )


@dataclass(frozen=True, kw_only=True)
class LanguageSettings:
    """The language model, the embedding model, and the time zone of phrases."""

    llm_base_url: str = setting(
        default="",
        env="TEXT_MODEL_BASE_URL",
        section="Language model",
        help="Base URL of an OpenAI-compatible chat API. Empty, without a key: extractive summaries, made by the server.",
    )
    llm_api_key: str = setting(
        default="",
        env="TEXT_MODEL_API_KEY",
        secret=True,
        section="Language model",
        help="Key for that API.",
    )
    llm_model: str = setting(
        default="gpt-4o-mini",
        env="TEXT_MODEL_NAME",
        section="Language model",
        help="Model that writes titles and summaries.",
    )
    llm_context_tokens: int = setting(
        default=8000,
        env="TEXT_MODEL_CONTEXT_TOKENS",
        section="Language model",
        help="Size of the model's context, in tokens. Longer transcripts are summarised in parts and merged.",
    )
    llm_timeout_seconds: float = setting(
        default=180.0,
        env="TEXT_MODEL_TIMEOUT_SECONDS",
        section="Language model",
        help="Time limit for one request, in seconds.",
    )
    embedding_base_url: str = setting(
        default="",
        env="EMBEDDING_MODEL_BASE_URL",
        section="Language model",
        help="Base URL of an OpenAI-compatible embeddings API. Empty: that of the text model.",
    )
    embedding_api_key: str = setting(
        default="",
        env="EMBEDDING_MODEL_API_KEY",
        secret=True,
        section="Language model",
        help="Key for that API. Empty: that of the text model, if the base URL is the same.",
    )
    embedding_model: str = setting(
        default="",
        env="EMBEDDING_MODEL_NAME",
        section="Language model",
        help="Model for search by meaning at that API; all transcripts are sent to it. Empty: the models of this server. off: no search by meaning.",
    )
    embedding_timeout_seconds: float = setting(
        default=20.0,
        env="EMBEDDING_MODEL_TIMEOUT_SECONDS",
        section="Language model",
        help="Time limit for one request with passages, in seconds. A question waits at most 5 seconds.",
    )
    time_zone: str = setting(
        default="UTC",
        env="SPEAKR_TIME_ZONE",
        section="Language model",
        help="IANA time zone of phrases like “tomorrow at three”, for users who have not set theirs.",
    )

    def check_language(self) -> None:
        """Refuse a model's name that does not fit its column, and an unknown time zone."""
        if len(self.embedding_model) > 120:  # noqa: PLR2004 - the width of the column
            raise SettingsError("EMBEDDING_MODEL_NAME has more than 120 characters")
        check_time_zone("SPEAKR_TIME_ZONE", self.time_zone)

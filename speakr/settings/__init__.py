"""Every setting, typed, read once.

A setting is one field of the modules beside this one: its type, its default and a sentence. `config/env.example` and
`docs/settings.md` are generated from these fields, and a test fails when they differ.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from speakr.environment import SettingsError, read, setting
from speakr.settings.basics import BasicSettings, FirstStartSettings, UserSettings
from speakr.settings.engines import FormattedTextSettings, LanguageSettings, TranscriptionSettings
from speakr.settings.limits import LimitSettings
from speakr.settings.processes import ProcessSettings
from speakr.settings.uploads import UploadSettings
from speakr.settings.webhooks import MailSettings, WebhookSettings
from speakr.speech_settings import SpeechSettings

__all__ = ["Settings", "SettingsError", "setting"]


@dataclass(frozen=True, kw_only=True)
class Settings(
    SpeechSettings,
    LimitSettings,
    MailSettings,
    WebhookSettings,
    ProcessSettings,
    UserSettings,
    FirstStartSettings,
    LanguageSettings,
    FormattedTextSettings,
    TranscriptionSettings,
    UploadSettings,
    BasicSettings,
):
    """The operator's settings. Built by `from_env`; tests build it by keyword.

    A dataclass takes the fields of its last base first, so the pages list the bases from last to first.
    """

    def __post_init__(self) -> None:
        """Raise `SettingsError` for values that would fail later."""
        self.check_basics()
        self.check_engines(self.transcription_connector)
        self.check_uploads()
        self.check_formatted_text()
        self.check_language()
        self.check_users()
        self.check_webhooks()
        self.check_mail()
        self.check_limits()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the process environment (or the mapping given) once.

        Raises:
            SettingsError: a required setting is missing or a value cannot be read.

        """
        source = os.environ if environ is None else environ
        return read(cls, source, engine_environment=dict(source))

"""The models behind the engine in use: what each is for, its size, and whether it is on this server."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from speakr.connectors.transcription import whisper_loading
from speakr.connectors.transcription.base import KeepsModels, TranscriptionConnector
from speakr.model_files.catalogue import MOONSHINE, WHISPER_BASE, Model
from speakr.model_files.store import is_prepared, size_bytes

if TYPE_CHECKING:
    from speakr.settings import Settings

ENGLISH: Final = ("en",)
SPARE: Final = "pocketsphinx"
_SPARE_BYTES: Final = 37_000_000
_WHISPER_BYTES: Final = 81_785_773
_MOONSHINE_BYTES: Final = 87_445_606
"""Of the prepared files, for models that are not there yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model. languages: ISO 639-1 codes, None for many; size_bytes and is_downloaded: None where a provider has it."""

    name: str
    full_name: str
    description: str
    languages: Sequence[str] | None
    size_bytes: int | None
    is_downloaded: bool | None
    is_default: bool


def model_table(settings: Settings, connector: TranscriptionConnector) -> list[ModelRow]:
    """Return the models of the engine in use, the default first."""
    if connector.name == "embedded":
        return list(_embedded(settings))
    return [
        ModelRow(
            name=model,
            full_name=model,
            description=f"Model of the engine {connector.name}",
            languages=_languages(connector, model),
            size_bytes=connector.model_size_bytes(model) if isinstance(connector, KeepsModels) else None,
            is_downloaded=connector.is_downloaded(model) if isinstance(connector, KeepsModels) else None,
            is_default=model == connector.default_model,
        )
        for model in connector.models
    ]


def _embedded(settings: Settings) -> Iterator[ModelRow]:
    has_english = is_prepared(settings.models_folder, MOONSHINE)
    yield _prepared(settings, MOONSHINE, ENGLISH, _MOONSHINE_BYTES, is_default=has_english)
    has_other = (
        settings.languages == "all"
        and is_prepared(settings.models_folder, WHISPER_BASE)
        and whisper_loading.unusable_reason() is None
    )
    if settings.languages == "all":
        is_default = has_other and not has_english
        yield _prepared(settings, WHISPER_BASE, None, _WHISPER_BYTES, is_default=is_default)
    yield ModelRow(
        name=SPARE,
        full_name="PocketSphinx",
        description="Speech recognition in English where Moonshine cannot be used",
        languages=ENGLISH,
        size_bytes=_SPARE_BYTES,
        is_downloaded=importlib.util.find_spec("pocketsphinx") is not None,
        is_default=not has_english and not has_other,
    )


def _prepared(
    settings: Settings,
    model: Model,
    languages: Sequence[str] | None,
    expected_bytes: int,
    *,
    is_default: bool,
) -> ModelRow:
    full_name, _, description = model.title.partition(", ")
    return ModelRow(
        name=model.name,
        full_name=full_name,
        description=f"{description[:1].upper()}{description[1:]}",
        languages=languages,
        size_bytes=size_bytes(settings.models_folder, model) or expected_bytes,
        is_downloaded=is_prepared(settings.models_folder, model),
        is_default=is_default,
    )


def _languages(connector: TranscriptionConnector, model: str) -> Sequence[str] | None:
    known = connector.capabilities_with(model).languages
    return None if known is None else sorted(known)

"""Resolve the hints for the engine: the request's, else those of the first tag or the folder, else the user's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from speakr.domain import languages
from speakr.domain.transcript import Hints
from speakr.models import Folder, Tag, User
from speakr.models.filing import Filing

_NAMES = tuple(field.name for field in fields(Hints))


def _from_defaults(source: Filing) -> dict[str, Any]:
    return {
        "language": source.default_language,
        "min_speakers": source.default_min_speakers,
        "max_speakers": source.default_max_speakers,
        "hotwords": source.default_hotwords,
        "initial_prompt": source.default_initial_prompt,
        "model": source.default_transcription_model,
    }


def resolve(
    asked: Mapping[str, Any],
    *,
    tags: Sequence[Tag],
    folder: Folder | None,
    user: User,
    offered_models: Callable[[], Sequence[str]],
) -> Hints:
    """Merge the sources in their documented order; a model that is not offered is dropped.

    An empty language in the request means detection and overrides all other sources. The offered models are looked up
    only if a model is named.
    """
    layers: list[Mapping[str, Any]] = [asked]
    if tags:
        layers.append(_from_defaults(tags[0]))
    elif folder is not None:
        layers.append(_from_defaults(folder))
    layers.append({"language": user.preferences.get("transcription_language")})
    layers = [{**layer, "language": _language(layer.get("language"))} for layer in layers]
    merged: dict[str, Any] = {}
    for name in _NAMES:
        merged[name] = next((layer[name] for layer in layers if layer.get(name) is not None), None)
    hints = Hints(**merged)
    if hints.language == "":
        hints = replace(hints, language=None)
    if hints.model is not None and hints.model not in offered_models():
        hints = replace(hints, model=None)
    return hints


def _language(stored: str | None) -> str | None:
    """Return a code, an empty text for detection, or None: an older version stored any text."""
    if stored is None or stored.strip().casefold() in languages.DETECT:
        return None if stored is None else ""
    return languages.code_of(stored)


def to_json(hints: Hints) -> dict[str, Any]:
    """Return the hints that are set, for a job's options."""
    return {name: value for name, value in asdict(hints).items() if value is not None}


def from_json(stored: Mapping[str, Any]) -> Hints:
    """Read stored hints; unknown names, written by a newer version, are ignored."""
    hints = Hints(**{name: stored[name] for name in _NAMES if name in stored})
    return replace(hints, language=languages.code_of(hints.language))

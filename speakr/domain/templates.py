"""The words for templates."""

from __future__ import annotations

from enum import StrEnum


class TemplateKind(StrEnum):
    """What a template shapes."""

    TRANSCRIPT = "transcript"
    NAMING = "naming"
    EXPORT = "export"

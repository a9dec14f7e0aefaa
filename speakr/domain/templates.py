"""Kinds of templates."""

from __future__ import annotations

from enum import StrEnum


class TemplateKind(StrEnum):
    """Kind of a template."""

    TRANSCRIPT = "transcript"
    NAMING = "naming"
    EXPORT = "export"

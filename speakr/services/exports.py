"""Export transcripts as files for other programs. `EXPORTERS` lists the formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from speakr.domain.errors import Invalid
from speakr.domain.permissions import Actor
from speakr.domain.templates import TemplateKind
from speakr.domain.transcript import Segment
from speakr.exports import EXPORTERS
from speakr.exports.base import Exporter, Option, Source
from speakr.services.language import templates

DATA = "json"
"""The transcript as data. The API writes it itself, because it is not a file format of another program."""


@dataclass(frozen=True, slots=True)
class Export:
    """An export in progress: `pieces` are all text, or all bytes if the format is binary."""

    media_type: str
    extension: str
    is_binary: bool
    pieces: Iterator[str] | Iterator[bytes]


def formats() -> list[str]:
    """Return the names of all formats in which a transcript can be read."""
    return [DATA, *EXPORTERS]


def formats_in_words() -> str:
    """Return the names of the formats as a phrase: `json, text, srt or vtt`."""
    *first, last = formats()
    return f"{', '.join(first)} or {last}"


def format_named(asked: str) -> str:
    """Return a format's canonical name, ignoring case.

    Raises:
        Invalid: the format does not exist.

    """
    name = asked.lower()
    if name not in formats():
        raise Invalid(f"Unknown format: {asked[:20]}", errors={"format": [formats_in_words()]})
    return name


def export(actor: Actor, name: str, segments: Sequence[Segment], *, paragraphs: bool = False) -> Export:
    """Write segments in a format of `EXPORTERS`, with the actor's own template if the format supports one."""
    exporter: Exporter = EXPORTERS[name]
    template = (
        templates.default_body(actor.user_id, TemplateKind.TRANSCRIPT)
        if Option.TEMPLATE in exporter.options
        else None
    )
    source = Source(
        segments=segments,
        paragraphs=paragraphs and Option.PARAGRAPHS in exporter.options,
        template=template,
    )
    return Export(exporter.media_type, exporter.extension, exporter.is_binary, exporter.write(source))
